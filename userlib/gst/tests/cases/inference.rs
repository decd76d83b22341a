// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650infer`: tensors out of pictures.

use std::time::Instant;

use ax650::{Card, Model};
use gst::prelude::*;

use crate::kit::{Pipeline, LIMIT};

const SOURCE: &str =
    "videotestsrc num-buffers=3 pattern=gradient ! video/x-raw,format=RGB,framerate=25/1";

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
        .collect()
}

/// The size of the pictures is negotiated with the model; each tensor is a memory of the buffer, with the numbers that the
/// picture makes.
pub fn a_model_sees_each_picture() {
    let pipeline = Pipeline::new(&format!(
        "{SOURCE} ! tee name=t  t. ! queue ! appsink name=raw sync=false  \
         t. ! queue ! ax650infer model=/share/in/picture.onnx mean=<1.0,2.0,3.0> scale=<0.5,0.25,0.125> ! appsink name=sink sync=false"
    ));
    let raw: gst_app::AppSink = pipeline.element("raw").downcast().unwrap();
    let sink = pipeline.sink();
    pipeline.play();
    let mut times = Vec::new();
    for _ in 0..3 {
        let picture = raw.try_pull_sample(LIMIT).expect("a picture");
        let tensors = sink.try_pull_sample(LIMIT).expect("tensors");
        let rgb = picture.buffer().unwrap().map_readable().unwrap();
        assert_eq!(rgb.len(), 3 * 48 * 32, "the size was not negotiated");
        let caps = tensors.caps().unwrap().structure(0).unwrap();
        assert_eq!(
            caps.get::<String>("tensors").unwrap(),
            "y:fp32:1x3x32x48;square:fp32:1x3x32x48"
        );
        let buffer = tensors.buffer().unwrap();
        assert_eq!(buffer.n_memory(), 2);
        let numbers = |at| floats(&buffer.peek_memory(at).map_readable().unwrap());
        let (plus_one, square) = (numbers(0), numbers(1));
        for (at, plus_one) in plus_one.iter().enumerate() {
            let (channel, pixel) = (at / (48 * 32), at % (48 * 32));
            let scale = [0.5, 0.25, 0.125][channel];
            let x = (f32::from(rgb[3 * pixel + channel]) - (channel + 1) as f32) * scale;
            assert!(
                (plus_one - (x + 1.0)).abs() < 1e-4,
                "{at}: {plus_one} of {x}"
            );
            assert!(
                (square[at] - x * x).abs() < 1e-2,
                "{at}: {} of {x}",
                square[at]
            );
        }
        times.push((buffer.pts(), picture.buffer().unwrap().pts()));
    }
    assert!(times.iter().all(|(tensors, picture)| tensors == picture));
    pipeline.wait().unwrap();
}

/// What is no model, or none for pictures of that kind, is an error in the library's words.
pub fn a_bad_model_is_named() {
    for (model, words) in [
        ("", "names no model"),
        ("model=/share/in/none", "/share/in/none: "),
        ("model=/share/in/clip.mp4", "model"),
    ] {
        let pipeline = Pipeline::new(&format!("{SOURCE} ! ax650infer {model} ! fakesink"));
        pipeline.play();
        let error = pipeline.wait().expect_err("that is no model");
        assert!(error.contains(words), "{model}: {error}");
    }
}

/// What the driver has counted so far.
fn counted(card: &Card) -> [u64; 6] {
    let counters = card.counters().unwrap().0;
    [
        counters.messages_sent,
        counters.messages_received,
        counters.doorbells,
        counters.interrupts,
        counters.bytes_to_card,
        counters.bytes_from_card,
    ]
}

/// Counts and microseconds of `work`: the cheapest of five, as heartbeats come in between.
fn cost(card: &Card, mut work: impl FnMut()) -> ([u64; 6], f64) {
    let measured = (0..5).map(|_| {
        let (before, begin) = (counted(card), Instant::now());
        work();
        let time = begin.elapsed().as_secs_f64() * 1e6;
        let mut counts = counted(card);
        for (now, then) in counts.iter_mut().zip(before) {
            *now -= then;
        }
        (counts, time)
    });
    let (counts, times): (Vec<_>, Vec<_>) = measured.unzip();
    let least = times.into_iter().fold(f64::MAX, f64::min);
    (counts.into_iter().min().unwrap(), least)
}

/// An inference costs the same messages, bells and bytes by the element as by the crate.
pub fn overhead() {
    const FEW: u32 = 10;
    const MANY: u32 = 60;
    let card = Card::open_first().unwrap();
    let session = card.session().unwrap();
    let model = Model::load_file(&session, "/share/in/picture.onnx").unwrap();
    let binding = model.bind(0).unwrap();
    binding.run().unwrap();
    let one = f64::from(MANY - FEW);
    let (crates, time) = cost(&card, || {
        for _ in FEW..MANY {
            binding.run().unwrap();
        }
    });
    println!("  messages to and from the card, bells, interrupts, bytes to and from the card");
    let told = |who: &str, counts: [u64; 6], time: f64| {
        println!(
            "  {who}: {:?}, {:.0} us",
            counts.map(|count| count as f64 / one),
            time / one
        );
    };
    told("crate", crates, time);
    drop((binding, model, session));
    let pipeline = |pictures: u32| {
        let pipeline = Pipeline::new(&format!(
            "videotestsrc num-buffers={pictures} ! video/x-raw,format=RGB,framerate=25/1 ! \
             ax650infer model=/share/in/picture.onnx ! fakesink sync=false"
        ));
        pipeline.play();
        pipeline.wait().unwrap();
        pipeline.stop();
    };
    // What comes before and after the pictures goes away in the difference.
    let (few, short) = cost(&card, || pipeline(FEW));
    let (many, long) = cost(&card, || pipeline(MANY));
    let mut element = many;
    for (many, few) in element.iter_mut().zip(few) {
        *many = many.saturating_sub(few);
    }
    told("ax650infer", element, long - short);
    let exact = |counts: [u64; 6]| [0, 1, 2, 4, 5].map(|at| (counts[at] as f64 / one).round());
    assert_eq!(exact(element), exact(crates));
}
