// SPDX-License-Identifier: MIT OR Apache-2.0

//! Speech with a card that is fake: what models are given, and where, and what is said of directories that do not do.

#![cfg(feature = "speech")]

use std::path::Path;
use std::sync::Arc;

use ax650::fake::{model_image, FakeCard};
use ax650::proto::axclrpc::engine::{IoMeta, Meta, OneMeta};
use ax650_llm::speech::{transcribe, Speech};
use ax650_llm::Error;
use serde_json::{json, Value};

const AUDIO: i32 = 4;
const STATE: i32 = 8;
const LAYERS: i32 = 2;
const CONTEXT: i32 = 16;
const VOCABULARY: i32 = 320;
const FIRST: i32 = 2;
const ROW: i32 = LAYERS * STATE;
const U32: i32 = 8;
const F16: i32 = 13;
const BF16: i32 = 14;
const F32: i32 = 15;

fn tensor(name: &str, format: i32, bytes: i32, dims: &[i32]) -> Meta {
    Meta {
        name: name.into(),
        layout: 0,
        format,
        groups: vec![OneMeta {
            size: (dims.iter().product::<i32>() * bytes) as u64,
            dims: dims.to_vec(),
            stride: Vec::new(),
        }],
    }
}

fn half(name: &str, dims: &[i32]) -> Meta {
    tensor(name, F16, 2, dims)
}

fn encoder() -> IoMeta {
    IoMeta {
        inputs: vec![tensor("mel", F32, 4, &[1, 80, 2 * AUDIO])],
        outputs: vec![half("audio", &[1, AUDIO, STATE])],
    }
}

fn first_run() -> IoMeta {
    IoMeta {
        inputs: vec![
            half("audio", &[1, AUDIO, STATE]),
            tensor("tokens", U32, 4, &[1, FIRST]),
        ],
        outputs: vec![
            tensor("logits", F32, 4, &[1, FIRST, VOCABULARY]),
            half("cross_k", &[1, AUDIO, ROW]),
            half("cross_v", &[1, AUDIO, ROW]),
            half("self_k_out", &[1, FIRST, ROW]),
            half("self_v_out", &[1, FIRST, ROW]),
        ],
    }
}

fn later_run() -> IoMeta {
    IoMeta {
        inputs: vec![
            tensor("token", U32, 4, &[1, 1]),
            tensor("position", U32, 4, &[1, 1]),
            tensor("mask", BF16, 2, &[1, 1, CONTEXT + 1]),
            half("cross_k", &[1, AUDIO, ROW]),
            half("cross_v", &[1, AUDIO, ROW]),
            half("self_k", &[1, CONTEXT, ROW]),
            half("self_v", &[1, CONTEXT, ROW]),
        ],
        outputs: vec![
            tensor("logits", F32, 4, &[1, 1, VOCABULARY]),
            half("self_k_out", &[1, 1, ROW]),
            half("self_v_out", &[1, 1, ROW]),
        ],
    }
}

fn description() -> Value {
    json!({
        "name": "fake", "mels": 80, "audio_context": AUDIO, "state": STATE, "layers": LAYERS, "context": CONTEXT,
        "vocabulary": VOCABULARY, "encoder": "e", "main": "m", "loop": "l", "tokenizer": "t",
        "tokens": {"end": 300, "start": 301, "no_speech": 302, "timestamps": 310},
        "suppress": [301, 302], "suppress_first": [300],
    })
}

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write =
        |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
    write("speech.json", description().to_string().as_bytes());
    write("e", &model_image(&encoder()));
    write("m", &model_image(&first_run()));
    write("l", &model_image(&later_run()));
    write(
        "t",
        include_bytes!("../../../tests/data/llm/tiny/tokenizer.json"),
    );
    directory
}

fn load(directory: &Path) -> (Arc<FakeCard>, Result<Speech, Error>) {
    let fake = FakeCard::new();
    let session = fake.open().session().unwrap();
    let speech = Speech::load(&session, directory, &mut |_, _| Ok(()));
    (fake, speech)
}

/// A window is a job, as is each token behind it: all that were chosen, but for the last if the caches are full.
#[test]
fn windows_and_tokens_are_a_job_each() {
    let directory = directory();
    let (fake, speech) = load(directory.path());
    let speech = Arc::new(speech.unwrap());
    // A window and a frame.
    let sound = vec![0.5; (2 * AUDIO as usize + 1) * 160];
    // How many jobs there were whenever it is asked whether to go on.
    let mut jobs = Vec::new();
    let found = transcribe(&speech, &sound, None, &mut |_| {
        jobs.push(fake.submits());
        true
    });
    let found = found.unwrap();
    let lengths = found.windows.iter().map(|window| window.tokens.len());
    let later: usize = lengths.map(|count| count.min(CONTEXT as usize - 1)).sum();
    assert_eq!(found.windows.len(), 2, "{found:?}");
    assert_eq!(jobs.len(), found.windows.len() + later, "{found:?}");
    assert!(
        jobs.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{jobs:?}"
    );
    let tokens = &found.windows[0].tokens;
    assert!(tokens.iter().all(|token| *token < 315), "{tokens:?}");
    assert!(matches!(
        transcribe(&speech, &sound, None, &mut |_| false),
        Err(Error::Cancelled)
    ));
    let error = transcribe(&speech, &sound[..100], None, &mut |_| true).unwrap_err();
    assert_eq!(error.to_string(), "less than 10 ms of sound");
    let error = transcribe(&speech, &sound, Some("en"), &mut |_| true).unwrap_err();
    assert_eq!(
        error.to_string(),
        "language \"en\": this model has no choice of languages"
    );
}

/// Each part of a directory that is not as it has to be is named.
#[test]
fn bad_directories_are_told_what_is_wrong() {
    let error = |change: &dyn Fn(&Path)| {
        let directory = directory();
        change(directory.path());
        load(directory.path()).1.unwrap_err().to_string()
    };
    let with = |name: &'static str, model: IoMeta, change: &dyn Fn(&mut IoMeta)| {
        let mut model = model;
        change(&mut model);
        error(&|path| std::fs::write(path.join(name), model_image(&model)).unwrap())
    };
    let sized = |tensor: &mut Meta, dims: &[i32]| {
        let group = &mut tensor.groups[0];
        let bytes = group.size / group.dims.iter().product::<i32>() as u64;
        group.dims = dims.to_vec();
        group.size = dims.iter().product::<i32>() as u64 * bytes;
    };
    for (said, says) in [
        (
            error(&|path| std::fs::remove_file(path.join("speech.json")).unwrap()),
            "speech.json: No such file",
        ),
        (
            error(&|path| std::fs::remove_file(path.join("l")).unwrap()),
            "l: No such file",
        ),
        (
            error(&|path| std::fs::write(path.join("t"), "{").unwrap()),
            "t: no tokenizer",
        ),
        (
            with("e", first_run(), &|_| ()),
            "e: 2 inputs, an encoder has 1",
        ),
        (
            with("e", encoder(), &|model| {
                sized(&mut model.inputs[0], &[1, 80, 9])
            }),
            "e: tensor `mel` of shape group 0 is 1x80x9, wanted are 640 elements",
        ),
        (
            with("e", encoder(), &|model| model.inputs[0].format = U32),
            "e: tensor `mel` is of uint32, not fp32",
        ),
        (
            with("m", first_run(), &|model| {
                sized(&mut model.inputs[1], &[1, 17])
            }),
            "m: tensor `tokens` is 1x17, wanted are 1 to 16 elements",
        ),
        (
            with("m", first_run(), &|model| model.inputs[0].format = BF16),
            "m: tensor `audio` is of bf16, not fp16",
        ),
        (
            with("m", first_run(), &|model| {
                model.outputs[1].name = "k".into()
            }),
            "m: no tensor `cross_k`; there are: logits, k, cross_v",
        ),
        (
            with("m", first_run(), &|model| {
                sized(&mut model.outputs[3], &[1, 2, 8])
            }),
            "m: tensor `self_k_out` of shape group 0 is 1x2x8, wanted are 32 elements",
        ),
        (
            with("l", later_run(), &|model| model.inputs[5].format = BF16),
            "l: tensor `self_k` is of bf16, not fp16",
        ),
        (
            with("l", later_run(), &|model| {
                sized(&mut model.inputs[2], &[1, 1, 16])
            }),
            "l: tensor `mask` of shape group 0 is 1x1x16, wanted are 17 elements",
        ),
        (
            with("l", later_run(), &|model| {
                sized(&mut model.outputs[0], &[1, 1, 319])
            }),
            "l: tensor `logits` of shape group 0 is 1x1x319, wanted are 320 elements",
        ),
    ] {
        assert!(said.contains(says), "{said:?} does not say {says:?}");
    }
}
