// SPDX-License-Identifier: MIT OR Apache-2.0

//! The short programs of `examples/`, with a fake card.  The guest's cases `examples/` run them on the emulated one.

#[allow(dead_code)] // `main` opens a card of the system
#[path = "../examples/decode.rs"]
mod decode;
#[allow(dead_code)]
#[path = "../examples/infer.rs"]
mod infer;

use ax650::fake::{model_image, FakeCard};
use ax650::proto::axclrpc::engine::{IoMeta, Meta, OneMeta};

/// One tensor of `size` bytes of type `format`.
fn tensor(name: &str, format: i32, size: u64, dims: &[i32]) -> Vec<Meta> {
    let group = OneMeta {
        size,
        dims: dims.to_vec(),
        stride: Vec::new(),
    };
    vec![Meta {
        name: name.into(),
        layout: 1,
        format,
        groups: vec![group],
    }]
}

#[test]
fn infer_prints_the_outputs() {
    let directory = tempfile::tempdir().unwrap();
    let (model, input) = (directory.path().join("model"), directory.path().join("x"));
    let inputs = tensor("x", 4, 8, &[1, 8]);
    let outputs = [tensor("y", 15, 8, &[1, 2]), tensor("z", 4, 2, &[2])].concat();
    std::fs::write(&model, model_image(&IoMeta { inputs, outputs })).unwrap();
    std::fs::write(&input, [255, 255, 127, 63, 255, 255, 255, 191]).unwrap();
    let card = FakeCard::new().open();
    let mut text = Vec::new();
    infer::infer(&card, &model, &[input.clone()], &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    // The fake card's models add 1 to bytes, and outputs begin with the same.
    assert!(
        text.ends_with("y fp32 1x2: [4.0, -2.0]\nz uint8 2: Some([0, 0])\n"),
        "{text}"
    );
    std::fs::write(&input, [1, 7]).unwrap();
    let error = infer::infer(&card, &model, &[input], &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains('8'), "{error}");
}

#[test]
fn decode_writes_every_picture() {
    const STREAM: &[u8] = include_bytes!("../../tests/data/field/e03_mono_31x29.h264");
    let fake = FakeCard::new();
    let mut pictures = Vec::new();
    let told = decode::decode(&fake.open(), STREAM, &mut pictures).unwrap();
    assert_eq!(told, (6, 31, 29));
    // The fake card's are as large as it was asked for, in steps of 16.
    assert_eq!(pictures.len(), 6 * 32 * 32 * 3 / 2);
    assert!(decode::decode(&fake.open(), b"none", &mut pictures).is_err());
}

#[test]
fn examples_are_short() {
    for (name, text) in [
        ("infer.rs", include_str!("../examples/infer.rs")),
        ("decode.rs", include_str!("../examples/decode.rs")),
        ("query.c", include_str!("../../uapi/examples/query.c")),
    ] {
        assert!(text.lines().count() < 60, "{name}");
    }
}
