// SPDX-License-Identifier: MIT OR Apache-2.0

//! Chats with a card that is fake: its models add 1 to bytes, but what they are given, and when, is as on any other.

mod support;

use std::path::Path;
use std::sync::Arc;

use ax650::fake::model_image;
use ax650::proto::axclrpc::engine::IoMeta;
use ax650_llm::{generate, Chat, End, Options, Prompt, Sampling};
use serde_json::Value;

use support::{description, directory, head, layer, load, runs, CONTEXT, KV, VOCABULARY};

#[test]
fn a_token_is_one_job_and_writes_its_rows_in_place() {
    let directory = directory();
    let (fake, _session, network) = load(directory.path());
    let mut chat = Chat::new(Arc::new(network.unwrap())).unwrap();
    chat.feed(&[7]).unwrap();
    fake.take_requests();
    let submits = fake.submits();
    let logits = chat.feed(&[9]).unwrap();
    assert_eq!(logits.len(), VOCABULARY as usize);
    assert_eq!(fake.submits(), submits + 1);
    // Two layers and the head are sent together, the copy of the logits waits.
    assert_eq!(fake.sent_behind(), [false, true, true, false]);
    let runs = runs(&fake);
    let [(0, inputs, outputs), (0, second_inputs, second_outputs), (0, head, _)] = &runs[..] else {
        panic!("{runs:?}");
    };
    let row = KV as u64 * 2;
    // Inputs in the model's own order: state, keys, values.
    assert_eq!(outputs[0].address, inputs[1].address + row);
    assert_eq!(outputs[1].address, inputs[2].address + row);
    assert_ne!(inputs[1].address, second_inputs[1].address);
    // What a layer puts out, the next one takes in, and the head in the end.
    assert_eq!(outputs[2].address, second_inputs[0].address);
    assert_eq!(second_outputs[2].address, head[0].address);
    // 9, and 1 for each layer and the head.
    assert_eq!(logits[0], half::bf16::from_le_bytes([12, 12]).to_f32());
}

#[test]
fn prompts_go_by_pieces_and_what_is_known_is_not_computed_again() {
    let directory = directory();
    let (fake, _session, network) = load(directory.path());
    let network = Arc::new(network.unwrap());
    let mut chat = Chat::new(network.clone()).unwrap();
    fake.take_requests();
    let submits = fake.submits();
    // 4, 4 and 1, which has a shape group of its own.
    let prompt = [5, 6, 7, 8, 9, 10, 11, 12, 13];
    let logits = chat.feed(&prompt).unwrap();
    assert_eq!(logits[0], half::bf16::from_le_bytes([16, 16]).to_f32());
    assert_eq!(fake.submits(), submits + 3);
    let groups: Vec<_> = runs(&fake).iter().map(|run| run.0).collect();
    assert_eq!(groups, [1, 1, 1, 1, 0, 0, 0]);
    // Two in the group of four: the head takes the state of the second.
    chat.rewind(4);
    let logits = chat.feed(&[20, 21]).unwrap();
    assert_eq!(logits[0], half::bf16::from_le_bytes([24, 24]).to_f32());
    assert_eq!(chat.tokens(), [5, 6, 7, 8, 20, 21]);

    let options = Options {
        max_tokens: Some(1),
        sampling: Sampling::default(),
    };
    let answer = generate(
        &mut chat,
        &Prompt::new([5, 6, 7, 8, 9]),
        &options,
        &mut |_| true,
    )
    .unwrap();
    assert_eq!((answer.reused_tokens, answer.prompt_tokens), (4, 5));
    assert_eq!((answer.end, answer.tokens.len()), (End::Length, 1));
    let answer = generate(
        &mut chat,
        &Prompt::new([5, 6]),
        &Options::default(),
        &mut |_| true,
    )
    .unwrap();
    assert_eq!(answer.end, End::ContextFull);
    // The last one is not in the caches.
    assert_eq!(answer.tokens.len(), CONTEXT as usize - 2 + 1);
    let mut pieces = 0;
    let answer = generate(
        &mut chat,
        &Prompt::new([5]),
        &Options::default(),
        &mut |_| {
            pieces += 1;
            pieces < 4
        },
    );
    let answer = answer.unwrap();
    assert_eq!((answer.end, answer.tokens.len()), (End::Cancelled, 3));
}

#[test]
fn chats_do_not_know_of_each_other() {
    let directory = directory();
    let (fake, _session, network) = load(directory.path());
    let network = Arc::new(network.unwrap());
    let mut chats = [0, 1].map(|_| Chat::new(network.clone()).unwrap());
    fake.take_requests();
    for chat in &mut chats {
        chat.feed(&[3]).unwrap();
    }
    let runs = runs(&fake);
    let of = |run: usize| {
        let (_, inputs, outputs) = &runs[run];
        // Embeddings, mask and index are the model's; all else is the chat's.
        let own = inputs[1..3].iter().chain(outputs);
        own.map(|desc| desc.address).collect::<Vec<_>>()
    };
    assert!(of(0).iter().all(|address| !of(3).contains(address)));
    assert_eq!(runs[0].1[0].address, runs[3].1[0].address);
}

#[test]
fn what_does_not_go_is_said() {
    let directory = directory();
    let (_fake, _session, network) = load(directory.path());
    let mut chat = Chat::new(Arc::new(network.unwrap())).unwrap();
    let mut error = |tokens: &[u32]| chat.feed(tokens).unwrap_err().to_string();
    assert_eq!(error(&[]), "no tokens");
    assert_eq!(
        error(&[296]),
        "token 296: the model has 296 of them, from 0"
    );
    assert_eq!(
        error(&[1; 17]),
        "the context is full: 17 tokens, and the model has room for 16"
    );
    // Nothing of that has been taken.
    assert!(chat.tokens().is_empty());
    assert!(chat.feed(&[1; 16]).is_ok());
}

/// Each part of a directory that is not as it has to be is named.
#[test]
fn bad_directories_are_told_what_is_wrong() {
    let error = |change: &dyn Fn(&Path)| {
        let directory = directory();
        change(directory.path());
        load(directory.path()).2.unwrap_err().to_string()
    };
    let write = |name: &'static str, model: IoMeta| {
        move |path: &Path| std::fs::write(path.join(name), model_image(&model)).unwrap()
    };
    let with = |change: &dyn Fn(&mut IoMeta)| {
        let mut model = layer();
        change(&mut model);
        model
    };
    let described = |field: &'static str, value: Value| {
        move |path: &Path| {
            let mut description = description();
            description[field] = value.clone();
            std::fs::write(path.join("model.json"), description.to_string()).unwrap();
        }
    };
    let shapes = |model: &mut IoMeta, tensor: usize, dims: &[i32]| {
        let group = &mut model.inputs[tensor].groups[0];
        group.dims = dims.to_vec();
        group.size = dims.iter().product::<i32>() as u64 * 2;
    };
    let cases: Vec<(String, &str)> = vec![
        (
            error(&|path| std::fs::remove_file(path.join("l1")).unwrap()),
            "l1: No such file",
        ),
        (
            error(&|path| std::fs::remove_file(path.join("model.json")).unwrap()),
            "model.json: No such",
        ),
        (
            error(&|path| std::fs::write(path.join("e"), [0; 5]).unwrap()),
            "e: 5 bytes, but 296 rows",
        ),
        (
            error(&|path| std::fs::write(path.join("t"), "{").unwrap()),
            "t: no tokenizer",
        ),
        (
            error(&|path| std::fs::write(path.join("l1"), "no model").unwrap()),
            "l1",
        ),
        (
            error(&|path| std::fs::write(path.join("h"), "").unwrap()),
            "h: a model cannot be empty",
        ),
        (
            error(&described("chat_template", "{% for %}".into())),
            "chat template: syntax error",
        ),
        (
            error(&described("context", 15.into())),
            "shape group 0 must be for one token with a cache of `context` 15",
        ),
        (error(&described("kv_size", 5.into())), "with kv_size 5"),
        (
            error(&described("kv_size", 8.into())),
            "mask` of shape group 0 is 1x1x17, wanted are 9 elements",
        ),
        (error(&write("l0", head())), "l0: 1 inputs, a layer has 5"),
        (
            error(&write("h", layer())),
            "h: 5 inputs and 3 outputs, a head has one of each",
        ),
        (
            error(&write(
                "l0",
                with(&|model| model.inputs[1].name = "keys".into()),
            )),
            "l0: no tensor `K_cache`; there are: input, keys, V_cache, indices, mask",
        ),
        (
            error(&write("l0", with(&|model| model.inputs[3].format = 7))),
            "l0: tensor `indices` is of int32, not uint32",
        ),
        (
            error(&write("l0", with(&|model| model.outputs[2].format = 15))),
            "l0: tensor `output` is of fp32, not bf16",
        ),
        (
            error(&write("l0", with(&|model| shapes(model, 4, &[1, 1, 16])))),
            "l0: tensor `mask` of shape group 0 is 1x1x16, wanted are 17 elements",
        ),
        (
            error(&write("l0", with(&|model| shapes(model, 2, &[1, 8, 4])))),
            "l0: tensor `V_cache` of shape group 0 is 1x8x4, wanted are 64",
        ),
        (
            error(&write(
                "l1",
                with(&|model| {
                    for tensor in model.inputs.iter_mut().chain(&mut model.outputs) {
                        tensor.groups.truncate(1);
                    }
                }),
            )),
            "l1: its shape groups are",
        ),
    ];
    for (said, says) in cases {
        assert!(said.contains(says), "{said:?} does not say {says:?}");
    }
}
