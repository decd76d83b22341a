// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 ocr` with small models that read coloured bars: see tests/onnx/reader.py.

use std::process::{Command, Output};

use anyhow::{ensure, Context as _, Result};
use serde_json::Value;

use crate::case::{Context, STOCK};
use crate::client::canary;

crate::cases!["reading":
    text_of_pages { kernels: STOCK },
    bad_pages_and_models { kernels: STOCK },
];

const HOME: &str = "/tmp/reading";
const FILES: [(&str, &[u8]); 7] = [
    (
        "det.onnx",
        include_bytes!("../../../../userlib/tests/data/reader/det.onnx"),
    ),
    (
        "cls.onnx",
        include_bytes!("../../../../userlib/tests/data/reader/cls.onnx"),
    ),
    (
        "rec.onnx",
        include_bytes!("../../../../userlib/tests/data/reader/rec.onnx"),
    ),
    (
        "keys.txt",
        include_bytes!("../../../../userlib/tests/data/reader/keys.txt"),
    ),
    (
        "page.png",
        include_bytes!("../../../../userlib/tests/data/reader/page.png"),
    ),
    (
        "page.jpg",
        include_bytes!("../../../../userlib/tests/data/reader/page.jpg"),
    ),
    (
        "turned.png",
        include_bytes!("../../../../userlib/tests/data/reader/turned.png"),
    ),
];

/// Text, and its corners as OpenCV's `minAreaRect` has them, clockwise from where the line begins or ends.
type Line = (&'static str, [(f64, f64); 4]);

/// The upright one is above the other that is as high, to its left; one is upside down.
const PAGE: [Line; 4] = [
    (
        "rgb",
        [(59.0, 19.0), (141.0, 19.0), (141.0, 61.0), (59.0, 61.0)],
    ),
    (
        "ccmmbb",
        [(187.0, 21.0), (333.0, 21.0), (333.0, 67.0), (187.0, 67.0)],
    ),
    (
        "gg rr",
        [(97.0, 97.0), (223.0, 97.0), (223.0, 143.0), (97.0, 143.0)],
    ),
    (
        "mb",
        [(60.0, 180.0), (120.0, 180.0), (120.0, 220.0), (60.0, 220.0)],
    ),
];
const TURNED: [Line; 3] = [
    (
        "rgbcm",
        [(64.0, 25.0), (186.0, 51.0), (177.0, 95.0), (54.0, 69.0)],
    ),
    // The model of angles has turned it.
    (
        "brbr",
        [(82.0, 128.0), (82.0, 232.0), (38.0, 232.0), (38.0, 128.0)],
    ),
    (
        "mmrr g",
        [
            (176.0, 170.0),
            (306.0, 110.0),
            (324.0, 150.0),
            (194.0, 210.0),
        ],
    ),
];

fn home() -> Result<()> {
    std::fs::create_dir_all(HOME)?;
    for (name, bytes) in FILES {
        std::fs::write(format!("{HOME}/{name}"), bytes)?;
    }
    Ok(())
}

fn ocr(arguments: &str) -> Result<Output> {
    let models = if arguments.contains("-m ") {
        ""
    } else {
        "-m ."
    };
    let line = format!("ocr -q {models} {arguments}");
    let mut command = Command::new("/bin/ax650");
    let command = command.args(line.split_whitespace()).current_dir(HOME);
    command.output().context(line)
}

fn read(arguments: &str) -> Result<Vec<Value>> {
    let output = ocr(arguments)?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments}: {told}");
    let text = String::from_utf8(output.stdout)?;
    let lines = text.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>()?)
}

fn check(read: &Value, wanted: &[Line]) -> Result<()> {
    let lines = read["lines"].as_array().context("no lines")?;
    let texts: Vec<_> = lines.iter().map(|line| line["text"].as_str()).collect();
    let right: Vec<_> = wanted.iter().map(|(text, _)| Some(*text)).collect();
    ensure!(texts == right, "{texts:?}, not {right:?}");
    for (line, (text, corners)) in lines.iter().zip(wanted) {
        ensure!(line["score"].as_f64() > Some(0.8), "{line}");
        for (at, (x, y)) in corners.iter().enumerate() {
            let have = |which: usize| line["box"][at][which].as_f64().unwrap_or(-99.0);
            let (right, below) = (have(0) - x, have(1) - y);
            ensure!(right.hypot(below) < 4.0, "{text}: corner {at} of {line}");
        }
    }
    Ok(())
}

fn text_of_pages(_: &mut Context) -> Result<()> {
    home()?;
    let pages = read("page.png page.jpg turned.png")?;
    ensure!(pages.len() == 3, "{} pages", pages.len());
    for (page, (name, wanted)) in pages.iter().zip([
        ("page.png", &PAGE[..]),
        ("page.jpg", &PAGE),
        ("turned.png", &TURNED),
    ]) {
        ensure!(page["input"] == name, "{page}, not {name}");
        ensure!(page["width"] == 384 && page["height"] == 256, "{page}");
        check(page, wanted).context(name)?;
    }
    // Without the model of angles what is upside down is read backwards.
    std::fs::remove_file(format!("{HOME}/cls.onnx"))?;
    let pages = read("page.png --draw drawn.png --tensors tensors --force")?;
    let last = &pages[0]["lines"][3]["text"];
    ensure!(last != "mb", "{last}");
    let drawn = std::fs::read(format!("{HOME}/drawn.png"))?;
    ensure!(drawn.starts_with(b"\x89PNG") && drawn != FILES[4].1);
    let index = std::fs::read_to_string(format!("{HOME}/tensors/index.tsv"))?;
    let models: Vec<_> = index.lines().map(|line| &line[..3]).collect();
    ensure!(models == ["det", "rec", "rec", "rec", "rec"], "{models:?}");
    canary(0)
}

fn bad_pages_and_models(_: &mut Context) -> Result<()> {
    home()?;
    let write = |name: &str, bytes: &[u8]| std::fs::write(format!("{HOME}/{name}"), bytes);
    for (name, whole) in [("half.png", FILES[4].1), ("half.jpg", &FILES[5].1[..600])] {
        write(name, &whole[..whole.len() / 2])?;
    }
    write("text", b"hello")?;
    for (arguments, words) in [
        ("nothing.png", "nothing.png: no such file"),
        ("half.png", "half.png: "),
        ("half.jpg", "half.jpg: "),
        ("text", "text: neither a PNG nor a JPEG picture"),
        (
            "page.png -m /tmp/nothing",
            "/tmp/nothing: neither det.axmodel nor det.onnx",
        ),
        ("page.png --draw out.jpg", "out.jpg: give a .png file"),
        ("page.png page.jpg --draw out.png", "--draw wants one input"),
        ("page.png -o keys.txt", "keys.txt: it exists"),
    ] {
        let output = ocr(arguments)?;
        let told = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        ensure!(
            matches!(code, Some(1 | 2 | 6)),
            "{arguments}: {code:?}: {told}"
        );
        ensure!(
            told.contains(words) && !told.contains("panicked"),
            "{arguments}: {told}"
        );
    }
    // The first output of the detector is no map of the page.
    std::fs::copy(format!("{HOME}/cls.onnx"), format!("{HOME}/det.onnx"))?;
    let output = ocr("page.png")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(1) && told.lines().count() == 1,
        "{told}"
    );
    canary(0)
}
