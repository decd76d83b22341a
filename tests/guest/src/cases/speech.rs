// SPDX-License-Identifier: MIT OR Apache-2.0

//! Speech: `ax650-llm transcribe` with a small Whisper of random weights, whose tokens are those that ONNX Runtime on the CPU
//! gives (tests/llm/README.md).

use anyhow::{ensure, Context as _, Result};
use serde_json::Value;

use crate::ax650_llm::{json_of, model_file, run, text_of, write, ModelFile};
use crate::case::{Context, STOCK};

crate::cases!["speech":
    what_is_heard_is_what_onnx_runtime_hears { timeout_s: 60 },
    a_window_and_a_token_are_a_job_each { timeout_s: 60, kernels: STOCK },
    what_cannot_be_transcribed_is_said { timeout_s: 60, kernels: STOCK },
];

const HOME: &str = "/tmp/speech";

const FILES: [ModelFile; 6] = [
    model_file!("speech", "speech.json"),
    model_file!("speech", "tokenizer.json"),
    model_file!("speech", "encoder.onnx"),
    model_file!("speech", "main.onnx"),
    model_file!("speech", "loop.onnx"),
    model_file!("speech", "tones.wav"),
];

/// What ONNX Runtime on the CPU hears: in the language that it finds, then in English.
const REFERENCE: &str = include_str!("../../../data/llm/speech.jsonl");

/// Bytes of a spectrum and its prompt, and of the logits of a token.
const TO_CARD: u64 = (80 * 200 + 4) * 4;
const LOGITS: u64 = 402 * 4;

fn write_model() -> Result<String> {
    write(HOME, &FILES)?;
    Ok(format!("{HOME}/tones.wav"))
}

/// Adds what all calls have in common.
fn transcribe<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["transcribe", "-q"], args].concat()
}

fn heard(args: &[&str]) -> Result<Value> {
    json_of(&transcribe(&[args, &["--json"]].concat()))
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a Vec<Value>> {
    value[name].as_array().context("no list")
}

fn what_is_heard_is_what_onnx_runtime_hears(_: &mut Context) -> Result<()> {
    let sound = write_model()?;
    let languages = [&[][..], &["--language", "en"]];
    ensure!(REFERENCE.lines().count() == languages.len(), "speech.jsonl");
    for (want, language) in REFERENCE.lines().zip(languages) {
        let want: Value = serde_json::from_str(want)?;
        let args = [&[HOME, sound.as_str()], language].concat();
        let have = heard(&args)?;
        for what in ["language", "segments", "text"] {
            ensure!(have[what] == want[what], "{what}: {have} {want}");
        }
        let tokens = |of| -> Result<Vec<Value>> {
            let windows = list(of, "windows")?.iter();
            Ok(windows.map(|window| window["tokens"].clone()).collect())
        };
        ensure!(tokens(&have)? == tokens(&want)?, "{have} {want}");
        // For people: a line for each segment.
        let lines = text_of(&transcribe(&args))?;
        let segments = list(&want, "segments")?;
        let starts = lines.matches("[00:0").count();
        ensure!(starts == segments.len(), "{lines} {want}");
        let (start, end) = (&segments[0]["start"], &segments[0]["end"]);
        let (start, end) = (start.as_f64(), end.as_f64());
        let (start, end) = (start.context("start")?, end.context("end")?);
        let begin = format!("[00:{start:06.3} --> 00:{end:06.3}] ");
        ensure!(lines.starts_with(&begin), "{begin}: {lines}");
    }
    Ok(())
}

/// Caches stay on the card: a window copies its spectrum and the prompt, a token nothing to the card; logits come back.
fn a_window_and_a_token_are_a_job_each(_: &mut Context) -> Result<()> {
    let sound = write_model()?;
    let report = heard(&[HOME, &sound, "--language", "en"])?;
    eprintln!("{report:#}");
    let windows = list(&report, "windows")?;
    let mut later = 0;
    for window in windows {
        // Three of the prompt are in the caches of 40, and all but the last of those that were chosen when they are full.
        later += list(window, "tokens")?.len().min(37) as u64;
    }
    let (windows, cost) = (windows.len() as u64, |what: &str| {
        report["costs"][what].as_f64().context("a number")
    });
    ensure!(
        cost("bytes_to_card")? == (windows * TO_CARD) as f64,
        "{report}"
    );
    let from = (2 * windows + later) * LOGITS;
    ensure!(cost("bytes_from_card")? == from as f64, "{from}: {report}");
    // A call and a copy for each token, and what a busy machine rings besides; what a window needs comes to some more, and so do
    // the caches that are zeroed first.
    let most = (3 * later + 12 * windows + 16) as f64;
    ensure!(cost("doorbells")? < most, "{most}: {report}");
    Ok(())
}

fn what_cannot_be_transcribed_is_said(_: &mut Context) -> Result<()> {
    let sound = write_model()?;
    let other = format!("{HOME}/other");
    write(&other, &FILES)?;
    // The decoder's two models in each other's place.
    std::fs::rename(format!("{other}/main.onnx"), format!("{other}/x"))?;
    std::fs::rename(format!("{other}/loop.onnx"), format!("{other}/main.onnx"))?;
    std::fs::write(format!("{HOME}/empty.wav"), "")?;
    std::fs::rename(format!("{other}/x"), format!("{other}/loop.onnx"))?;
    let (model, empty) = (format!("{HOME}/speech.json"), format!("{HOME}/empty.wav"));
    for (args, code, says) in [
        (&[HOME, "/nowhere.wav"][..], 1, "/nowhere.wav: no such file"),
        (&[HOME, &model], 1, "speech.json: no WAV file"),
        (&[HOME, &empty], 1, "empty.wav: the file is empty"),
        (&["/tmp", &sound], 1, "/tmp/speech.json: no such file"),
        (&[HOME, &sound, "-l", "xx"], 2, "the model knows de, en, fr"),
        (
            &[&other, &sound],
            1,
            "main.onnx: 7 inputs, the decoder's first run has 2",
        ),
    ] {
        let output = run(&transcribe(args))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.code() == Some(code) && said.contains(says) && output.stdout.is_empty(),
            "{args:?}: {:?} {said}",
            output.status
        );
    }
    Ok(())
}
