// SPDX-License-Identifier: MIT OR Apache-2.0

//! Directories with models for a card that is fake, and what it is asked to run.

use std::path::Path;
use std::sync::Arc;

use ax650::fake::{model_image, FakeCard};
use ax650::proto::axclrpc::engine::{ApiKind, Desc, IoMeta, Meta, OneMeta};
use ax650::proto::axclrpc::{request_body, runtime, Request};
use ax650::Session;
use ax650_llm::{Error, Network};
use prost::Message as _;
use serde_json::{json, Value};

pub const HIDDEN: i32 = 8;
pub const KV: i32 = 4;
pub const CONTEXT: i32 = 16;
pub const PREFILL: i32 = 4;
pub const VOCABULARY: i32 = 296;
pub const BF16: i32 = 14;
pub const U32: i32 = 8;

/// A tensor with a shape for each group, of elements of `bytes`.
pub fn tensor(name: &str, format: i32, bytes: i32, shapes: &[&[i32]]) -> Meta {
    let group = |dims: &&[i32]| OneMeta {
        size: (dims.iter().product::<i32>() * bytes) as u64,
        dims: dims.to_vec(),
        stride: Vec::new(),
    };
    Meta {
        name: name.into(),
        layout: 0,
        format,
        groups: shapes.iter().map(group).collect(),
    }
}

pub fn layer() -> IoMeta {
    let cache: &[i32] = &[1, CONTEXT, KV];
    let both = |one: &'static str, width: i32| {
        tensor(one, BF16, 2, &[&[1, 1, width], &[1, PREFILL, width]])
    };
    let masks: [&[i32]; 2] = [&[1, 1, CONTEXT + 1], &[1, PREFILL, CONTEXT + PREFILL]];
    IoMeta {
        inputs: vec![
            // In another order than the documentation has them: names count.
            both("input", HIDDEN),
            tensor("K_cache", BF16, 2, &[cache, cache]),
            tensor("V_cache", BF16, 2, &[cache, cache]),
            tensor("indices", U32, 4, &[&[1, 1], &[1, PREFILL]]),
            tensor("mask", BF16, 2, &masks),
        ],
        outputs: vec![
            both("K_cache_out", KV),
            both("V_cache_out", KV),
            both("output", HIDDEN),
        ],
    }
}

pub fn head() -> IoMeta {
    IoMeta {
        inputs: vec![tensor("input", BF16, 2, &[&[1, 1, HIDDEN]])],
        outputs: vec![tensor("output", BF16, 2, &[&[1, 1, VOCABULARY]])],
    }
}

pub fn description() -> Value {
    json!({
        "name": "fake", "layers": 2, "hidden_size": HIDDEN, "kv_size": KV, "context": CONTEXT,
        "vocabulary": VOCABULARY, "layer": "l{}", "head": "h", "embeddings": "e", "tokenizer": "t",
        "end_tokens": [2],
    })
}

/// A directory with a model, whose embeddings of a token are its number.
pub fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write =
        |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
    write("model.json", description().to_string().as_bytes());
    write("l0", &model_image(&layer()));
    write("l1", &model_image(&layer()));
    write("h", &model_image(&head()));
    let rows = (0..VOCABULARY).flat_map(|token| [(token % 200) as u8; HIDDEN as usize * 2]);
    write("e", &rows.collect::<Vec<_>>());
    write(
        "t",
        include_bytes!("../../../../tests/data/llm/tiny/tokenizer.json"),
    );
    directory
}

pub fn load(directory: &Path) -> (Arc<FakeCard>, Session, Result<Network, Error>) {
    let fake = FakeCard::new();
    let session = fake.open().session().unwrap();
    let network = Network::load(&session, directory, &mut |_, _| Ok(()));
    (fake, session, network)
}

/// The runs of models among the requests so far: shape group, inputs, outputs.
pub fn runs(fake: &FakeCard) -> Vec<(u64, Vec<Desc>, Vec<Desc>)> {
    let frames = fake.take_requests().into_iter();
    let runs = frames.filter_map(|frame| {
        // Behind the header.
        let request = Request::decode(&frame[ax650::Header::SIZE..]).ok()?;
        let request_body::Kind::Runtime(runtime) = request.body?.kind? else {
            return None;
        };
        let runtime::request_body::Kind::Engine(engine) = runtime.body?.kind? else {
            return None;
        };
        let io = engine.body.clone()?.io?;
        (engine.head?.api == i32::from(ApiKind::RunModel)).then(|| {
            (
                engine.body.unwrap().group.unwrap_or(0),
                io.inputs,
                io.outputs,
            )
        })
    });
    runs.collect()
}
