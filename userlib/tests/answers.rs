// SPDX-License-Identifier: MIT OR Apache-2.0

//! Nothing that a card answers makes the library panic, hang, or take memory without end: each call is made with
//! answers in which a few values were changed.
//!
//! What is changed depends on a number only.  `AX650_FUZZ_SECONDS` says for how long cards lie (default: 1),
//! `AX650_FUZZ_SEED` begins elsewhere, `AX650_FUZZ_ONLY` repeats the one that a failure has named.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{channel, RecvTimeoutError};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ax650::fake::{model_image, FakeCard};
use ax650::media::{
    jpeg, Codec, Decoder, DecoderConfig, Encoder, EncoderConfig, Pool, Received, VideoFrame,
};
use ax650::proto::axclrpc::engine::{IoMeta, Meta, OneMeta};
use ax650::proto::axclrpc::native::Module;
use ax650::{Card, CardMemory, Error, Model, Result, Session};

/// For what a test waits.
const WAIT: Duration = Duration::from_millis(3);
/// No card may keep the library busy for longer with one of the tasks below.
const PATIENCE: Duration = Duration::from_secs(60);
/// Card memory, so that the fake card itself does not need much.
const CARD_MEMORY: u64 = 64 << 20;
/// What an error says is for people, and one line.
const LONGEST_MESSAGE: usize = 20_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Gives `task` one lying card after the other.
fn lie(task: fn(&Card) -> Result<()>) {
    let time = Duration::from_secs(number("AX650_FUZZ_SECONDS").unwrap_or(1));
    let only = number("AX650_FUZZ_ONLY");
    let first = only.or(number("AX650_FUZZ_SEED")).unwrap_or(1);
    let honest = FakeCard::new();
    honest.limit_card_memory(CARD_MEMORY);
    task(&honest.open()).expect("a card that does not lie is believed");
    let now = Arc::new(AtomicU64::new(first));
    let (beat, beats) = channel();
    let at = now.clone();
    let worker = std::thread::spawn(move || {
        let begin = Instant::now();
        let mut refused = 0;
        for seed in first.. {
            at.store(seed, Ordering::SeqCst);
            let fake = FakeCard::new();
            fake.limit_card_memory(CARD_MEMORY);
            fake.lie(seed, (seed % 61) as usize);
            if let Err(error) = task(&fake.open()) {
                refused += 1;
                let (length, start) = (error.to_string().len(), error.to_string());
                let start: String = start.chars().take(200).collect();
                assert!(length < LONGEST_MESSAGE, "{length} bytes: {start} ...");
                assert!(!start.contains(char::is_control), "{start:?}");
            }
            let _ = beat.send(());
            if only.is_some() || begin.elapsed() > time {
                return (seed - first, refused);
            }
        }
        unreachable!("there are enough numbers");
    });
    loop {
        match beats.recv_timeout(PATIENCE) {
            Ok(()) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                panic!("AX650_FUZZ_ONLY={} hangs", now.load(Ordering::SeqCst))
            }
        }
    }
    let seed = now.load(Ordering::SeqCst);
    let Ok((cards, refused)) = worker.join() else {
        panic!("AX650_FUZZ_ONLY={seed} panics");
    };
    println!("{cards} cards, {refused} lies found out");
    // Else nothing was tried.
    assert!(only.is_some() || refused > 0);
}

/// All of a thing is to be tried, whatever came of the parts; the first error counts.
#[derive(Default)]
struct First(Option<Error>);

impl First {
    fn of<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.0.get_or_insert(error);
                None
            }
        }
    }

    fn end(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

fn tensor(name: &str, format: i32, size: u64, dims: &[i32]) -> Meta {
    let groups = vec![
        OneMeta {
            size,
            dims: dims.to_vec(),
            stride: Vec::new(),
        };
        2
    ];
    Meta {
        name: name.into(),
        layout: 1,
        format,
        groups,
    }
}

fn a_model() -> Vec<u8> {
    model_image(&IoMeta {
        inputs: vec![tensor("x", 15, 24, &[2, 3]), tensor("b", 4, 2, &[2])],
        outputs: vec![tensor("y", 15, 24, &[2, 3]), tensor("z", 9, 8, &[1])],
    })
}

#[test]
fn questions_and_memory() {
    lie(|card| {
        let mut first = First::default();
        first.of(card.info().map(|info| {
            let _ = (info.link(), info.boot_progress(), format!("{info:?}"));
        }));
        first.of(card.telemetry());
        first.of(card.counters().map(|counters| counters.iter().count()));
        first.of(card.clients());
        let session = card.session()?;
        let stream = session.stream();
        first.of(stream.echo(&[7; 5000], None));
        first.of(stream.sync(WAIT));
        first.of(stream.fetch_log(1, 900));
        if let Some(stream) = first.of(session.new_context()) {
            if let Some(stream) = first.of(stream.new_stream()) {
                first.of(stream.echo(b"there", Some(WAIT)));
                first.of(stream.close(WAIT));
            }
            first.of(stream.close(WAIT));
        }
        // Whatever this is.
        let _ = stream.native_raw(Module::Sys, 7, &[&[0; 8]], 512, None);
        first.of(memory(&session));
        first.of(pool(&session));
        drop(stream);
        first.of(session.settle(WAIT));
        first.of(session.close(WAIT));
        first.end()
    });
}

fn memory(session: &Session) -> Result<()> {
    let mut first = First::default();
    let stream = session.stream();
    let (one, two) = (
        CardMemory::new(&stream, 10_000)?,
        CardMemory::new(&stream, 10_000)?,
    );
    let buffer = session.buffer(10_000)?;
    first.of(one.set(5));
    first.of(one.fill(1, &buffer, 0..9_999));
    first.of(two.copy_on_card(7, &one, 0, 100));
    first.of(one.equals(0, &two, 7, 100));
    first.of(two.fetch(9_999, &buffer, 0..1));
    if let Some(part) = first.of(one.part(5_000, 5_000)) {
        let _ = part.address();
        first.of(part.at(4_999, 1));
    }
    first.of(two.close(WAIT));
    first.end()
}

fn pool(session: &Session) -> Result<()> {
    let pool = Pool::new(session, 4096, 3)?;
    let (one, two) = (pool.block()?, pool.block()?);
    drop((two, pool, one));
    Ok(())
}

#[test]
fn models() {
    lie(|card| {
        let mut first = First::default();
        let session = card.session()?;
        let model = Model::load_bytes(&session, &a_model())?;
        first.of(model.version());
        first.of(model.cores());
        first.of(model.memory_usage());
        for tensor in model.inputs().iter().chain(model.outputs()) {
            let _ = (tensor.data_type.to_string(), tensor.layout.to_string());
            for shape in &tensor.shapes {
                let _ = (shape.packed_size(tensor.data_type), shape.to_string());
            }
        }
        for group in 0..model.groups().min(3) {
            let Some(binding) = first.of(model.bind(group)) else {
                continue;
            };
            first.of(binding.set_input("b", &[1, 2]));
            first.of(binding.set_values("x", &[0.5_f32; 6]));
            first.of(binding.input_as::<f32>(0).map(|x| x.len()));
            first.of(binding.run());
            first.of(binding.values::<f32>("y"));
            first.of(binding.output_as::<i64>("z").map(|z| z.len()));
            first.of(binding.start().and_then(|pending| pending.wait()));
            let stream = session.stream();
            let (job, steps) = binding.add_to(stream.job());
            first.of(job.run().and_then(|mut done| steps.finish(&mut done)));
            first.of(binding.close(WAIT));
        }
        first.of(model.run_bytes(&[&[0; 24], &[0; 2]]));
        first.of(model.close(WAIT));
        // What is none: the reason is asked for.
        let _ = Model::load_bytes(&session, b"nothing");
        first.of(session.settle(WAIT));
        first.end()
    });
}

#[test]
fn decoders() {
    lie(|card| {
        let mut first = First::default();
        let session = card.session()?;
        let config = DecoderConfig::new(Codec::H264, 64, 32).patience(WAIT);
        let decoder = Decoder::new(&session, &config)?;
        let buffer = session.buffer(1 << 20)?;
        for pts in 0..6 {
            first.of(decoder.send(&[0, 0, 1, 0x65, pts], pts.into()));
            match first.of(decoder.receive(WAIT)) {
                Some(Received::Some(frame)) if pts % 2 == 0 => {
                    let _ = (frame.pts(), frame.layout());
                    first.of(frame.download(&buffer).map(|layout| {
                        let bytes = vec![0; buffer.len()];
                        layout.rows(&bytes).count()
                    }));
                }
                Some(Received::Some(frame)) => drop(frame),
                _ => {}
            }
        }
        first.of(decoder.status());
        first.of(decoder.finish());
        first.of(decoder.receive(WAIT));
        first.of(decoder.close(WAIT));
        first.of(session.settle(WAIT));
        first.end()
    });
}

#[test]
fn encoders() {
    lie(|card| {
        let mut first = First::default();
        let session = card.session()?;
        let config = EncoderConfig::new(Codec::H264, 144, 144).patience(WAIT);
        let encoder = Encoder::new(&session, &config)?;
        let buffer = session.buffer(encoder.layout().size())?;
        for pts in 0..4 {
            first.of(encoder.send(&buffer, pts));
            first.of(encoder.receive(WAIT));
        }
        let decoder = Decoder::new(&session, &DecoderConfig::new(Codec::H264, 144, 144))?;
        first.of(decoder.send(&[0, 0, 1, 0x65], 9));
        if let Some(Received::Some(frame)) = first.of(decoder.receive(WAIT)) {
            first.of(encoder.send_frame(frame));
        }
        first.of(encoder.receive(WAIT));
        let _ = encoder.pending();
        first.of(encoder.send(&buffer, 5));
        first.of(encoder.close(WAIT));
        first.of(session.settle(WAIT));
        first.end()
    });
}

#[test]
fn jpeg_pictures() {
    const GREY: &[u8] = include_bytes!("../../tests/data/field/j05_gray.jpg");
    lie(|card| {
        let session = card.session()?;
        let (buffer, layout) = jpeg::decode(&session, GREY)?;
        let bytes = buffer.read()?;
        let _ = layout.rows(&bytes).count();
        session.settle(WAIT)
    });
}

#[test]
fn pictures_that_cannot_be_where_the_card_says() {
    type Told = fn(VideoFrame) -> VideoFrame;
    let lies: [(Told, &str); 8] = [
        (|frame| frame.with_luma(u64::MAX), "0xffffffffffffffff"),
        (
            |frame| frame.with_chroma(u64::MAX - 1),
            "0xfffffffffffffffe",
        ),
        (|frame| frame.with_luma(0), "without address"),
        (|frame| frame.with_width(0), "0x32"),
        (|frame| frame.with_height(u32::MAX), "64x4294967295"),
        (|frame| frame.with_luma_stride(1 << 31), "different strides"),
        (|frame| frame.with_format(0), "format 0"),
        (
            |frame| frame.with_luma_stride(32).with_chroma_stride(32),
            "32 bytes a row",
        ),
    ];
    for (told, problem) in lies {
        let fake = FakeCard::new();
        let session = fake.open().session().unwrap();
        let decoder = Decoder::new(&session, &DecoderConfig::new(Codec::H264, 64, 32)).unwrap();
        fake.tell_of_pictures(told);
        decoder.send(&[0, 0, 1, 0x65], 0).unwrap();
        let buffer = session.buffer(1 << 20).unwrap();
        let result = decoder.receive(WAIT).and_then(|received| match received {
            Received::Some(frame) => frame.download(&buffer),
            other => panic!("{other:?}"),
        });
        let error = result.unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}
