// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the library promises its users, with a fake card: errors, buffers, nothing left behind.

use std::sync::Arc;
use std::time::Duration;

use ax650::fake::{model_image, FakeCard};
use ax650::media::{Codec, Decoder, DecoderConfig, Encoder, EncoderConfig, Received};
use ax650::proto::axclrpc::engine::{IoMeta, Meta, OneMeta};
use ax650::{CardMemory, Error, ErrorKind, HostPages, Model, Part, Session};
use nix::errno::Errno;

fn session() -> (Arc<FakeCard>, Session) {
    let fake = FakeCard::new();
    let session = fake.open().session().expect("a session");
    (fake, session)
}

#[test]
fn copies_there_and_back() {
    let (fake, session) = session();
    let stream = session.stream();
    let memory = CardMemory::new(&stream, 10_000).unwrap();
    let (from, to) = (
        session.buffer(10_000).unwrap(),
        session.buffer(10_000).unwrap(),
    );
    for (index, byte) in from.write().unwrap().iter_mut().enumerate() {
        *byte = index as u8;
    }
    memory.fill(0, &from, 0..10_000).unwrap();
    memory.fetch(5_000, &to, 0..5_000).unwrap();
    assert_eq!(to.read().unwrap()[..5_000], from.read().unwrap()[5_000..]);
    memory.set(9).unwrap();
    memory.fetch(0, &to, 0..10_000).unwrap();
    assert!(to.read().unwrap().iter().all(|byte| *byte == 9));

    let other = CardMemory::new(&stream, 100).unwrap();
    assert!(!other.equals(0, &memory, 0, 100).unwrap());
    other.copy_on_card(0, &memory, 50, 100).unwrap();
    assert!(other.equals(0, &memory, 0, 100).unwrap());

    drop((memory, other));
    assert_eq!(fake.card_memory_in_use(), 0);
}

#[test]
fn ranges_are_checked() {
    let (_fake, session) = session();
    let stream = session.stream();
    let memory = CardMemory::new(&stream, 100).unwrap();
    let buffer = session.buffer(100).unwrap();
    for result in [
        memory.fill(0, &buffer, 0..101),
        memory.fill(1, &buffer, 0..100),
        memory.fill(u64::MAX, &buffer, 0..1),
        memory.fill(0, &buffer, 50..50),
        memory.copy_on_card(0, &memory, 1, 100),
    ] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Invalid);
    }
    assert_eq!(
        CardMemory::new(&stream, 0).unwrap_err().kind(),
        ErrorKind::Invalid
    );
    assert_eq!(
        CardMemory::new(&stream, 1 << 32).unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

#[test]
fn the_cards_errors_are_told() {
    let (_fake, session) = session();
    let error = CardMemory::new(&session.stream(), 3 << 30).unwrap_err();
    assert_eq!(
        error.to_string(),
        "allocate 3221225472 bytes of card memory: memory: no memory (0x80300507)"
    );
    assert!(error.card_code().unwrap().is_no_memory());
}

#[test]
fn echoes_of_all_sizes() {
    let (_fake, session) = session();
    let stream = session.stream();
    for size in [0, 1, 900, 5_000, 1 << 20] {
        let data: Vec<u8> = (0..size).map(|index| index as u8).collect();
        stream.echo(&data, None).unwrap();
    }
}

#[test]
fn a_job_keeps_its_buffers_until_its_end_is_seen() {
    let (fake, session) = session();
    let stream = session.stream();
    let memory = CardMemory::new(&stream, 4096).unwrap();
    let (source, target) = (session.buffer(4096).unwrap(), session.buffer(4096).unwrap());
    fake.hold_jobs();
    let mut pending = stream
        .job()
        .then(Part::to_card(&source, 0..4096, memory.address()))
        .then(Part::from_card(&target, 0..4096, memory.address()))
        .submit()
        .unwrap();
    // The card reads the one and writes the other.
    assert!(source.read().is_ok());
    assert!(matches!(source.write(), Err(Error::BufferBusy)));
    assert!(matches!(target.read(), Err(Error::BufferBusy)));
    assert!(pending.poll().unwrap().is_none());
    assert!(pending
        .wait_for(Duration::from_millis(1))
        .unwrap()
        .is_none());
    fake.release_jobs();
    assert!(matches!(target.read(), Err(Error::BufferBusy)));
    assert!(pending.poll().unwrap().is_some());
    assert!(target.read().is_ok() && source.write().is_ok());
    assert!(matches!(pending.poll(), Err(Error::Invalid(_))));
}

#[test]
fn a_job_waits_for_no_guard() {
    let (_fake, session) = session();
    let stream = session.stream();
    let memory = CardMemory::new(&stream, 64).unwrap();
    let buffer = session.buffer(64).unwrap();
    let guard = buffer.write().unwrap();
    assert!(matches!(
        memory.fill(0, &buffer, 0..64),
        Err(Error::BufferBusy)
    ));
    assert!(matches!(buffer.read(), Err(Error::BufferBusy)));
    drop(guard);
    let guard = buffer.read().unwrap();
    memory.fill(0, &buffer, 0..64).unwrap();
    assert!(matches!(
        memory.fetch(0, &buffer, 0..64),
        Err(Error::BufferBusy)
    ));
    drop(guard);
    memory.fetch(0, &buffer, 0..64).unwrap();
}

#[test]
fn a_forgotten_job_gives_its_buffers_back_later() {
    let (fake, session) = session();
    let stream = session.stream();
    let memory = CardMemory::new(&stream, 64).unwrap();
    let buffer = session.buffer(64).unwrap();
    fake.hold_jobs();
    drop(
        stream
            .job()
            .then(Part::from_card(&buffer, 0..64, memory.address()))
            .submit()
            .unwrap(),
    );
    assert!(matches!(buffer.read(), Err(Error::BufferBusy)));
    fake.release_jobs();
    stream.echo(b"x", None).unwrap();
    assert!(buffer.read().is_ok());
}

#[test]
fn a_copy_that_broke_off_loses_its_target() {
    let (fake, session) = session();
    let stream = session.stream();
    let memory = CardMemory::new(&stream, 64).unwrap();
    let (source, target) = (session.buffer(64).unwrap(), session.buffer(64).unwrap());
    fake.fail_next_job(0, Errno::ETIME);
    let error = memory.fetch(0, &target, 0..64).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(
        error
            .to_string()
            .ends_with("the card did not answer in time (ETIME)"),
        "{error}"
    );
    assert!(matches!(target.read(), Err(Error::BufferLost)));
    assert!(matches!(
        memory.fetch(0, &target, 0..64),
        Err(Error::BufferLost)
    ));
    // What the card only reads is safe.
    fake.fail_next_job(0, Errno::ETIME);
    memory.fill(0, &source, 0..64).unwrap_err();
    source.write().unwrap()[0] = 1;
    // A target whose copy was not begun is safe too.
    let second = session.buffer(64).unwrap();
    fake.fail_next_job(0, Errno::EIO);
    stream
        .job()
        .then(stream.echo_call(b"fails in the driver"))
        .then(Part::from_card(&second, 0..64, memory.address()))
        .run()
        .unwrap_err();
    assert!(second.read().is_ok());
}

#[test]
fn many_answers_at_once() {
    let (fake, session) = session();
    let stream = session.stream();
    fake.hold_jobs();
    // More than the small places of a session.
    let pending: Vec<_> = (0..100_u8)
        .map(|index| {
            stream
                .job()
                .then(stream.echo_call(&[index; 100]))
                .submit()
                .unwrap()
        })
        .collect();
    fake.release_jobs();
    for (index, pending) in pending.into_iter().enumerate() {
        let answer = pending.wait().unwrap().answer(0).unwrap();
        ax650::check_echo(answer, &[index as u8; 100]).unwrap();
    }
}

#[test]
fn answers_that_do_not_fit() {
    let (_fake, session) = session();
    let stream = session.stream();
    let call = stream.echo_call(&[1; 1000]).with_capacity(100);
    let error = stream.call(call, None).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("the answer is longer than expected (EMSGSIZE)"),
        "{error}"
    );
    stream.echo(&[1; 1000], None).unwrap();
}

#[test]
fn nothing_is_left_behind() {
    let fake = FakeCard::new();
    let card = fake.open();
    let session = card.session().unwrap();
    let stream = session.new_context().unwrap();
    let sub = stream.new_stream().unwrap();
    sub.sync(Duration::from_secs(1)).unwrap();
    let buffer = session.buffer(10).unwrap();
    assert_eq!(fake.open_handles(), (1, 2));
    assert_eq!(card.clients().unwrap().len(), 1);
    drop((session, stream, sub));
    assert_eq!(fake.open_handles(), (0, 1));
    drop(buffer);
    assert_eq!(fake.open_handles(), (0, 0));
}

#[test]
fn what_the_driver_tells() {
    let card = FakeCard::new().open();
    let info = card.info().unwrap();
    assert_eq!(
        (info.chip.as_str(), info.firmware_version.as_str()),
        ("AX650N", "V3.10.2")
    );
    assert_eq!(info.link(), "Gen2 x2 (5.0 GT/s)");
    assert_eq!(info.pci.to_string(), "0000:01:00.0");
    let telemetry = card.telemetry().unwrap();
    assert_eq!(telemetry.temperature, Some(41.35));
    assert_eq!(telemetry.npu_load, Some(0.125));
    assert!(telemetry.cpu_load.is_none());
    assert_eq!(card.boot(true).unwrap_err().kind(), ErrorKind::Permission);
}

fn tensor(name: &str, sizes: &[u64]) -> Meta {
    let groups = sizes
        .iter()
        .map(|size| OneMeta {
            size: *size,
            dims: vec![*size as i32],
            stride: Vec::new(),
        })
        .collect();
    Meta {
        name: name.into(),
        format: 4, // UINT8
        layout: 0,
        groups,
    }
}

#[test]
fn a_model_runs() {
    let (fake, session) = session();
    let meta = IoMeta {
        inputs: vec![tensor("a", &[5000, 100]), tensor("b", &[3, 3])],
        outputs: vec![tensor("x", &[7, 7]), tensor("y", &[6000, 50])],
    };
    let model = Model::load_bytes(&session, &model_image(&meta)).unwrap();
    assert_eq!(
        (model.groups(), model.version().unwrap().as_str()),
        (2, "fake 1.0")
    );
    for group in 0..2 {
        let binding = model.bind(group).unwrap();
        binding.input(0).unwrap().fill(41);
        binding.set_input(1, &[1, 2, 3]).unwrap();
        let before = fake.submits();
        let times = binding.run().unwrap();
        assert_eq!(fake.submits() - before, 1);
        assert!(times.total >= times.copy_in + times.run + times.copy_out);
        assert!(binding.output(0).unwrap().iter().all(|byte| *byte == 42));
        assert_eq!(binding.output(1).unwrap().len(), [6000, 50][group]);
        assert!(binding.output(1).unwrap().iter().all(|byte| *byte == 42));
    }
    assert!(model.bind(2).is_err());
    let binding = model.bind(1).unwrap();
    let error = binding.set_input(1, &[1]).unwrap_err().to_string();
    assert_eq!(error, "1 bytes for input `b`, which has 3");
    assert_eq!(
        binding.output(2).unwrap_err().to_string(),
        "output 2 of a model that has 2"
    );

    fake.hold_jobs();
    let mut run = binding.start().unwrap();
    assert!(run.poll().unwrap().is_none());
    assert!(matches!(binding.input(0), Err(Error::BufferBusy)));
    fake.release_jobs();
    run.wait().unwrap();
    drop((binding, model));
    assert_eq!(fake.card_memory_in_use(), 0);
}

#[test]
fn models_that_are_none() {
    let (fake, session) = session();
    assert_eq!(
        Model::load_bytes(&session, b"").unwrap_err().kind(),
        ErrorKind::Invalid
    );
    let error = Model::load_bytes(&session, b"not a model").unwrap_err();
    assert_eq!(
        error.to_string(),
        "load model: engine: execution failed (0x8030070c)"
    );
    let empty = model_image(&IoMeta::default());
    assert!(matches!(
        Model::load_bytes(&session, &empty),
        Err(Error::Answer { .. })
    ));
    assert!(matches!(
        Model::load_file(&session, "/nonexistent"),
        Err(Error::File { .. })
    ));
    assert_eq!(
        Model::load_file(&session, "/dev/zero").unwrap_err().kind(),
        ErrorKind::Invalid
    );
    assert_eq!(fake.card_memory_in_use(), 0);
}

#[test]
fn pictures_are_decoded() {
    let (fake, session) = session();
    let decoder = Decoder::new(&session, &DecoderConfig::new(Codec::H264, 80, 32)).unwrap();
    let wait = Duration::from_millis(5);
    assert!(matches!(decoder.receive(wait).unwrap(), Received::Nothing));
    decoder.send(&[1, 2, 3], 100).unwrap();
    decoder.send(&[4], 200).unwrap();
    decoder.finish().unwrap();
    assert!(matches!(decoder.send(&[], 0), Err(Error::Invalid(_))));
    let buffer = session.buffer(1 << 16).unwrap();
    for (pts, sum) in [(100, 6), (200, 4)] {
        let Received::Some(frame) = decoder.receive(wait).unwrap() else {
            panic!("no picture")
        };
        assert_eq!(frame.pts(), pts);
        let layout = frame.download(&buffer).unwrap();
        assert_eq!((layout.width, layout.height, layout.stride), (80, 32, 128));
        let bytes = buffer.read().unwrap();
        let picture: Vec<u8> = layout.rows(&bytes).flatten().copied().collect();
        assert_eq!(picture, vec![sum; 80 * 32 * 3 / 2]);
    }
    assert!(matches!(decoder.receive(wait).unwrap(), Received::End));
    drop(decoder);
    assert_eq!(fake.card_memory_in_use(), 0);
}

#[test]
fn who_does_not_receive_cannot_send_for_ever() {
    let (_fake, session) = session();
    let mut config = DecoderConfig::new(Codec::H265, 64, 64);
    config.patience = Duration::from_millis(20);
    let decoder = Decoder::new(&session, &config).unwrap();
    let error = (0..10)
        .find_map(|pts| decoder.send(&[1], pts).err())
        .expect("full");
    assert_eq!(
        error.to_string(),
        "send a packet to the decoder: video decoder: timed out (0x80080127)"
    );
}

#[test]
fn pictures_are_encoded() {
    let (fake, session) = session();
    let encoder = Encoder::new(&session, &EncoderConfig::new(Codec::H264, 40, 20)).unwrap();
    assert!(Encoder::new(&session, &EncoderConfig::new(Codec::H264, 41, 20)).is_err());
    let layout = encoder.layout();
    let buffer = session.buffer(layout.size()).unwrap();
    let wait = Duration::from_millis(5);
    for round in 0..10_u8 {
        for row in layout.rows_mut(&mut buffer.write().unwrap()) {
            row.fill(round);
        }
        encoder.send(&buffer, round.into()).unwrap();
        if encoder.pending() == encoder.depth() {
            assert!(encoder.send(&buffer, 0).is_err());
            let Received::Some(packet) = encoder.receive(wait).unwrap() else {
                panic!("no packet")
            };
            assert_eq!((packet.pts, packet.key), (u64::from(round) - 3, false));
            assert_eq!(packet.data[..40], [round - 3; 40]);
        }
    }
    while encoder.pending() > 0 {
        assert!(matches!(encoder.receive(wait).unwrap(), Received::Some(_)));
    }
    assert!(matches!(encoder.receive(wait).unwrap(), Received::Nothing));
    drop(encoder);
    assert_eq!(fake.card_memory_in_use(), 0);
}

#[test]
fn pictures_go_from_decoder_to_encoder_on_the_card() {
    let (fake, session) = session();
    let decoder = Decoder::new(&session, &DecoderConfig::new(Codec::H264, 64, 32)).unwrap();
    let encoder = Encoder::new(&session, &EncoderConfig::new(Codec::H265, 64, 32)).unwrap();
    let wait = Duration::from_millis(5);
    decoder.send(&[5], 77).unwrap();
    let Received::Some(frame) = decoder.receive(wait).unwrap() else {
        panic!("no picture")
    };
    encoder.send_frame(frame).unwrap();
    let Received::Some(packet) = encoder.receive(wait).unwrap() else {
        panic!("no packet")
    };
    assert_eq!((packet.pts, packet.data), (77, vec![5; 64]));
    drop((decoder, encoder));
    assert_eq!(fake.card_memory_in_use(), 0);
}

#[test]
fn memory_of_the_program_is_used_in_place() {
    let card = FakeCard::new();
    let session = card.open().session().unwrap();
    let memory = CardMemory::new(&session.stream(), 8192).unwrap();
    let source = session.buffer_of(vec![7_u8; 5000]).unwrap();
    let mut pages = HostPages::new(8192).unwrap();
    pages[5000..].fill(9);
    let target = session.buffer_of(pages).unwrap();
    memory.fill(0, &source, 0..5000).unwrap();
    memory.fetch(0, &target, 0..5000).unwrap();
    assert!(target.read().unwrap()[..5000].iter().all(|b| *b == 7));
    // It comes back as what it was, when nobody else has it.
    let twin = target.clone();
    let target = target.into_memory::<HostPages>().unwrap_err();
    drop(twin);
    let target = target.into_memory::<Vec<u8>>().unwrap_err();
    let pages: HostPages = target.into_memory().unwrap();
    assert!(pages[..5000].iter().all(|b| *b == 7) && pages[5000..].iter().all(|b| *b == 9));
    let bytes: Vec<u8> = source.into_memory().unwrap();
    assert_eq!(bytes, [7; 5000]);
    assert!(session
        .buffer(64)
        .unwrap()
        .into_memory::<Vec<u8>>()
        .is_err());
    assert!(session.buffer_of(Vec::new()).is_err());
    // Bytes that are only borrowed.
    memory.send(100, &[3; 50]).unwrap();
    let back = session.buffer(200).unwrap();
    memory.fetch(0, &back, 0..200).unwrap();
    let back = back.read().unwrap();
    assert!(back[..100] == [7; 100] && back[100..150] == [3; 50] && back[150..] == [7; 50]);
    assert!(memory.send(8190, &[1; 3]).is_err());
}

#[test]
fn memory_that_is_lost_is_nobodys() {
    let card = FakeCard::new();
    let session = card.open().session().unwrap();
    let memory = CardMemory::new(&session.stream(), 64).unwrap();
    let buffer = session.buffer_of(vec![1_u8; 64]).unwrap();
    card.fail_next_job(0, Errno::ETIME);
    memory.fetch(0, &buffer, 0..64).unwrap_err();
    assert!(matches!(buffer.read(), Err(Error::BufferLost)));
    let buffer = buffer.into_memory::<Vec<u8>>().unwrap_err();
    drop(buffer);
}
