// SPDX-License-Identifier: MIT OR Apache-2.0

//! Small ONNX models, made here.

use prost::Message;

use crate::model::onnx::{
    dimension, Attribute, Dimension, Graph, Model, Node, OperatorSet, Tensor, TensorShape,
    TensorType, Type, ValueInfo,
};

pub(crate) const FLOAT: i32 = 1;
pub(crate) const UINT8: i32 = 2;
pub(crate) const INT64: i32 = 7;
pub(crate) const BOOL: i32 = 9;

/// An input or output; negative dimensions are dynamic.
pub(crate) fn value(name: &str, elem_type: i32, dims: &[i64]) -> ValueInfo {
    let dim = dims.iter().map(|d| Dimension {
        value: Some(if *d < 0 {
            dimension::Value::DimParam(format!("d{}", -d))
        } else {
            dimension::Value::DimValue(*d)
        }),
    });
    ValueInfo {
        name: name.into(),
        r#type: Some(Type {
            tensor_type: Some(TensorType {
                elem_type,
                shape: Some(TensorShape { dim: dim.collect() }),
            }),
        }),
    }
}

pub(crate) fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> Node {
    Node {
        op_type: op.into(),
        name: format!("{op}_{}", outputs[0]),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: outputs.iter().map(ToString::to_string).collect(),
        attribute: vec![],
    }
}

/// The same with one integer attribute.
pub(crate) fn node_with(
    op: &str,
    inputs: &[&str],
    outputs: &[&str],
    attribute: (&str, i64),
) -> Node {
    let integer = 2;
    Node {
        attribute: vec![Attribute {
            name: attribute.0.into(),
            i: attribute.1,
            r#type: integer,
        }],
        ..node(op, inputs, outputs)
    }
}

pub(crate) fn integers(name: &str, values: &[i64]) -> Tensor {
    Tensor {
        name: name.into(),
        dims: vec![values.len() as i64],
        data_type: INT64,
        int64_data: values.to_vec(),
        ..Default::default()
    }
}

pub(crate) fn model(
    nodes: Vec<Node>,
    weights: Vec<Tensor>,
    inputs: Vec<ValueInfo>,
    outputs: Vec<ValueInfo>,
) -> Vec<u8> {
    Model {
        ir_version: 8,
        producer_name: "ax650-test".into(),
        graph: Some(Graph {
            name: "g".into(),
            node: nodes,
            initializer: weights,
            input: inputs,
            output: outputs,
        }),
        opset_import: vec![OperatorSet {
            domain: String::new(),
            version: 13,
        }],
        ..Default::default()
    }
    .encode_to_vec()
}

/// `sum = a + b` and `difference = a - b`.
pub(crate) fn sum_and_difference(dims: &[i64]) -> Vec<u8> {
    model(
        vec![
            node("Add", &["a", "b"], &["sum"]),
            node("Sub", &["a", "b"], &["difference"]),
        ],
        vec![],
        vec![value("a", FLOAT, dims), value("b", FLOAT, dims)],
        vec![value("sum", FLOAT, dims), value("difference", FLOAT, dims)],
    )
}
