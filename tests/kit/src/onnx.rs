// SPDX-License-Identifier: MIT OR Apache-2.0

//! ONNX models of one or two operators, written by hand.

/// A field with a length (wire type 2).
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![(number << 3) | 2];
    bytes.extend(varint(content.len() as u64));
    bytes.extend(content);
    bytes
}

/// A number (wire type 0).
fn number(field: u8, value: u64) -> Vec<u8> {
    let mut bytes = vec![field << 3];
    bytes.extend(varint(value));
    bytes
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// NodeProto: inputs 1, outputs 2, operator 4.
fn node(operator: &str, inputs: &[&str], outputs: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    inputs
        .iter()
        .for_each(|name| bytes.extend(field(1, name.as_bytes())));
    outputs
        .iter()
        .for_each(|name| bytes.extend(field(2, name.as_bytes())));
    bytes.extend(field(4, operator.as_bytes()));
    bytes
}

/// ValueInfoProto of `len` floats, of shape 1 x len.
fn value(name: &str, len: u64) -> Vec<u8> {
    const FLOAT: u8 = 1;
    typed_value(name, FLOAT, &[1, len])
}

/// ValueInfoProto of an element type of the ONNX standard.
fn typed_value(name: &str, element: u8, dims: &[u64]) -> Vec<u8> {
    let dims = dims.iter().map(|&n| field(1, &number(1, n)));
    let shape = dims.collect::<Vec<_>>().concat();
    let tensor = [number(1, element.into()), field(2, &shape)].concat();
    [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
}

/// ModelProto around a graph of these nodes.
fn model(nodes: &[Vec<u8>], inputs: &[&str], outputs: &[&str], len: u64) -> Vec<u8> {
    let mut graph = Vec::new();
    nodes.iter().for_each(|node| graph.extend(field(1, node)));
    graph.extend(field(2, b"graph"));
    inputs
        .iter()
        .for_each(|name| graph.extend(field(11, &value(name, len))));
    outputs
        .iter()
        .for_each(|name| graph.extend(field(12, &value(name, len))));
    whole(&graph)
}

/// ModelProto around a graph.
fn whole(graph: &[u8]) -> Vec<u8> {
    // Version 8 of the format, operator set 13.
    [number(1, 8), field(7, graph), field(8, &number(2, 13))].concat()
}

/// Makes a model of `y = x`, of an element type of the ONNX standard and any shape.
pub fn identity(element: u8, dims: &[u64]) -> Vec<u8> {
    let graph = [
        field(1, &node("Identity", &["x"], &["y"])),
        field(2, b"graph"),
        field(11, &typed_value("x", element, dims)),
        field(12, &typed_value("y", element, dims)),
    ];
    whole(&graph.concat())
}

/// Makes a model of one operator on two inputs (which may be the same) of `len` floats.
pub fn binary(operator: &str, inputs: &[&str], outputs: &[&str], len: u64) -> Vec<u8> {
    let mut distinct = inputs.to_vec();
    distinct.dedup();
    model(&[node(operator, inputs, outputs)], &distinct, outputs, len)
}

/// Makes a model of `s = a + b` and `p = a * b`.
pub fn sum_and_product(len: u64) -> Vec<u8> {
    let nodes = [
        node("Add", &["a", "b"], &["s"]),
        node("Mul", &["a", "b"], &["p"]),
    ];
    model(&nodes, &["a", "b"], &["s", "p"], len)
}
