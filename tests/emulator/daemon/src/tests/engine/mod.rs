// SPDX-License-Identifier: MIT OR Apache-2.0

//! The engine with real models in ONNX Runtime.

mod crowd;
mod in_use;
mod native;
mod public_numbers;
mod reasons;
mod refusals;
mod zero_sizes;

use std::sync::Arc;

use crate::model::{digest, parse_group, pin};
use crate::tests::client::{Client, PLAIN};
use crate::tests::onnx::{
    integers, model, node, node_with, sum_and_difference, value, BOOL, FLOAT, UINT8,
};
use crate::tests::Rig;
use crate::wire::engine::{ApiKind, Desc, IoDesc, RequestBody, ResponseBody};
use crate::wire::system;
use crate::Options;

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn open(rig: &Rig) -> Arc<Client> {
    let client = Client::open(rig, 21, PLAIN);
    let init = RequestBody {
        npu_type: Some(0),
        ..Default::default()
    };
    assert_eq!(client.engine(ApiKind::InitNpu, init).status, 0);
    client
}

/// Loads an image the way a client does: the card memory is free again at once.
fn load(client: &Client, image: &[u8]) -> ResponseBody {
    let address = client.alloc(image.len() as u32).unwrap();
    assert!(client.copy_to_card(address, image));
    let body = RequestBody {
        address: Some(address),
        size: Some(image.len() as u64),
        ..Default::default()
    };
    let answer = client.engine(ApiKind::LoadModel, body);
    assert_eq!(client.free(address), 0);
    answer
}

fn with(handle: u64) -> RequestBody {
    RequestBody {
        handle: Some(handle),
        ..Default::default()
    }
}

fn loaded(client: &Client, image: &[u8]) -> (u64, u64) {
    let answer = load(client, image);
    assert_eq!(answer.status, 0);
    let handle = answer.handle.unwrap();
    let context = client.engine(ApiKind::CreateContext, with(handle));
    assert_eq!(context.status, 0);
    (handle, context.context.unwrap())
}

fn place(client: &Client, data: &[u8]) -> Desc {
    let address = client.alloc(data.len() as u32).unwrap();
    assert!(client.copy_to_card(address, data));
    Desc {
        address,
        size: data.len() as u64,
    }
}

fn fetch(client: &Client, desc: &Desc) -> Vec<u8> {
    client
        .copy_from_card(desc.address, desc.size as usize)
        .unwrap()
}

fn run(
    handle: u64,
    context: u64,
    group: u64,
    inputs: &[Desc],
    outputs: &[Desc],
    batch: u32,
) -> RequestBody {
    RequestBody {
        context: Some(context),
        group: Some(group),
        io: Some(IoDesc {
            inputs: inputs.to_vec(),
            outputs: outputs.to_vec(),
            batch,
        }),
        noresp: Some(0),
        ..with(handle)
    }
}

/// The card's log.
fn log(client: &Client) -> String {
    let request = system::request_body::Kind::Log(system::LogRequest::default());
    match client.system(system::Module::Log, request) {
        system::response_body::Kind::Log(log) => String::from_utf8(log.content).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn several_inputs_outputs_and_a_batch() {
    let rig = Rig::new();
    let client = open(&rig);
    let (handle, context) = loaded(&client, &sum_and_difference(&[1, 3, 2, 2]));
    let meta = client
        .engine(ApiKind::GetModelIoInfo, with(handle))
        .meta
        .unwrap();
    let names: Vec<_> = meta
        .inputs
        .iter()
        .chain(&meta.outputs)
        .map(|m| m.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b", "sum", "difference"]);
    assert_eq!((meta.inputs[0].format, meta.inputs[0].layout), (15, 2));
    assert_eq!(
        (
            meta.inputs[0].groups[0].size,
            &meta.inputs[0].groups[0].dims[..]
        ),
        (48, &[1, 3, 2, 2][..])
    );

    let a: Vec<f32> = (0..24).map(|i| i as f32).collect();
    let b: Vec<f32> = (0..24).map(|i| 100.0 - 3.0 * i as f32).collect();
    let inputs = [place(&client, &floats(&a)), place(&client, &floats(&b))];
    let outputs = [place(&client, &[0; 96]), place(&client, &[0; 96])];
    let answer = client.engine(
        ApiKind::RunModel,
        run(handle, context, 0, &inputs, &outputs, 2),
    );
    assert_eq!(answer.status, 0);
    let sum: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
    let difference: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
    assert_eq!(fetch(&client, &outputs[0]), floats(&sum));
    assert_eq!(fetch(&client, &outputs[1]), floats(&difference));
    assert_eq!(rig.host.counter("engine.runs"), 2);

    let version = client
        .engine(ApiKind::GetModelVersion, with(handle))
        .model_version
        .unwrap();
    assert!(version.starts_with("ax650-test"), "{version}");
    assert_eq!(
        client
            .engine(ApiKind::GetModelType, with(handle))
            .model_type,
        Some(0)
    );
    let usage = client.engine(ApiKind::GetMemoryUsage, with(handle));
    assert_eq!(
        usage.cmm_usage,
        Some(sum_and_difference(&[1, 3, 2, 2]).len() as u64 + 4 * 48)
    );
    let before = rig.host.cmm_used();
    assert_eq!(client.engine(ApiKind::UnloadModel, with(handle)).status, 0);
    assert!(rig.host.cmm_used() < before);
    assert_eq!(
        client.engine(ApiKind::UnloadModel, with(handle)).status,
        0x8030_0703_u32 as i32
    );
    assert_eq!(
        client
            .engine(ApiKind::FinalNpu, RequestBody::default())
            .status,
        0
    );
    client.close();
}

#[test]
fn shape_groups_of_the_model_and_of_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::with(Options {
        model_dir: Some(dir.path().into()),
        ..Options::default()
    });
    let client = open(&rig);
    let dynamic = sum_and_difference(&[-1, -2]);
    // Dynamic dimensions without groups.
    let refused = load(&client, &dynamic);
    assert_eq!(
        (refused.status, refused.handle),
        (0x8030_0704_u32 as i32, Some(0))
    );
    let group = |n| parse_group(&format!("a:1x{n},b:1x{n}")).unwrap();
    let pinned = pin(&dynamic, &[group(2), group(3)]).unwrap();
    // An image that is no ONNX model stands for the one in the directory.
    let image = b"compiled for the card".to_vec();
    std::fs::write(dir.path().join(digest(&image) + ".onnx"), &dynamic).unwrap();
    std::fs::write(
        dir.path().join(digest(&image) + ".json"),
        r#"[{"a":[1,2],"b":[1,2]},{"a":[1,3],"b":[1,3]}]"#,
    )
    .unwrap();
    for image in [&pinned, &image] {
        let (handle, context) = loaded(&client, image);
        let meta = client
            .engine(ApiKind::GetModelIoInfo, with(handle))
            .meta
            .unwrap();
        let sizes: Vec<_> = meta.outputs[1].groups.iter().map(|g| g.size).collect();
        assert_eq!(sizes, [8, 12]);
        for (group, n) in [(0, 2), (1, 3)] {
            let inputs = [
                place(&client, &floats(&vec![5.0; n])),
                place(&client, &floats(&vec![2.0; n])),
            ];
            let outputs = [
                place(&client, &floats(&vec![0.0; n])),
                place(&client, &floats(&vec![0.0; n])),
            ];
            let answer = client.engine(
                ApiKind::RunModel,
                run(handle, context, group, &inputs, &outputs, 0),
            );
            assert_eq!(answer.status, 0);
            assert_eq!(fetch(&client, &outputs[1]), floats(&vec![3.0; n]));
        }
    }
    client.close();
}

#[test]
fn types_other_than_floats() {
    let rig = Rig::new();
    let client = open(&rig);
    // Pixels as bytes, a comparison as truth values.
    let image = model(
        vec![
            node_with("Cast", &["pixels"], &["wide"], ("to", FLOAT.into())),
            node("Greater", &["wide", "limit"], &["bright"]),
        ],
        vec![],
        vec![
            value("pixels", UINT8, &[1, 2, 2, 3]),
            value("limit", FLOAT, &[1]),
        ],
        vec![value("bright", BOOL, &[1, 2, 2, 3])],
    );
    let (handle, context) = loaded(&client, &image);
    let meta = client
        .engine(ApiKind::GetModelIoInfo, with(handle))
        .meta
        .unwrap();
    assert_eq!((meta.inputs[0].format, meta.inputs[0].layout), (4, 2));
    assert_eq!(
        (meta.outputs[0].format, meta.outputs[0].groups[0].size),
        (4, 12)
    );
    let pixels: Vec<u8> = (0..12).map(|i| i * 20).collect();
    let inputs = [place(&client, &pixels), place(&client, &floats(&[100.0]))];
    let outputs = [place(&client, &[9; 12])];
    let answer = client.engine(
        ApiKind::RunModel,
        run(handle, context, 0, &inputs, &outputs, 1),
    );
    assert_eq!(answer.status, 0);
    let bright: Vec<u8> = pixels.iter().map(|p| u8::from(*p > 100)).collect();
    assert_eq!(fetch(&client, &outputs[0]), bright);
    client.close();
}

#[test]
fn the_end_of_a_session_ends_its_run() {
    let rig = Rig::new();
    let client = open(&rig);
    // A product of large matrices, many times over: many seconds of work.
    let mut nodes = vec![node("MatMul", &["x", "x"], &["y0"])];
    for i in 1..2000 {
        nodes.push(node(
            "MatMul",
            &[&format!("y{}", i - 1), "x"],
            &[&format!("y{i}")],
        ));
    }
    let image = model(
        nodes,
        vec![],
        vec![value("x", FLOAT, &[512, 512])],
        vec![value("y1999", FLOAT, &[512, 512])],
    );
    let (handle, context) = loaded(&client, &image);
    let x = place(&client, &vec![0; 512 * 512 * 4]);
    let request = run(handle, context, 0, &[x], &[x], 1);
    client.send_engine(1, ApiKind::RunModel, request);
    rig.host.wait_counter("engine.calls", 4);
    while rig.daemon.report()["npu"]["percent"] == 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    client.kill();
    rig.host.wait_counter("sessions.closed", 1);
    assert_eq!(rig.host.cmm_used(), 0);
    client.close();
}

#[test]
fn outputs_whose_shapes_only_a_run_tells() {
    let rig = Rig::new();
    let client = open(&rig);
    // The output's length is not in the model: it follows from a slice with computed ends.
    let image = model(
        vec![
            node("Shape", &["x"], &["shape"]),
            node("Slice", &["x", "zero", "two", "axis"], &["part"]),
        ],
        vec![
            integers("zero", &[0]),
            integers("two", &[2]),
            integers("axis", &[1]),
        ],
        vec![value("x", FLOAT, &[-1, 6])],
        vec![value("part", FLOAT, &[-1, -3]), value("shape", 7, &[2])],
    );
    let (handle, _) = loaded(&client, &image);
    let meta = client
        .engine(ApiKind::GetModelIoInfo, with(handle))
        .meta
        .unwrap();
    assert_eq!(meta.inputs[0].groups[0].dims, [1, 6]);
    assert_eq!(meta.outputs[0].groups[0].dims, [1, 2]);
    assert_eq!(
        (meta.outputs[1].format, meta.outputs[1].groups[0].size),
        (9, 16)
    );
    client.close();
}
