// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures in chats with a card that is fake, whose models add 1 to bytes: what goes through the layers for them, and what is
//! said of encoders that do not do.

mod support;

use std::path::Path;
use std::sync::Arc;

use ax650::fake::{model_image, FakeCard};
use ax650::proto::axclrpc::engine::{IoMeta, Meta};
use ax650::Part;
use ax650_llm::{generate, Chat, Error, Message, Network, Options, Picture, Prompt};
use serde_json::{json, Value};

use support::{description, directory, load, runs, tensor, BF16, HIDDEN};

const U8: i32 = 4;
const F16: i32 = 13;
const F32: i32 = 15;
/// Tokens of a picture: a piece of four and one of two go through the layers.
const TOKENS: i32 = 6;
const ROWS: &[i32] = &[1, TOKENS, HIDDEN];

fn encoder(input: Meta, output: Meta) -> IoMeta {
    IoMeta {
        inputs: vec![input],
        outputs: vec![output],
    }
}

fn bytes() -> Meta {
    tensor("picture", U8, 1, &[&[1, 4, 8, 3]])
}

fn rows() -> Meta {
    tensor("rows", BF16, 2, &[ROWS])
}

fn vision() -> Value {
    json!({"encoder": "v", "width": 8, "height": 4, "tokens": TOKENS, "image_token": 0})
}

/// A directory with a model that looks at pictures.
fn seeing(vision: Value, encoder: &IoMeta) -> tempfile::TempDir {
    let directory = directory();
    let mut description = description();
    description["vision"] = vision;
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("model.json"), description.to_string()).unwrap();
    std::fs::write(path("v"), model_image(encoder)).unwrap();
    directory
}

fn chat(directory: &Path) -> (Arc<FakeCard>, ax650::Session, Chat) {
    let (fake, session, network) = load(directory);
    let chat = Chat::new(Arc::new(network.unwrap())).unwrap();
    fake.take_requests();
    (fake, session, chat)
}

fn picture(value: u8) -> Picture {
    Picture::new(8, 4, &[value; 8 * 4 * 3]).unwrap()
}

/// What is said to a model without a template: pictures, and text of two tokens.
fn said(chat: &Chat, pictures: &[u8], text: &str) -> Prompt {
    let mut message = Message::new("user", text);
    message.pictures = pictures.iter().map(|value| picture(*value)).collect();
    chat.network().prompt(&[message]).unwrap()
}

/// Runs a prompt and no token more through the model; returns how many of its tokens were known.
fn answer(chat: &mut Chat, prompt: &Prompt) -> usize {
    let options = Options {
        max_tokens: Some(0),
        ..Options::default()
    };
    let answer = generate(chat, prompt, &options, &mut |_| true).unwrap();
    assert_eq!(chat.tokens(), prompt.tokens());
    answer.reused_tokens
}

#[test]
fn rows_of_a_picture_are_the_input_where_they_are() {
    let directory = seeing(vision(), &encoder(bytes(), rows()));
    let (fake, _session, mut chat) = chat(directory.path());
    let prompt = said(&chat, &[40], "xy");
    assert_eq!(prompt.tokens()[..6], [0; 6]);
    assert_eq!(answer(&mut chat, &prompt), 0);
    let all = runs(&fake);
    // The encoder; two layers for each piece of the picture, four and two; those of the text and the head.
    let groups: Vec<_> = all.iter().map(|run| run.0).collect();
    assert_eq!(groups, [0, 1, 1, 1, 1, 1, 1, 0]);
    let (encoded, row) = (&all[0].2[0], HIDDEN as u64 * 2);
    assert_eq!(all[1].1[0].address, encoded.address);
    assert_eq!(all[3].1[0].address, encoded.address + 4 * row);
    assert_ne!(all[5].1[0].address, encoded.address + 6 * row);

    // The same picture is known, with all that comes before something else.
    let other = said(&chat, &[40], "xz");
    assert_eq!(answer(&mut chat, &other), 7);
    assert_eq!(runs(&fake).len(), 3);
    // Another one is not, though its tokens are the same; nor is none.
    let another = said(&chat, &[41], "xz");
    assert_eq!(answer(&mut chat, &another), 0);
    assert_eq!(runs(&fake).len(), 8);
    assert_eq!(answer(&mut chat, &Prompt::new(another.tokens())), 0);
    assert_eq!(answer(&mut chat, &another), 0);
    // Twice the same is encoded once.
    chat.rewind(0);
    runs(&fake);
    let twice = said(&chat, &[7, 7], "x");
    assert_eq!(answer(&mut chat, &twice), 0);
    let encoders = runs(&fake).iter().filter(|run| run.1.len() == 1).count();
    assert_eq!(encoders, 2, "the encoder and the head");
}

/// What goes into the first layer is what the encoder has made, in which the card has added 1 to each byte.
#[test]
fn rows_are_bfloat16_in_the_end() {
    let normal = |mut vision: Value| {
        vision["mean"] = json!([0.5, 0.5, 0.5]);
        vision["std"] = json!([0.5, 0.5, 0.5]);
        vision
    };
    let planes = || tensor("picture", F32, 4, &[&[1, 3, 4, 8]]);
    let pixels = || tensor("picture", F32, 4, &[&[4, 8, 3]]);
    let half = |bits: [u8; 2]| half::bf16::from_le_bytes(bits);
    // 255 is 1.0 normalised, of which the bytes are 00 00 80 3F.
    let float32 = half::bf16::from_f32(f32::from_le_bytes([1, 1, 0x81, 0x40])).to_le_bytes();
    let float16 = half::f16::from_le_bytes([1, 1]).to_f32();
    let float16 = half::bf16::from_f32(float16).to_le_bytes();
    for (vision, input, output, row) in [
        (vision(), bytes(), rows(), [0, 0]),
        (normal(vision()), planes(), rows(), [1, 1]),
        (
            normal(vision()),
            pixels(),
            tensor("rows", F32, 4, &[ROWS]),
            float32,
        ),
        (
            normal(vision()),
            planes(),
            tensor("rows", F16, 2, &[ROWS]),
            float16,
        ),
    ] {
        let kind = output.format;
        let directory = seeing(vision, &encoder(input, output));
        let (fake, session, mut chat) = chat(directory.path());
        let mut prompt = Message::new("user", "");
        prompt.pictures.push(picture(255));
        let prompt = chat.network().prompt(&[prompt]).unwrap();
        assert_eq!(answer(&mut chat, &prompt), 0);
        // Behind the encoder, two layers for each of two pieces, and the head.
        let all = runs(&fake);
        let first = &all[all.len() - 5].1[0];
        let memory = session.buffer(2).unwrap();
        let part = Part::from_card(&memory, 0..2, first.address);
        session.stream().job().then(part).run().unwrap();
        let memory = memory.read().unwrap();
        assert_eq!(half([memory[0], memory[1]]), half(row), "{kind}");
    }
}

#[test]
fn encoders_that_do_not_do_are_told_what_is_wrong() {
    let error = |vision: Value, encoder: &IoMeta| {
        let directory = seeing(vision, encoder);
        load(directory.path()).2.unwrap_err().to_string()
    };
    let with = |field: &str, value: Value| {
        let mut vision = vision();
        vision[field] = value;
        vision
    };
    let normal = {
        let mut vision = with("mean", json!([0, 0, 0]));
        vision["std"] = json!([1, 1, 1]);
        vision
    };
    let input = |kind, width, dims: &[i32]| encoder(tensor("p", kind, width, &[dims]), rows());
    let two = IoMeta {
        inputs: vec![bytes(), bytes()],
        outputs: vec![rows()],
    };
    for (said, says) in [
        (error(vision(), &two), "v: 2 inputs, an encoder has 1"),
        (
            error(vision(), &input(BF16, 2, &[1, 4, 8, 3])),
            "v: tensor `p` is of bf16, not uint8 or fp32",
        ),
        (
            error(vision(), &input(U8, 1, &[1, 3, 4, 8])),
            "v: tensor `p` of uint8 is 1x3x4x8, not 1x4x8x3",
        ),
        (
            error(normal.clone(), &input(F32, 4, &[1, 3, 8, 4])),
            "v: tensor `p` of fp32 is 1x3x8x4, not 1x3x4x8 or 1x4x8x3",
        ),
        (
            error(normal, &encoder(bytes(), rows())),
            "v: tensor `picture` is of uint8, which vision.mean and vision.std are not for",
        ),
        (
            error(vision(), &input(F32, 4, &[1, 3, 4, 8])),
            "v: tensor `p` is of fp32, which wants vision.mean and vision.std",
        ),
        (
            error(vision(), &encoder(bytes(), tensor("rows", U8, 1, &[ROWS]))),
            "v: tensor `rows` is of uint8, not bf16 or fp16 or fp32",
        ),
        (
            error(with("tokens", 5.into()), &encoder(bytes(), rows())),
            "v: tensor `rows` of shape group 0 is 1x6x8, wanted are 40 elements",
        ),
        (
            error(with("image_token", 100.into()), &encoder(bytes(), rows())),
            "model.json: vision.image_token: 100 is none of the added tokens",
        ),
        (
            error(with("encoder", "none".into()), &encoder(bytes(), rows())),
            "none: No such file",
        ),
    ] {
        assert!(said.contains(says), "{said:?} does not say {says:?}");
    }
}

#[test]
fn pictures_that_do_not_go_are_told() {
    let seeing = seeing(vision(), &encoder(bytes(), rows()));
    let (_fake, _session, mut chat) = chat(seeing.path());
    let ask = |chat: &mut Chat, pictures: Vec<Picture>| -> Result<(), Error> {
        let mut message = Message::new("user", "x");
        message.pictures = pictures;
        let prompt = chat.network().prompt(&[message])?;
        generate(chat, &prompt, &Options::default(), &mut |_| true).map(drop)
    };
    let small = Picture::new(1, 1, &[0; 3]).unwrap();
    let said = ask(&mut chat, vec![small]).unwrap_err().to_string();
    assert_eq!(said, "a picture of 1x1 pixels, the model takes 8x4");
    let many = ask(&mut chat, vec![picture(1); 3]).unwrap_err().to_string();
    assert_eq!(
        many,
        "the context is full: 19 tokens, and the model has room for 16"
    );
    let blind = directory();
    let (_fake, _session, network) = load(blind.path());
    let mut chat = Chat::new(Arc::<Network>::new(network.unwrap())).unwrap();
    let said = ask(&mut chat, vec![picture(1)]).unwrap_err().to_string();
    assert_eq!(
        said,
        "fake sees no pictures: its model.json has no `vision`"
    );
}
