// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command with a fake card, whose models add 1 to bytes.

use std::fs;
use std::path::Path;

use ax650::fake::{model_image, FakeCard};
use ax650::proto::axclrpc::engine::{IoMeta, Meta, OneMeta};
use clap::Parser;
use serde_json::{json, Value};

use super::{look_at_files, ocr};
use crate::args::{Arguments, Command};
use crate::failure::Failure;
use crate::look::png;

fn tensor(dims: &[i32]) -> Vec<Meta> {
    vec![Meta {
        name: "x".into(),
        format: 4, // UINT8
        layout: 1,
        groups: vec![OneMeta {
            size: dims.iter().product::<i32>() as u64,
            dims: dims.to_vec(),
            stride: Vec::new(),
        }],
    }]
}

fn model(inputs: &[i32], outputs: &[i32]) -> Vec<u8> {
    model_image(&IoMeta {
        inputs: tensor(inputs),
        outputs: tensor(outputs),
    })
}

/// A directory of models: all of a page that is not black is text, and what a line says is the strongest of its colours:
/// blue is none, green is A, red is the space.
fn models(directory: &Path) {
    let write = |name: &str, bytes: &[u8]| fs::write(directory.join(name), bytes).unwrap();
    write("det.onnx", &model(&[1, 8, 16, 3], &[1, 1, 8, 16]));
    write("rec.onnx", &model(&[1, 8, 32, 3], &[1, 4, 3]));
    write("keys.txt", b"A\n");
}

fn page(path: &Path, pixel: [u8; 3]) {
    png::write(path, true, (32, 16), &pixel.repeat(32 * 16)).unwrap();
}

/// Runs a command line in a directory of models, and returns what was read.
fn run(directory: &Path, line: &str) -> Result<Vec<Value>, Failure> {
    let place = |word: &str| match word.split_once('@') {
        Some(("", name)) => directory.join(name).to_str().unwrap().to_owned(),
        _ => word.to_owned(),
    };
    let words = format!("ax650 ocr -q --force -m @. -o @out {line}");
    let arguments = Arguments::parse_from(words.split_whitespace().map(place));
    let Command::Ocr(options) = &arguments.command else {
        panic!("{words}");
    };
    look_at_files(options)?;
    let fake = FakeCard::new();
    let result = ocr(&fake.open(), options);
    assert_eq!(fake.open_handles(), (0, 0));
    assert_eq!(fake.card_memory_in_use(), 0);
    result?;
    let text = fs::read_to_string(directory.join("out")).unwrap();
    Ok(text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect())
}

#[test]
fn pages_are_read() {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path();
    models(directory);
    page(&directory.join("green.png"), [10, 200, 20]);
    page(&directory.join("blue.png"), [10, 20, 200]);
    let lines = run(directory, "@green.png --draw @drawn.png --tensors @tensors").unwrap();
    let corners = [[0.0, 0.0], [32.0, 0.0], [32.0, 16.0], [0.0, 16.0]];
    let wanted = json!([{"text": "A", "score": 201.0, "box": corners}]);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["lines"], wanted);
    assert_eq!(
        (&lines[0]["width"], &lines[0]["height"]),
        (&json!(32), &json!(16))
    );
    let drawn = image::open(directory.join("drawn.png")).unwrap().to_rgb8();
    assert_eq!(drawn.get_pixel(0, 5).0, [220, 30, 30]);
    assert_eq!(drawn.get_pixel(16, 8).0, [10, 200, 20]);
    let index = fs::read_to_string(directory.join("tensors/index.tsv")).unwrap();
    assert_eq!(
        index.lines().next().unwrap(),
        "det\tx\t1x8x16x3\t000-det-in.bin\t1x1x8x16\t000-det-out.bin"
    );
    assert_eq!(index.lines().count(), 2);
    // Several: each has its line, one where nothing is read too.
    let lines = run(directory, "@green.png @blue.png").unwrap();
    assert_eq!(lines.len(), 2);
    assert!(lines[1]["input"].as_str().unwrap().ends_with("blue.png"));
    assert_eq!(lines[1]["lines"], json!([]));
    // What is upside down for sure is turned, and of one colour as before.
    fs::write(directory.join("cls.onnx"), model(&[1, 8, 16, 3], &[1, 2])).unwrap();
    assert_eq!(run(directory, "@green.png").unwrap()[0]["lines"], wanted);
}

#[test]
fn bad_input_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path();
    let says = |line: &str, words: &str| {
        let message = run(directory, line).unwrap_err().message;
        assert!(message.contains(words), "{line}: {message}");
    };
    says("@page.png", "neither det.axmodel nor det.onnx is there");
    models(directory);
    fs::remove_file(directory.join("keys.txt")).unwrap();
    says("@page.png", "keys.txt: no such file");
    models(directory);
    says("@page.png", "page.png: no such file");
    page(&directory.join("page.png"), [10, 200, 20]);
    let whole = fs::read(directory.join("page.png")).unwrap();
    fs::write(directory.join("half.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(directory.join("text.png"), "hello").unwrap();
    fs::write(directory.join("empty.jpg"), "").unwrap();
    fs::write(directory.join("bad.jpg"), [0xFF, 0xD8, 0xFF, 0, 1, 2]).unwrap();
    says("@half.png", "half.png: ");
    says("@text.png", "text.png: neither a PNG nor a JPEG picture");
    says("@empty.jpg", "empty.jpg: neither a PNG nor a JPEG picture");
    says("@bad.jpg", "bad.jpg: JPEG: ");
    says("@page.png --draw @out.jpg", "give a .png file");
    says("@page.png --draw @page.png", "this is the input");
    says(
        "@page.png @page.png --draw @out.png",
        "--draw wants one input",
    );
    // The others are read all the same.
    says("@text.png @page.png", "text.png");
    let out = fs::read_to_string(directory.join("out")).unwrap();
    assert_eq!(out.lines().count(), 1);
    assert!(out.contains("page.png"));
    fs::write(directory.join("keys.txt"), "A\nB\nC\n").unwrap();
    says(
        "@page.png",
        "a recogniser of 3 classes, but 3 characters: 5 or 4 are needed",
    );
    fs::write(
        directory.join("det.onnx"),
        model(&[1, 8, 16, 4], &[1, 8, 16]),
    )
    .unwrap();
    says("@page.png", "det.onnx: a model is needed with one input");
    // An .axmodel comes first.
    fs::write(directory.join("det.axmodel"), model(&[1, 8, 16, 3], &[9])).unwrap();
    says("@page.png", "det.axmodel: the model's output is no map");
}
