// SPDX-License-Identifier: MIT OR Apache-2.0

//! A client that knows the public numbers of types and layouts only, and takes the bytes of the
//! answer apart itself: none of the schema's names are used here.

use std::time::Duration;

use super::{fetch, load, loaded, open, place, run, with};
use crate::tests::onnx::{model, node, value, FLOAT, UINT8};
use crate::tests::Rig;
use crate::wire::engine::ApiKind;

/// Number and content of the fields of a protobuf message; numbers as 8 bytes.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = bytes.split_first().expect("a number breaks off");
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
        }
        panic!("a number without an end");
    }
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let content = match tag & 7 {
            0 => varint(&mut bytes).to_le_bytes().to_vec(),
            2 => {
                let len = varint(&mut bytes) as usize;
                let (content, rest) = bytes.split_at(len);
                bytes = rest;
                content.to_vec()
            }
            other => panic!("wire type {other}"),
        };
        all.push((tag >> 3, content));
    }
    all
}

/// The contents of the fields `path`, one below the other.
fn at(bytes: &[u8], path: &[u64]) -> Vec<Vec<u8>> {
    let Some((number, below)) = path.split_first() else {
        return vec![bytes.to_vec()];
    };
    let here = fields(bytes).into_iter().filter(|(n, _)| n == number);
    here.flat_map(|(_, content)| at(&content, below)).collect()
}

fn number(bytes: &[u8], path: &[u64]) -> u64 {
    let found = at(bytes, path);
    assert!(found.len() <= 1, "{path:?} is there {} times", found.len());
    found.first().map_or(0, |content| {
        u64::from_le_bytes(content[..].try_into().expect("a number"))
    })
}

/// Layout, type and bytes of all inputs (1) or outputs (2) of a model.
fn tensors(client: &crate::tests::client::Client, handle: u64, which: u64) -> Vec<[u64; 3]> {
    let header = client.send_engine(1, ApiKind::GetModelIoInfo, with(handle));
    let frame = client
        .answer_frame(&header, Duration::from_secs(10))
        .expect("an answer");
    // Response.body, runtime, body, engine (3), body, meta (11), then the list.
    let metas = at(&frame[28..], &[2, 1, 2, 3, 2, 11, which]);
    assert!(!metas.is_empty(), "no list {which} in {frame:x?}");
    let all = metas.iter().map(|meta| {
        [
            number(meta, &[2]),
            number(meta, &[3]),
            number(meta, &[4, 1]),
        ]
    });
    all.collect()
}

/// ONNX element type, the public number of the card's type, bytes of an element.
const TYPES: [(i32, u64, u64); 13] = [
    (3, 3, 1),   // int8
    (2, 4, 1),   // uint8
    (5, 5, 2),   // int16
    (4, 6, 2),   // uint16
    (6, 7, 4),   // int32
    (12, 8, 4),  // uint32
    (7, 9, 8),   // int64
    (13, 10, 8), // uint64
    (10, 13, 2), // float16
    (16, 14, 2), // bfloat16
    (1, 15, 4),  // float
    (11, 16, 8), // double
    (9, 4, 1),   // bool, which the card has as bytes
];

#[test]
fn S1_every_type_has_its_public_number_and_size() {
    let rig = Rig::new();
    let client = open(&rig);
    for (element, public, bytes) in TYPES {
        let image = model(
            vec![node("Identity", &["x"], &["y"])],
            vec![],
            vec![value("x", element, &[1, 6])],
            vec![value("y", element, &[1, 6])],
        );
        let (handle, context) = loaded(&client, &image);
        let want = [[0, public, 6 * bytes]];
        assert_eq!(tensors(&client, handle, 1), want, "ONNX type {element}");
        assert_eq!(tensors(&client, handle, 2), want, "ONNX type {element}");
        // And the bytes are those: what goes in comes out.
        let data: Vec<u8> = (0..6 * bytes).map(|n| (n % 2) as u8).collect();
        let input = [place(&client, &data)];
        let output = [place(&client, &vec![7; data.len()])];
        let request = run(handle, context, 0, &input, &output, 1);
        assert_eq!(client.engine(ApiKind::RunModel, request).status, 0);
        assert_eq!(fetch(&client, &output[0]), data, "ONNX type {element}");
        client.engine(ApiKind::UnloadModel, with(handle));
    }
    client.close();
}

#[test]
fn S1_layouts_have_their_public_numbers() {
    let rig = Rig::new();
    let client = open(&rig);
    for (element, dims, layout) in [
        (FLOAT, &[1, 3, 8, 8][..], 2),
        (FLOAT, &[1, 64, 8, 4], 2),
        (UINT8, &[1, 3, 8, 8], 2),
        (UINT8, &[1, 8, 8, 3], 1),
        (FLOAT, &[1, 10], 0),
        (FLOAT, &[2, 3, 4], 0),
    ] {
        let image = model(
            vec![node("Identity", &["x"], &["y"])],
            vec![],
            vec![value("x", element, dims)],
            vec![value("y", element, dims)],
        );
        let (handle, _) = loaded(&client, &image);
        assert_eq!(tensors(&client, handle, 1)[0][0], layout, "{dims:?}");
        client.engine(ApiKind::UnloadModel, with(handle));
    }
    client.close();
}

#[test]
fn S1_types_that_the_card_does_not_run_are_refused_by_name() {
    let rig = Rig::new();
    let client = open(&rig);
    for (element, name) in [
        (8, "string"),
        (14, "complex64"),
        (17, "float8e4m3fn"),
        (22, "int4"),
    ] {
        let image = model(
            vec![node("Identity", &["odd one"], &["y"])],
            vec![],
            vec![value("odd one", element, &[1, 6])],
            vec![value("y", element, &[1, 6])],
        );
        assert_eq!(
            load(&client, &image).status,
            0x8030_0704_u32 as i32,
            "{name}"
        );
        let text = super::log(&client);
        let why = format!("\"odd one\" is of type a tensor of {name}");
        assert!(text.contains(&why), "no {why} in {text}");
    }
    assert_eq!(rig.host.counter("rpc.panics"), 0);
    client.close();
}
