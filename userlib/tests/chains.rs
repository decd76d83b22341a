// SPDX-License-Identifier: MIT OR Apache-2.0

//! Calls that are sent together, with a fake card: which of a job's steps wait, and chains that are run again and again.

#![allow(non_snake_case)] // a test is named after the requirement

use std::sync::Arc;

use ax650::fake::{model_image, FakeCard};
use ax650::proto::axclrpc::engine::{IoMeta, Meta, OneMeta};
use ax650::{check_echo, CardMemory, Error, ErrorKind, Header, Model, Part, Session};
use nix::errno::Errno;

fn session() -> (Arc<FakeCard>, Session) {
    let fake = FakeCard::new();
    let session = fake.open().session().expect("a session");
    (fake, session)
}

fn tensor(name: &str) -> Meta {
    Meta {
        name: name.into(),
        layout: 1,
        format: 4,
        groups: vec![OneMeta {
            size: 4,
            dims: vec![4],
            stride: Vec::new(),
        }],
    }
}

/// A job whose steps were added one after the other is no slower than one whose author knew what the card keeps in order.
#[test]
fn P26_calls_of_one_stream_do_not_wait_for_each_other() {
    let (fake, session) = session();
    let (stream, other) = (session.stream(), session.new_context().unwrap());
    let memory = CardMemory::new(&stream, 64).unwrap();
    let buffer = session.buffer(64).unwrap();
    let call = || Part::from(stream.echo_call(b"short"));
    let copy = || Part::to_card(&buffer, 0..64, &memory);

    stream
        .job()
        .then(call())
        .then(call())
        .then(call())
        .run()
        .unwrap();
    assert_eq!(fake.sent_behind(), [false, true, true]);
    // What a copy brings or fetches has no order with calls.
    stream
        .job()
        .then(copy())
        .then(call())
        .then(call())
        .then(copy())
        .then(call())
        .run()
        .unwrap();
    assert_eq!(fake.sent_behind(), [false, false, true, false, false]);
    // Nor have calls of another stream, or calls that go by DMA.
    let foreign = other.echo_call(b"short");
    let long = stream.echo_call(&[0; 5000]);
    stream
        .job()
        .then(call())
        .then(foreign)
        .then(call())
        .then(long)
        .then(call())
        .run()
        .unwrap();
    assert_eq!(fake.sent_behind(), [false; 5]);
    // A call must not overtake a copy that was sent along, although a call lies between.
    stream
        .job()
        .then(call())
        .along(copy())
        .along(call())
        .then(call())
        .then(call())
        .run()
        .unwrap();
    assert_eq!(fake.sent_behind(), [false, true, true, false, true]);
}

/// Each run is one request with new numbers, and the answers are those of the last.
#[test]
fn a_chain_is_run_again_and_again() {
    let (fake, session) = session();
    let stream = session.stream();
    let mut chain = stream.chain();
    assert_eq!(chain.run().unwrap_err().kind(), ErrorKind::Invalid);
    for call in 0..37 {
        chain.push(stream.echo_call(&[call; 20])).unwrap();
    }
    assert!(chain.answer(0).is_err());
    let mut sequences = Vec::new();
    for _ in 0..3 {
        let before = fake.submits();
        fake.take_requests();
        chain.run().unwrap();
        assert_eq!(fake.submits() - before, 1);
        assert!(fake.sent_behind()[1..].iter().all(|&behind| behind));
        for call in 0..37 {
            check_echo(chain.answer(call).unwrap(), &[call as u8; 20]).unwrap();
        }
        sequences.extend(
            fake.take_requests()
                .iter()
                .map(|frame| Header::from_bytes(frame.first_chunk().expect("a header")).sequence),
        );
    }
    assert!(chain.answer(37).is_err());
    assert_eq!(sequences.len(), 3 * 37);
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn runs_of_a_model_in_a_chain() {
    let (fake, session) = session();
    let (inputs, outputs) = (vec![tensor("x")], vec![tensor("y")]);
    let model = Model::load_bytes(&session, &model_image(&IoMeta { inputs, outputs })).unwrap();
    let binding = model.bind(0).unwrap();
    binding.set_input(0, &[1, 2, 3, 4]).unwrap();
    binding.run().unwrap();
    let mut chain = model.session().stream().chain();
    for _ in 0..4 {
        chain.push_run(&binding).unwrap();
    }
    // The chain keeps what it names.
    drop((binding, model));
    chain.run().unwrap();
    chain.run().unwrap();
    assert_eq!(fake.failed_runs(), 0);
    assert!(fake.card_memory_in_use() > 0);
    drop(chain);
    session.reap();
    assert_eq!(fake.card_memory_in_use(), 0);
}

/// A run that has failed has no answers, and is not the chain's last.
#[test]
fn a_chain_goes_on_after_a_failed_run() {
    let (fake, session) = session();
    let stream = session.stream();
    let mut chain = stream.chain();
    for call in 0..3 {
        chain.push(stream.echo_call(&[call; 8])).unwrap();
    }
    chain.run().unwrap();
    fake.fail_next_job(1, Errno::EIO);
    let error = chain.run().unwrap_err();
    assert!(matches!(error, Error::Job { .. }), "{error:?}");
    assert!(chain.answer(0).is_err());
    chain.run().unwrap();
    check_echo(chain.answer(2).unwrap(), &[2; 8]).unwrap();

    // The card may still write the answers to what was given up: they are not read as those of the next run.
    fake.stall_next_job(1);
    assert!(chain.run().is_err());
    fake.end_stalled();
    chain.run().unwrap();
    check_echo(chain.answer(1).unwrap(), &[1; 8]).unwrap();
}

#[test]
fn what_does_not_belong_into_a_chain() {
    let (_fake, session) = session();
    let (_other_fake, other) = self::session();
    let mut chain = session.stream().chain();
    let error = chain.push(other.stream().echo_call(b"x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    for _ in 0..128 {
        chain.push(session.stream().echo_call(b"x")).unwrap();
    }
    let error = chain.push(session.stream().echo_call(b"x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(chain.len(), 128);
}
