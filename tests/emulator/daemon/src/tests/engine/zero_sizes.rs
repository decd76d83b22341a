// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tensors without elements, and models without inputs.

use super::{fetch, floats, loaded, open, place, run, with};
use crate::tests::onnx::{integers, model, node, node_with, value, FLOAT, INT64};
use crate::tests::Rig;
use crate::wire::engine::{ApiKind, Desc};

const NOWHERE: Desc = Desc {
    address: 0,
    size: 0,
};

#[test]
fn P9_6_an_empty_input_needs_no_memory() {
    let rig = Rig::new();
    let client = open(&rig);
    let image = model(
        vec![node_with("Concat", &["nothing", "x"], &["y"], ("axis", 0))],
        vec![],
        vec![value("nothing", FLOAT, &[0, 3]), value("x", FLOAT, &[2, 3])],
        vec![value("y", FLOAT, &[2, 3])],
    );
    let (handle, context) = loaded(&client, &image);
    let meta = client
        .engine(ApiKind::GetModelIoInfo, with(handle))
        .meta
        .unwrap();
    let group = &meta.inputs[0].groups[0];
    assert_eq!((group.size, &group.dims[..]), (0, &[0, 3][..]));
    let x = floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let inputs = [NOWHERE, place(&client, &x)];
    let outputs = [place(&client, &[0; 24])];
    for batch in [0, 1] {
        let request = run(handle, context, 0, &inputs, &outputs, batch);
        assert_eq!(client.engine(ApiKind::RunModel, request).status, 0);
        assert_eq!(fetch(&client, &outputs[0]), x);
    }
    client.close();
}

#[test]
fn P9_6_an_empty_output_needs_no_memory() {
    let rig = Rig::new();
    let client = open(&rig);
    let image = model(
        vec![
            node("Slice", &["x", "zero", "zero", "zero"], &["empty"]),
            node("Add", &["x", "x"], &["twice"]),
        ],
        vec![integers("zero", &[0])],
        vec![value("x", FLOAT, &[2, 2])],
        vec![
            value("empty", FLOAT, &[0, 2]),
            value("twice", FLOAT, &[2, 2]),
        ],
    );
    let (handle, context) = loaded(&client, &image);
    let inputs = [place(&client, &floats(&[1.0, 2.0, 3.0, 4.0]))];
    let outputs = [NOWHERE, place(&client, &[0; 16])];
    let request = run(handle, context, 0, &inputs, &outputs, 1);
    assert_eq!(client.engine(ApiKind::RunModel, request).status, 0);
    assert_eq!(fetch(&client, &outputs[1]), floats(&[2.0, 4.0, 6.0, 8.0]));
    client.close();
}

#[test]
fn P9_6_a_model_without_inputs_runs() {
    let rig = Rig::new();
    let client = open(&rig);
    let image = model(
        vec![node("Add", &["a", "b"], &["y"])],
        vec![integers("a", &[1, 2, 3]), integers("b", &[10, 20, 30])],
        vec![],
        vec![value("y", INT64, &[3])],
    );
    let (handle, context) = loaded(&client, &image);
    let meta = client
        .engine(ApiKind::GetModelIoInfo, with(handle))
        .meta
        .unwrap();
    assert!(meta.inputs.is_empty());
    let outputs = [place(&client, &[0; 24])];
    let request = run(handle, context, 0, &[], &outputs, 1);
    assert_eq!(client.engine(ApiKind::RunModel, request).status, 0);
    let sums: Vec<u8> = [11_i64, 22, 33]
        .iter()
        .flat_map(|n| n.to_le_bytes())
        .collect();
    assert_eq!(fetch(&client, &outputs[0]), sums);
    client.close();
}
