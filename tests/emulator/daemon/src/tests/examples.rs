// SPDX-License-Identifier: MIT OR Apache-2.0

//! The worked examples of the protocol notes: their requests give their answers, byte for byte.

use std::time::Duration;

use super::client::{Buffers, Client, PLAIN};
use super::onnx::{integers, model, node, node_with, value, FLOAT, UINT8};
use super::Rig;
use crate::frames::Header;
use crate::model::digest;
use crate::wire::system::{Command, ControlRequest};
use crate::Options;

/// Name, request, answer.
struct Example {
    name: &'static str,
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// The examples, by the heading they are under.
fn examples(heading: &str) -> Vec<Example> {
    let text = include_str!("../../data/worked-examples.txt");
    let mut examples = Vec::new();
    let mut current = "";
    let mut answering = false;
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("# ") {
            current = heading;
        } else if !current.starts_with(heading) {
        } else if let Some(name) = line.strip_prefix("> ") {
            answering = false;
            examples.push(Example {
                name,
                request: vec![],
                answer: vec![],
            });
        } else if line == "<" {
            answering = true;
        } else if let Some(example) = examples.last_mut() {
            let bytes = line
                .split_whitespace()
                .map(|b| u8::from_str_radix(b, 16).unwrap());
            if answering {
                example.answer.extend(bytes);
            } else {
                example.request.extend(bytes);
            }
        }
    }
    assert!(!examples.is_empty(), "no examples under {heading}");
    examples
}

fn check(client: &Client, example: &Example) {
    let header = Header::parse(&example.request).unwrap();
    client.send_frame(&example.request);
    let answer = client.answer_frame(&header, Duration::from_secs(10));
    let answer = answer.unwrap_or_else(|| panic!("{}: no answer", example.name));
    assert_eq!(answer, example.answer, "{}", example.name);
}

/// Makes the contexts 2 and 3 that some examples are in.
fn more_contexts(client: &Client) {
    for context in [2, 3] {
        let request = ControlRequest {
            cmd: Command::CreateContext.into(),
            context: Some(context),
            ..Default::default()
        };
        assert_eq!(client.control(request).status, Some(0));
    }
}

#[test]
fn handshake_context_and_version() {
    let rig = Rig::new();
    let client = Client::bare(&rig, 21, PLAIN);
    for example in examples("Handshake") {
        check(&client, &example);
    }
    more_contexts(&client);
    for example in examples("Version") {
        check(&client, &example);
    }
    client.close();
}

#[test]
fn memory() {
    let rig = Rig::new();
    let client = Client::open(&rig, 21, PLAIN);
    check(&client, &examples("malloc")[0]);
    assert_eq!(client.alloc(8 << 20), Ok(0x1_4180_0000));
    check(&client, &examples("memcpy card to card")[0]);
    check(&client, &examples("free")[0]);
    client.close();
}

/// A model with the inputs and outputs of the notes' example.
fn classifier() -> Vec<u8> {
    model(
        vec![
            node_with("Cast", &["input"], &["wide"], ("to", FLOAT.into())),
            node_with("Flatten", &["wide"], &["flat"], ("axis", 1)),
            node("Slice", &["flat", "from", "to", "axis"], &["output"]),
        ],
        vec![
            integers("from", &[0]),
            integers("to", &[1000]),
            integers("axis", &[1]),
        ],
        vec![value("input", UINT8, &[1, 224, 224, 3])],
        vec![value("output", FLOAT, &[1, 1000])],
    )
}

#[test]
fn engine() {
    let dir = tempfile::tempdir().unwrap();
    let image = vec![0x5a; 65536];
    std::fs::write(dir.path().join(digest(&image) + ".onnx"), classifier()).unwrap();
    let rig = Rig::with(Options {
        model_dir: Some(dir.path().into()),
        ..Options::default()
    });
    let client = Client::open(
        &rig,
        21,
        Buffers {
            card_window: 4 << 20,
            ..PLAIN
        },
    );
    assert_eq!(client.alloc(65536), Ok(0x1_4100_0000));
    assert_eq!(client.alloc(150_528), Ok(0x1_4101_0000));
    assert_eq!(client.alloc(4000), Ok(0x1_4103_5000));
    assert!(client.copy_to_card(0x1_4100_0000, &image));
    let pixels: Vec<u8> = (0..150_528_u32).map(|i| (i % 251) as u8).collect();
    assert!(client.copy_to_card(0x1_4101_0000, &pixels));
    for example in examples("Engine") {
        // The memory that a model takes is its own.
        if example.name != "GetMemoryUsage" {
            check(&client, &example);
        }
    }
    let output = client.copy_from_card(0x1_4103_5000, 4000).unwrap();
    let want: Vec<u8> = pixels[..1000]
        .iter()
        .flat_map(|p| f32::from(*p).to_le_bytes())
        .collect();
    assert!(output == want);
    client.close();
}

#[test]
fn native() {
    let rig = Rig::new();
    let scripted = [
        ((0, 45), vec![1, 0, 0, 0]),
        ((0, 47), vec![1, 0, 0, 0x5e]),
        ((0, 50), vec![0, 0, 0, 0x41, 1, 0, 0, 0]),
    ];
    for (call, value) in scripted {
        rig.codec.answers.lock().insert(call, vec![value]);
    }
    let client = Client::open(&rig, 21, PLAIN);
    more_contexts(&client);
    for example in examples("VDEC").iter().chain(&examples("VENC")) {
        check(&client, example);
    }
    client.close();
}
