// SPDX-License-Identifier: MIT OR Apache-2.0

//! Models run on pictures that stay on the card, with a fake card whose models add 1 to bytes.

use std::sync::Arc;
use std::time::Duration;

use ax650::fake::{model_image, FakeCard};
use ax650::media::{
    CardImage, Codec, Decoder, DecoderConfig, Encoder, EncoderConfig, ImageEngine, ImageProcessor,
    Inference, PictureLayout, PictureRunner, Pipeline, PipelineConfig, Received, Rect,
    RunnerConfig,
};
use ax650::proto::axclrpc::engine::{IoMeta, Meta, OneMeta};
use ax650::{CardMemory, Error, Model, Session};
use nix::errno::Errno;

const SOON: Duration = Duration::from_secs(5);

fn session() -> (Arc<FakeCard>, Session) {
    let fake = FakeCard::new();
    let session = fake.open().session().expect("a session");
    (fake, session)
}

fn tensor(name: &str, format: i32, dims: &[i32]) -> Meta {
    let bytes = if format == 15 { 4 } else { 1 };
    Meta {
        name: name.into(),
        layout: 1,
        format,
        groups: vec![OneMeta {
            size: dims.iter().product::<i32>() as u64 * bytes,
            dims: dims.to_vec(),
            stride: Vec::new(),
        }],
    }
}

fn load(session: &Session, inputs: Vec<Meta>) -> Model {
    let outputs = vec![tensor("y", 4, &[1, 32 * 32 * 3]), tensor("z", 4, &[1, 5])];
    Model::load_bytes(session, &model_image(&IoMeta { inputs, outputs })).expect("a model")
}

/// A model whose input is a picture of 32x32.
fn model(session: &Session) -> Model {
    load(session, vec![tensor("x", 4, &[1, 32, 32, 3])])
}

fn config() -> PipelineConfig {
    PipelineConfig::new(DecoderConfig::new(Codec::H264, 64, 32))
}

fn some(received: Received<Inference>) -> Inference {
    match received {
        Received::Some(inference) => inference,
        other => panic!("{other:?}"),
    }
}

/// Waits until nothing is under way, then counts the bytes of card memory in use.
fn used(fake: &FakeCard, session: &Session) -> u64 {
    session.settle(SOON).expect("settled");
    fake.card_memory_in_use()
}

#[test]
fn pictures_go_through_the_card_in_order() {
    let (fake, session) = session();
    let model = model(&session);
    let before = used(&fake, &session);
    let channel = Pipeline::new(&model, config()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..20 {
                // Pictures are filled with the sum of the packet.
                channel.send(&[number, 100], number.into()).unwrap();
            }
            channel.finish().unwrap();
        });
        for number in 0..20 {
            let seen = some(channel.receive(SOON).unwrap());
            assert_eq!((seen.number, seen.pts), (number, number));
            assert_eq!(
                seen.place.inner,
                Rect {
                    x: 0,
                    y: 8,
                    width: 32,
                    height: 16
                }
            );
            let [pixels, few] = seen.outputs.as_slice() else {
                panic!("{} outputs", seen.outputs.len());
            };
            assert_eq!((pixels.len(), few.len()), (32 * 32 * 3, 5));
            for (row, bytes) in pixels.chunks(32 * 3).enumerate() {
                let luma = match row {
                    8..24 => 100 + number as u8,
                    _ => 114,
                };
                assert!(
                    bytes.iter().all(|byte| *byte == luma + 1),
                    "{number}: row {row}"
                );
            }
            assert!(seen.picture.is_none() && seen.packet.is_none());
        }
        assert!(matches!(channel.receive(SOON), Ok(Received::End)));
        assert!(matches!(channel.receive(SOON), Ok(Received::End)));
    });
    drop(channel);
    assert_eq!(used(&fake, &session), before);
}

#[test]
fn one_job_a_picture_all_of_whose_calls_go_together() {
    let (fake, session) = session();
    let mut runner = PictureRunner::new(&model(&session), RunnerConfig::default()).unwrap();
    let layout = PictureLayout::new(64, 32, 128).unwrap();
    let memory = CardMemory::new(&session.stream(), layout.size() as u64).unwrap();
    let image = CardImage::nv12(&memory, layout).unwrap();
    let before = fake.submits();
    runner.start(image.clone(), None).unwrap();
    assert_eq!(fake.submits(), before + 1);
    // Scale, convert, run; the outputs wait for the run.
    assert_eq!(fake.sent_behind(), [false, true, true, false, true]);
    runner.start(image.clone(), None).unwrap();
    assert!(runner.is_full() && runner.running() == 2);
    let full = runner.start(image.clone(), None).unwrap_err();
    assert!(
        full.to_string().contains("2 pictures are under way"),
        "{full}"
    );
    let seen = runner.receive(SOON).unwrap().unwrap();
    assert!(seen.outputs[0][16 * 96..].starts_with(&[1, 1, 1]));
    // A part of it, in other proportions: the border is grey again.
    let crop = Rect {
        x: 32,
        y: 0,
        width: 16,
        height: 32,
    };
    runner.start(image, Some(crop)).unwrap();
    runner.receive(SOON).unwrap().unwrap();
    let seen = runner.receive(SOON).unwrap().unwrap();
    assert_eq!(
        seen.place.inner,
        Rect {
            x: 8,
            y: 0,
            width: 16,
            height: 32
        }
    );
    for row in seen.outputs[0].chunks(96) {
        let is = |from: usize, to: usize, value| row[3 * from..3 * to].iter().all(|b| *b == value);
        assert!(is(0, 8, 115) && is(8, 24, 1) && is(24, 32, 115), "{row:?}");
    }
    assert!(runner.receive(SOON).unwrap().is_none());
}

#[test]
fn pictures_are_kept_or_encoded() {
    let (fake, session) = session();
    let model = model(&session);
    let before = used(&fake, &session);
    let channel = Pipeline::new(&model, config().keep_pictures()).unwrap();
    channel.send(&[7], 1).unwrap();
    let seen = some(channel.receive(SOON).unwrap());
    assert_eq!(seen.picture.as_ref().map(|picture| picture.pts()), Some(1));
    let encoder = EncoderConfig::new(Codec::H264, 64, 32);
    let other = Pipeline::new(&model, config().encoder(encoder)).unwrap();
    other.send(&[7], 2).unwrap();
    let packet = some(other.receive(SOON).unwrap()).packet.expect("a packet");
    // The fake encoder's packets are the first bytes of the picture.
    assert_eq!((packet.pts, packet.data[0]), (2, 7));
    drop((channel, other, seen));
    assert_eq!(used(&fake, &session), before);
}

#[test]
fn an_error_of_a_stage_is_told_and_frees_the_rest() {
    let (fake, session) = session();
    let model = model(&session);
    let before = used(&fake, &session);
    // Scaling, converting, the run, the copy of the outputs.
    for step in 0..4 {
        let channel = Pipeline::new(&model, config()).unwrap();
        channel.send(&[1], 1).unwrap();
        channel.send(&[2], 2).unwrap();
        let layout = PictureLayout::new(64, 32, 128).unwrap();
        // The first job with so many steps is the picture's.
        fake.fail_next_job_of(4 + 1, step, Errno::EIO);
        let error = channel.receive(SOON).unwrap_err();
        assert!(matches!(error, Error::Job { .. }), "{step}: {error}");
        for error in [
            channel.send(&[3], 3).unwrap_err(),
            channel.finish().unwrap_err(),
            channel.receive(SOON).unwrap_err(),
        ] {
            assert!(
                error
                    .to_string()
                    .contains("a stage of the pipeline has failed"),
                "{error}"
            );
        }
        drop(channel);
        // Where the card's end of the failed calls is not known, their memory is let go by later calls of the stream.
        let mut runner = PictureRunner::new(&model, RunnerConfig::default()).unwrap();
        let memory = CardMemory::new(&session.stream(), layout.size() as u64).unwrap();
        runner
            .start(CardImage::nv12(&memory, layout).unwrap(), None)
            .unwrap();
        runner.receive(SOON).unwrap().unwrap();
        drop((runner, memory));
        if step < 3 {
            assert_eq!(used(&fake, &session), before, "{step}");
        }
    }
}

#[test]
fn dropping_waits_for_nothing_and_keeps_what_the_card_reads() {
    let (fake, session) = session();
    let model = model(&session);
    let before = used(&fake, &session);
    let decoder = Decoder::new(&session, &DecoderConfig::new(Codec::H264, 64, 32)).unwrap();
    decoder.send(&[9], 0).unwrap();
    let Received::Some(frame) = decoder.receive(SOON).unwrap() else {
        panic!("a picture");
    };
    let mut runner = PictureRunner::new(&model, RunnerConfig::default()).unwrap();
    let all = used(&fake, &session);
    fake.hold_jobs();
    runner.start(&frame, None).unwrap();
    drop((runner, frame, decoder));
    // Nothing that the job uses has been given back.
    session.reap();
    assert_eq!(fake.card_memory_in_use(), all);
    fake.release_jobs();
    assert_eq!(used(&fake, &session), before);
    assert_eq!(fake.failed_runs(), 0);
}

/// A picture that waits in a job does not keep the session going.
#[test]
fn a_session_ends_with_its_pictures_under_way() {
    let (fake, session) = session();
    let decoder = Decoder::new(&session, &DecoderConfig::new(Codec::H264, 64, 32)).unwrap();
    decoder.send(&[9], 0).unwrap();
    let Received::Some(frame) = decoder.receive(SOON).unwrap() else {
        panic!("a picture");
    };
    let mut runner = PictureRunner::new(&model(&session), RunnerConfig::default()).unwrap();
    fake.hold_jobs();
    runner.start(&frame, None).unwrap();
    assert_eq!(fake.open_handles().0, 1);
    drop((runner, frame, decoder, session));
    assert_eq!(fake.open_handles().0, 0);
}

#[test]
fn models_that_take_no_picture_are_refused_in_words() {
    let (_fake, session) = session();
    for (inputs, says) in [
        (vec![], "0 inputs"),
        (vec![tensor("x", 15, &[1, 32, 32, 3])], "`x` of fp32"),
        (vec![tensor("x", 4, &[1, 3, 32, 32])], "and 1x3x32x32"),
        (vec![tensor("x", 4, &[2, 32, 32, 3])], "2x32x32x3"),
        (vec![tensor("x", 4, &[4]), tensor("y", 4, &[4])], "2 inputs"),
    ] {
        let model = load(&session, inputs);
        let error = PictureRunner::new(&model, RunnerConfig::default()).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    let config = |group| {
        let mut config = RunnerConfig::default();
        config.group = group;
        config
    };
    assert!(PictureRunner::new(&model(&session), config(1)).is_err());
}

#[test]
fn images_of_other_formats_sizes_and_sessions_are_refused() {
    let (_fake, session) = session();
    let processor = ImageProcessor::new(&session, ImageEngine::default()).unwrap();
    let (large, small) = (processor.canvas(64, 32, 1), processor.canvas(32, 16, 2));
    let (large, small) = (large.unwrap(), small.unwrap());
    let (pixels, memory) = processor.tensor(32, 16).unwrap();
    assert!(memory.size() >= 3 * 32 * 16);
    processor.resize(&large, None, &small).unwrap();
    processor.convert(&small, &pixels).unwrap();
    let buffer = session.buffer(16 << 10).unwrap();
    memory.fetch(0, &buffer, 0..32 * 16 * 3).unwrap();
    assert!(buffer.read().unwrap()[..32 * 16 * 3]
        .iter()
        .all(|byte| *byte == 1));
    let layout = small.fetch(&buffer).unwrap();
    assert_eq!((layout.width, layout.height, layout.stride), (32, 16, 128));
    for error in [
        processor.convert(&large, &pixels),
        processor.convert(&pixels, &small),
        processor.resize(&large, None, &pixels),
        processor.resize(&pixels, None, &small),
        processor.resize(&large, Some(Rect::all(66, 32)), &small),
        pixels.part(Rect::all(2, 2)).map(drop),
        pixels.fetch(&buffer).map(drop),
    ] {
        assert!(matches!(error, Err(Error::Invalid(_))), "{error:?}");
    }
    let (_other, stranger) = self::session();
    let processor = ImageProcessor::new(&stranger, ImageEngine::Tdp).unwrap();
    let error = processor.resize(&large, None, &small).unwrap_err();
    assert!(error.to_string().contains("an image of"), "{error}");
}

#[test]
fn images_come_from_the_host_and_go_to_encoders() {
    let (fake, session) = session();
    let before = used(&fake, &session);
    let processor = ImageProcessor::new(&session, ImageEngine::default()).unwrap();
    let (source, target) = (processor.canvas(64, 32, 1), processor.canvas(32, 16, 2));
    let (source, target) = (source.unwrap(), target.unwrap());
    let (pixels, memory) = processor.tensor(32, 16).unwrap();
    let buffer = session.buffer(source.host_size()).unwrap();
    let layout = source.layout().unwrap();
    for (at, row) in layout.rows_mut(&mut buffer.write().unwrap()).enumerate() {
        row.fill(at as u8);
    }
    let found = session.buffer(pixels.host_size()).unwrap();
    // There, small, as pixels, and back: one job.
    let submits = fake.submits();
    let job = source.add_fill(processor.job(), &buffer).unwrap();
    let (job, scaled) = processor.add_resize(job, &source, None, &target).unwrap();
    let (job, converted) = processor.add_convert(job, &target, &pixels).unwrap();
    let mut done = pixels.add_fetch(job, &found).run().unwrap();
    assert_eq!(fake.submits(), submits + 1);
    scaled.finish(&mut done).unwrap();
    converted.finish(&mut done).unwrap();
    drop(done);
    for (at, row) in found.read().unwrap()[..32 * 16 * 3]
        .chunks(32 * 3)
        .enumerate()
    {
        assert!(row.iter().all(|byte| *byte == 2 * at as u8), "{at}");
    }
    assert_eq!(pixels.fetch_bytes(&found).unwrap(), 32 * 16 * 3);
    let encoder = Encoder::new(&session, &EncoderConfig::new(Codec::H264, 64, 32)).unwrap();
    encoder.send_image(source.clone(), 5).unwrap();
    let part = source.part(Rect::all(64, 32)).unwrap();
    for (image, says) in [
        (part, "a part of a picture"),
        (target, "32x16 for an encoder of 64x32"),
        (pixels, "where NV12 is needed"),
    ] {
        let error = encoder.send_image(image, 6).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    let Received::Some(packet) = encoder.receive(SOON).unwrap() else {
        panic!("a packet");
    };
    assert_eq!((packet.pts, packet.data[0]), (5, 0));
    drop((encoder, source, memory, processor));
    assert_eq!(used(&fake, &session), before);
}
