// SPDX-License-Identifier: MIT OR Apache-2.0

//! Language models that look at pictures: `ax650-llm` with a small one of random weights, whose tokens are those that ONNX Runtime
//! on the CPU gives (tests/llm/README.md).

use anyhow::{ensure, Context as _, Result};
use serde_json::Value;

use crate::ax650_llm::{json_of, model_file, run, write, ModelFile};
use crate::case::{Context, STOCK};

crate::cases!["llm":
    what_is_seen_is_what_onnx_runtime_sees { timeout_s: 60 },
    normalised_pictures_are_seen_alike { timeout_s: 60, kernels: STOCK },
    what_cannot_be_seen_is_said { timeout_s: 60, kernels: STOCK },
];

const HOME: &str = "/tmp/llm/vision";
const BLIND: &str = "/tmp/llm/blind";

const FILES: [ModelFile; 12] = [
    model_file!("vision", "model.json"),
    model_file!("vision", "tokenizer.json"),
    model_file!("vision", "embeddings.bf16"),
    model_file!("vision", "head.onnx"),
    model_file!("vision", "layer_0.onnx"),
    model_file!("vision", "layer_1.onnx"),
    model_file!("vision", "encoder.onnx"),
    model_file!("vision", "encoder_float.onnx"),
    model_file!("vision", "squares.png"),
    model_file!("vision", "disk.png"),
    model_file!("vision", "turned.jpg"),
    model_file!("vision", "clear.png"),
];

/// What `vision` says of the encoder that takes normalised pictures.
const NORMAL: &str = include_str!("../../../data/llm/vision/normal.json");

/// What ONNX Runtime on the CPU answers: with a picture each, with two, and with none.
const REFERENCE: &str = include_str!("../../../data/llm/vision.jsonl");

/// Writes a model whose description is changed.
fn write_model(home: &str, change: impl Fn(&mut Value) -> Result<()>) -> Result<()> {
    write(home, &FILES)?;
    let mut description: Value = serde_json::from_slice(FILES[0].1)?;
    change(&mut description)?;
    std::fs::write(format!("{home}/model.json"), description.to_string())?;
    Ok(())
}

/// Asks all that ONNX Runtime was asked, and compares.
fn compare() -> Result<()> {
    let mut answers = Vec::new();
    for line in REFERENCE.lines() {
        let want: Value = serde_json::from_str(line)?;
        let none = Vec::new();
        let names = want["images"].as_array().unwrap_or(&none).iter();
        let names = names.map(|name| Some(format!("{HOME}/{}", name.as_str()?)));
        let names: Vec<String> = names.collect::<Option<_>>().context("images")?;
        let user = want["user"].as_str().context("user")?;
        let count = want["answer"].as_array().context("answer")?.len();
        let count = count.to_string();
        let mut args = vec!["run", HOME, "-q", "--prompt", user, "-n", &count, "--json"];
        for name in &names {
            args.extend(["--image", name]);
        }
        let have = json_of(&args)?;
        ensure!(have["tokens"] == want["answer"], "{line}: {have}");
        ensure!(have["text"] == want["text"], "{line}: {have}");
        answers.push(have["tokens"].clone());
    }
    ensure!(answers.len() == 6, "vision.jsonl");
    for (at, one) in answers.iter().enumerate() {
        let is_other = |other: &Value| other != one;
        ensure!(answers[at + 1..].iter().all(is_other), "{answers:?}");
    }
    Ok(())
}

fn what_is_seen_is_what_onnx_runtime_sees(_: &mut Context) -> Result<()> {
    write_model(HOME, |_| Ok(()))?;
    compare()
}

/// The same encoder with other types: float32 goes to the card, colour by colour, and comes back.
fn normalised_pictures_are_seen_alike(_: &mut Context) -> Result<()> {
    let normal: Value = serde_json::from_str(NORMAL)?;
    write_model(HOME, |description| {
        let vision = description["vision"].as_object_mut().context("vision")?;
        vision.extend(normal.as_object().context("normal.json")?.clone());
        Ok(())
    })?;
    compare()
}

fn what_cannot_be_seen_is_said(_: &mut Context) -> Result<()> {
    write_model(HOME, |_| Ok(()))?;
    write_model(BLIND, |description| {
        let fields = description.as_object_mut().context("an object")?;
        fields.remove("vision").map(drop).context("vision")
    })?;
    let at = |name: &str| format!("{HOME}/{name}");
    let (squares, text, none) = (at("squares.png"), at("model.json"), at("none.png"));
    let cut = at("cut.png");
    let whole = std::fs::read(&squares)?;
    std::fs::write(&cut, &whole[..60])?;
    let many = ["-i", &squares].repeat(5);
    let ask = |home, image| vec![home, "-p", "a", "-i", image];
    for (args, code, says) in [
        (
            ask(BLIND, &squares),
            2,
            "tiny-vision sees no pictures: its model.json has no",
        ),
        (ask(HOME, &none), 1, "none.png: no such file"),
        (
            ask(HOME, &text),
            1,
            "model.json: neither a PNG nor a JPEG picture",
        ),
        (ask(HOME, &cut), 1, "cut.png: "),
        (ask(HOME, "/tmp"), 1, "/tmp: "),
        (
            [&[HOME, "-p", "a"], &many[..]].concat(),
            1,
            "the context is full: 106 tokens, and the model has room for 96",
        ),
        (
            vec![HOME, "-p", "an <image>"],
            2,
            "the conversation has 1 times token 3, which stands for pictures",
        ),
    ] {
        let output = run(&[&["run", "-q"], &args[..]].concat())?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.code() == Some(code) && said.contains(says) && output.stdout.is_empty(),
            "{args:?}: {:?} {said}",
            output.status
        );
    }
    Ok(())
}
