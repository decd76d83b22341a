// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who owns what, and for how long: buffers, card memory, models, sessions and jobs, with a fake card.

#![allow(non_snake_case)] // a test is named after the fault that it keeps away

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ax650::fake::{model_image, FakeCard};
use ax650::proto::axclrpc::engine::{IoMeta, Meta, OneMeta};
use ax650::proto::axclrpc::native::Module;
use ax650::{Card, CardMemory, Error, ErrorKind, Model, Part, Session};
use nix::errno::Errno;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::wait::{waitpid, WaitStatus};
use nix::unistd::{fork, ForkResult};

const SOON: Duration = Duration::from_secs(5);

fn session() -> (Arc<FakeCard>, Session) {
    let fake = FakeCard::new();
    let session = fake.open().session().expect("a session");
    (fake, session)
}

fn tensor(name: &str, size: u64) -> Meta {
    Meta {
        name: name.into(),
        layout: 0,
        format: 4,
        groups: vec![OneMeta {
            size,
            dims: vec![size as i32],
            stride: Vec::new(),
        }],
    }
}

fn model(session: &Session) -> Model {
    let meta = IoMeta {
        inputs: vec![tensor("x", 5000)],
        outputs: vec![tensor("y", 5000)],
    };
    Model::load_bytes(session, &model_image(&meta)).expect("a model")
}

fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).expect("poll") == 1
}

#[track_caller]
fn assert_invalid<T>(result: Result<T, Error>, words: &[&str]) {
    let error = result.err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{error}");
    }
}

/// Handles are numbers of one open file: those of two cards are the same.
#[test]
fn U1_a_buffer_of_another_card_is_refused() {
    let (one, other) = (FakeCard::new(), FakeCard::new());
    let mine = one.open_as("ax650-0").session().unwrap();
    let theirs = other.open_as("ax650-1").session().unwrap();
    let stream = mine.stream();
    let memory = CardMemory::new(&stream, 64).unwrap();
    let (victim, foreign) = (mine.buffer(64).unwrap(), theirs.buffer(64).unwrap());
    memory.set(7).unwrap();
    for result in [
        memory.fetch(0, &foreign, 0..64),
        memory.fill(0, &foreign, 0..64),
        stream
            .job()
            .then(Part::from_card(&foreign, 0..64, memory.address()))
            .run()
            .map(drop),
    ] {
        assert_invalid(result, &["ax650-0", "ax650-1"]);
    }
    assert!(victim.read().unwrap().iter().all(|byte| *byte == 0));
    // The same card opened twice is as foreign.
    let again = one.open_as("ax650-0").session().unwrap();
    let foreign = again.buffer(64).unwrap();
    assert_invalid(memory.fill(0, &foreign, 0..64), &["another opening"]);
}

#[test]
fn U1_a_call_of_another_session_is_refused() {
    let (fake, session) = session();
    let other = fake.open().session().unwrap();
    let call = other.stream().echo_call(b"x");
    let result = session.stream().job().then(call).submit();
    assert_invalid(result.map(drop), &["latency echo", "another session"]);
    // Two sessions of one open card are two as well.
    let card = fake.open();
    let (one, two) = (card.session().unwrap(), card.session().unwrap());
    let call = two.stream().echo_call(b"x");
    assert_invalid(one.stream().call(call, None), &["another session"]);
}

#[test]
fn U7_card_memory_of_another_session_is_refused() {
    let (fake, session) = session();
    let card = fake.open();
    let other = card.session().unwrap();
    let mine = CardMemory::new(&session.stream(), 64).unwrap();
    let theirs = CardMemory::new(&other.stream(), 64).unwrap();
    let buffer = session.buffer(64).unwrap();
    let words = ["card memory", "another session"];
    assert_invalid(mine.copy_on_card(0, &theirs, 0, 64), &words);
    assert_invalid(mine.equals(0, &theirs, 0, 64), &words);
    let stream = session.stream();
    let job = stream.job().then(Part::to_card(&buffer, 0..64, &theirs));
    assert_invalid(job.run(), &words);
    let job = stream.job().keep(&theirs).then(stream.echo_call(b"x"));
    assert_invalid(job.run(), &words);
    let part = mine.part(32, 32).unwrap();
    let job = stream.job().then(Part::to_card(&buffer, 0..33, &part));
    assert_invalid(job.run(), &["33 bytes", "32 bytes of card memory"]);
}

#[test]
fn U2_a_run_keeps_binding_and_model() {
    let (fake, session) = session();
    let model = model(&session);
    let idle = fake.card_memory_in_use();
    let binding = model.bind(0).unwrap();
    binding.input("x").unwrap().fill(1);
    let in_use = fake.card_memory_in_use();
    fake.hold_jobs();
    let run = binding.start().unwrap();
    drop((binding, model));
    let submits = fake.submits();
    session.reap();
    assert_eq!(fake.submits(), submits, "something was given back");
    fake.release_jobs();
    assert_eq!(fake.card_memory_in_use(), in_use);
    run.wait().unwrap();
    assert_eq!(fake.failed_runs(), 0);
    session.settle(SOON).unwrap();
    assert_eq!(fake.card_memory_in_use(), idle);
    let unloads = |frame: &Vec<u8>| frame[..4] == 0x0008_0200_u32.to_le_bytes();
    assert_eq!(
        fake.take_requests().iter().filter(|f| unloads(f)).count(),
        1
    );
}

/// The same when nobody waits for the run.
#[test]
fn U2_a_run_that_was_dropped_keeps_what_it_uses() {
    let (fake, session) = session();
    let model = model(&session);
    let idle = fake.card_memory_in_use();
    let binding = model.bind(0).unwrap();
    fake.hold_jobs();
    drop(binding.start().unwrap());
    drop(binding);
    assert_eq!(session.reap(), 1);
    fake.release_jobs();
    assert!(fake.card_memory_in_use() > idle);
    session.settle(SOON).unwrap();
    assert_eq!((fake.failed_runs(), fake.card_memory_in_use()), (0, idle));
}

/// The run takes longer than its time: the card still reads and writes its tensors.
#[test]
fn U2_nothing_is_freed_while_a_late_run_may_go_on() {
    let (fake, session) = session();
    let model = model(&session);
    let idle = fake.card_memory_in_use();
    let binding = model.bind(0).unwrap();
    fake.stall_next_job(1);
    let error = binding.run().unwrap_err();
    drop(binding);
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    session.settle(SOON).unwrap();
    assert!(fake.card_memory_in_use() > idle, "freed under the run");
    // Whoever gets memory now must not get that of the run.
    let other = CardMemory::new(&session.stream(), 8192).unwrap();
    other.set(9).unwrap();
    assert!(fake.end_stalled().iter().all(Option::is_some));
    assert_eq!(fake.failed_runs(), 0);
    let buffer = session.buffer(8192).unwrap();
    other.fetch(0, &buffer, 0..8192).unwrap();
    assert!(buffer.read().unwrap().iter().all(|byte| *byte == 9));
    // A later call of the stream shows that it is over.
    let outputs = model.run_bytes(&[&[1; 5000]]).unwrap();
    assert!(outputs[0].iter().all(|byte| *byte == 2));
    drop(other);
    session.settle(SOON).unwrap();
    assert_eq!(fake.card_memory_in_use(), idle);
}

#[test]
fn U2_a_late_picture_keeps_its_memory() {
    let (fake, session) = session();
    // A start, and a frame header of 32x16 pixels.
    let jpeg = [
        0xFF, 0xD8, 0xFF, 0xC0, 0, 17, 8, 0, 16, 0, 32, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1,
        0xFF, 0xD9,
    ];
    fake.stall_next_job(1);
    let error = ax650::media::jpeg::decode(&session, &jpeg).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    session.settle(SOON).unwrap();
    assert!(fake.card_memory_in_use() > 0, "freed under the decoder");
}

/// A copy that broke off is in no stream's order: its memory is kept as long as the session.
#[test]
fn U2_a_broken_copy_keeps_its_memory() {
    let (fake, session) = session();
    let stream = session.stream();
    let memory = CardMemory::new(&stream, 4096).unwrap();
    let buffer = session.buffer(4096).unwrap();
    fake.fail_next_job(0, Errno::ETIME);
    memory.fill(0, &buffer, 0..4096).unwrap_err();
    drop(memory);
    stream.echo(b"x", None).unwrap();
    session.settle(SOON).unwrap();
    assert_eq!(fake.card_memory_in_use(), 4096);
    drop((session, stream));
    assert_eq!(fake.open_handles().0, 0);
}

#[test]
fn U2_jobs_keep_memory_that_calls_name() {
    let (fake, session) = session();
    let stream = session.stream();
    let memory = CardMemory::new(&stream, 4096).unwrap();
    let part = memory.part(1024, 1024).unwrap();
    assert_eq!(part.address(), memory.address() + 1024);
    fake.hold_jobs();
    let by_job = stream.job().keep(&part).then(stream.echo_call(b"a"));
    let by_job = by_job.submit().unwrap();
    let call = stream.echo_call(b"b").keep(&memory);
    let by_call = stream.job().then(call).submit().unwrap();
    drop((memory, part));
    fake.release_jobs();
    by_job.wait().unwrap();
    assert_eq!(fake.card_memory_in_use(), 4096);
    by_call.wait().unwrap();
    assert_eq!(fake.card_memory_in_use(), 0);
}

/// A model's file that cannot be read to its end, with a piece on its way.
struct Broken(Arc<FakeCard>, u32);

impl Read for Broken {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.1 += 1;
        match self.1 {
            1 => {}
            2 => self.0.hold_jobs(),
            _ => return Err(io::Error::other("broken")),
        }
        room.fill(0);
        Ok(room.len())
    }
}

#[test]
fn U3_a_piece_of_a_model_on_its_way_keeps_its_memory() {
    let (fake, session) = session();
    let mut source = Broken(fake.clone(), 0);
    let error = Model::load_from(&session, "m", &mut source, 12 << 20).unwrap_err();
    assert!(error.to_string().contains("broken"), "{error}");
    assert_eq!(fake.open_jobs(), 1, "more than the copy is under way");
    fake.release_jobs();
    assert_eq!(fake.card_memory_in_use(), 12 << 20);
    session.settle(SOON).unwrap();
    assert_eq!(fake.card_memory_in_use(), 0);
}

/// What the card is asked for by a child that drops everything, and how the child's calls end.
#[test]
fn U4_a_child_acts_on_nothing_of_its_parent() {
    let fake = FakeCard::new();
    let card = fake.open();
    let session = card.session().unwrap();
    let model = model(&session);
    let binding = model.bind(0).unwrap();
    let stream = session.new_context().unwrap();
    let memory = CardMemory::new(&stream, 4096).unwrap();
    let buffer = session.buffer(4096).unwrap();
    fake.hold_jobs();
    let pending = binding.start().unwrap();
    let (submits, handles) = (fake.submits(), fake.open_handles());
    // SAFETY: the child uses only what is its own thread's.
    if let ForkResult::Child = unsafe { fork() }.unwrap() {
        let lost = |error: Option<Error>| {
            error.is_some_and(|error| error.kind() == ErrorKind::LostSession)
        };
        let refused = [
            lost(stream.echo(b"x", None).err()),
            lost(memory.set(1).err()),
            lost(buffer.read().err()),
            lost(session.buffer(10).err()),
            lost(card.session().err()),
            lost(card.boot(false).err()),
            lost(model.bind(0).err()),
            lost(pending.wait().err()),
            card.info().is_ok(),
        ];
        let good = refused.iter().all(|refused| *refused);
        let closed = memory.close(SOON).is_err();
        drop((binding, model, stream, buffer, session, card));
        let same = (fake.submits(), fake.open_handles()) == (submits, handles);
        let code = i32::from(!good) + 2 * i32::from(!closed) + 4 * i32::from(!same);
        // SAFETY: ends the child without what the test's process has registered for its end.
        unsafe { libc::_exit(code) }
    } else {
        let status = nix::sys::wait::wait().unwrap();
        assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
        fake.release_jobs();
        pending.wait().unwrap();
        memory.fill(0, &buffer, 0..4096).unwrap();
    }
}

/// A slice that a child has from before the fork is not there any more.
#[test]
fn U4_buffers_are_not_mapped_in_children() {
    let (_fake, session) = session();
    let buffer = session.buffer(4096).unwrap();
    let guard = buffer.read().unwrap();
    // SAFETY: the child only reads.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let byte = std::hint::black_box(&guard)[0];
            // SAFETY: as above.
            unsafe { libc::_exit(byte.into()) }
        }
        ForkResult::Parent { child } => {
            let status = waitpid(child, None).unwrap();
            assert!(
                matches!(status, WaitStatus::Signaled(_, signal, _) if signal as i32 == libc::SIGSEGV),
                "{status:?}"
            );
        }
    }
    assert_eq!(guard[0], 0);
}

#[test]
fn U8_each_pending_job_can_be_polled() {
    let (fake, session) = session();
    let stream = session.stream();
    let binding = model(&session).bind(0).unwrap();
    fake.hold_jobs();
    let submit = || stream.job().then(stream.echo_call(b"x")).submit().unwrap();
    let (first, second, run) = (submit(), submit(), binding.start().unwrap());
    assert!(!is_readable(first.as_fd()) && !is_readable(run.as_fd()));
    fake.release_jobs();
    assert!(is_readable(first.as_fd()) && is_readable(second.as_fd()));
    assert!(is_readable(run.as_fd()));
    first.wait().unwrap();
    assert!(is_readable(second.as_fd()));
    second.wait().unwrap();
    run.wait().unwrap();
}

#[test]
fn U8_the_node_is_quiet_after_a_reap() {
    let fake = FakeCard::new();
    let card: Card = fake.open();
    let session = card.session().unwrap();
    let stream = session.stream();
    let memory = CardMemory::new(&stream, 64).unwrap();
    let buffer = session.buffer(64).unwrap();
    assert!(!is_readable(card.as_fd()));
    fake.hold_jobs();
    let part = Part::from_card(&buffer, 0..64, &memory);
    drop(stream.job().then(part).submit().unwrap());
    assert_eq!(session.reap(), 1);
    fake.release_jobs();
    assert!(is_readable(card.as_fd()));
    assert_eq!(session.reap(), 0);
    assert!(!is_readable(card.as_fd()), "an event loop would spin");
    assert!(buffer.read().is_ok());
    // A job that has ended when it is dropped leaves nothing at all.
    drop(stream.job().then(stream.echo_call(b"x")).submit().unwrap());
    assert!(!is_readable(card.as_fd()));
    assert_eq!(fake.open_jobs(), 0);
}

#[test]
fn U13_dropping_does_not_wait_for_the_card() {
    let (fake, session) = session();
    let model = model(&session);
    let binding = model.bind(0).unwrap();
    let pieces: Vec<_> = (0..100)
        .map(|_| CardMemory::new(&session.stream(), 4096).unwrap())
        .collect();
    let stream = session.new_context().unwrap();
    fake.hold_jobs();
    let begin = Instant::now();
    drop((binding, model, pieces, stream));
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );
    assert!(fake.open_jobs() <= 8, "no room left for the user's jobs");
    let error = session.settle(Duration::from_millis(10)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    fake.release_jobs();
    session.settle(SOON).unwrap();
    assert_eq!((fake.card_memory_in_use(), fake.open_jobs()), (0, 0));
    // With all jobs taken it waits in the session.
    let memory = CardMemory::new(&session.stream(), 4096).unwrap();
    fake.limit_jobs(0);
    drop(memory);
    assert_eq!(fake.card_memory_in_use(), 4096);
    fake.limit_jobs(64);
    session.settle(SOON).unwrap();
    assert_eq!(fake.card_memory_in_use(), 0);
}

#[test]
fn U13_close_tells_how_it_went() {
    let (fake, session) = session();
    let stream = session.new_context().unwrap();
    let memory = CardMemory::new(&stream, 64).unwrap();
    let part = memory.part(0, 32).unwrap();
    assert_eq!(memory.close(SOON).unwrap_err().kind(), ErrorKind::Busy);
    assert_eq!(fake.card_memory_in_use(), 64);
    part.close(SOON).unwrap();
    assert_eq!(fake.card_memory_in_use(), 0);
    let model = model(&session);
    let binding = model.bind(0).unwrap();
    assert_eq!(model.close(SOON).unwrap_err().kind(), ErrorKind::Busy);
    let model = binding.model().clone();
    binding.close(SOON).unwrap();
    model.close(SOON).unwrap();
    stream.close(SOON).unwrap();
    let memory = CardMemory::new(&session.stream(), 64).unwrap();
    fake.fail_next_job(0, Errno::ETIME);
    assert_eq!(memory.close(SOON).unwrap_err().kind(), ErrorKind::Timeout);
    let other = session.clone();
    assert_eq!(session.close(SOON).unwrap_err().kind(), ErrorKind::Busy);
    other.close(SOON).unwrap();
    assert_eq!(fake.open_handles().0, 0);
}

#[test]
fn U15_the_longest_times_do_not_panic() {
    let (fake, session) = session();
    let stream = session.stream();
    let longest = Duration::MAX;
    stream.echo(b"x", Some(longest)).unwrap();
    stream.sync(longest).unwrap();
    session.settle(longest).unwrap();
    let job = || stream.job().then(stream.echo_call(b"x")).timeout(longest);
    job().submit().unwrap().wait().unwrap();
    assert!(job().submit().unwrap().wait_for(longest).unwrap().is_some());
    let mut binding = model(&session).bind(0).unwrap();
    binding.set_timeout(Some(longest));
    binding.run().unwrap();
    binding.start().unwrap().wait_for(longest).unwrap().unwrap();
    binding.close(longest).unwrap();
    drop(fake);
}

#[test]
fn U16_a_fake_card_can_be_polled() {
    let fake = FakeCard::new();
    let card = fake.open();
    let session = card.session().unwrap();
    let stream = session.stream();
    let pending = stream.job().then(stream.echo_call(b"x")).submit().unwrap();
    assert!(is_readable(card.as_fd()) && is_readable(pending.as_fd()));
    pending.wait().unwrap();
    assert!(!is_readable(card.as_fd()));
}

/// The answer did not fit: that is an end, and the copy behind it was never begun.
#[test]
fn U17_a_job_that_surely_ended_loses_no_buffer() {
    let (fake, session) = session();
    let stream = session.stream();
    let memory = CardMemory::new(&stream, 64).unwrap();
    let buffer = session.buffer(64).unwrap();
    fake.hold_jobs();
    let job = stream
        .job()
        .then(stream.echo_call(&[1; 1000]).with_capacity(100))
        .then(Part::from_card(&buffer, 0..64, &memory));
    drop(job.submit().unwrap());
    fake.release_jobs();
    assert_eq!(session.reap(), 0);
    assert!(buffer.read().is_ok());
}

/// The run took too long, but nothing was copied out of it: the binding is as good as before.
#[test]
fn U17_a_binding_survives_a_late_run() {
    let (fake, session) = session();
    let binding = model(&session).bind(0).unwrap();
    binding.input(0).unwrap().fill(1);
    fake.stall_next_job(1);
    binding.run().unwrap_err();
    fake.end_stalled();
    binding.run().unwrap();
    assert!(binding.output(0).unwrap().iter().all(|byte| *byte == 2));
    // Broken off while its outputs were copied, it is not.
    fake.fail_next_job(2, Errno::ETIME);
    binding.run().unwrap_err();
    assert!(matches!(binding.output(0), Err(Error::BufferLost)));
    assert!(binding.input(0).is_ok());
}

/// Calls whose answers never come, and then many at a time.
#[test]
fn U18_lost_calls_use_up_no_room() {
    let (fake, session) = session();
    let stream = session.stream();
    for _ in 0..100 {
        fake.fail_next_job(0, Errno::ETIME);
        stream.echo(b"lost", None).unwrap_err();
    }
    let pending = |count: u8| -> Vec<_> {
        (0..count)
            .map(|_| stream.job().then(stream.echo_call(b"x")).submit().unwrap())
            .collect()
    };
    fake.hold_jobs();
    let first = pending(40);
    assert!(fake.open_handles().1 <= 41, "{:?}", fake.open_handles());
    fake.release_jobs();
    first.into_iter().for_each(|job| drop(job.wait().unwrap()));
    // Now that calls of the stream were answered all places are there again.
    fake.hold_jobs();
    let buffers = fake.open_handles().1;
    let second = pending(60);
    assert_eq!(fake.open_handles().1, buffers);
    fake.release_jobs();
    second.into_iter().for_each(|job| drop(job.wait().unwrap()));
}

/// Where no later call is answered, a new sheet of places takes over.
#[test]
fn U18_lost_places_are_replaced() {
    let (fake, session) = session();
    for round in 0..200 {
        let stream = session.new_context().unwrap();
        fake.fail_next_job(0, Errno::ETIME);
        stream.echo(b"lost", None).unwrap_err();
        assert!(
            fake.open_handles().1 < 40,
            "{round}: {:?}",
            fake.open_handles()
        );
    }
}

#[test]
fn U19_room_for_impossible_answers_is_refused() {
    let (fake, session) = session();
    let stream = session.stream();
    let buffers = fake.open_handles().1;
    for capacity in [usize::MAX, usize::MAX / 2 + 2, (8 << 20) + 1] {
        let result = stream.native_raw(Module::Sys, 1, &[], capacity, None);
        assert_invalid(result, &["native call 1", "8388608"]);
        let call = stream.echo_call(b"x").with_capacity(capacity);
        assert_invalid(stream.call(call, None), &["8388608"]);
    }
    assert_eq!(fake.open_handles().1, buffers);
}

/// Threads that leave jobs, drop what they use, look after them and wait for them, all in one session.
#[test]
fn U2_many_threads_may_drop_and_reap() {
    let (fake, session) = session();
    let model = model(&session);
    let idle = fake.card_memory_in_use();
    std::thread::scope(|scope| {
        for thread in 0..8_u32 {
            let (session, model, fake) = (&session, &model, &fake);
            scope.spawn(move || {
                // The faults hit the jobs of any thread.
                let turn = |round: u32| -> Result<(), Error> {
                    let memory = CardMemory::new(&session.stream(), 4096)?;
                    let binding = model.bind(0)?;
                    let run = binding.start()?;
                    match (thread + round) % 4 {
                        0 => drop(run),
                        1 => drop(run.wait()?),
                        2 => drop((run, session.reap())),
                        _ => {
                            fake.fail_next_job(0, Errno::ETIME);
                            session.stream().echo(b"x", None)?;
                        }
                    }
                    drop((memory, binding));
                    if round % 16 == 0 {
                        session.settle(SOON)?;
                    }
                    Ok(())
                };
                assert!((0..60).filter(|round| turn(*round).is_ok()).count() > 0);
            });
        }
    });
    // Jobs that a fault has hit keep what they used for as long as the session; the others do not.
    session.settle(SOON).unwrap();
    assert_eq!(fake.failed_runs(), 0);
    assert!(fake.open_jobs() == 0 && fake.card_memory_in_use() >= idle);
    drop((model, session));
    assert_eq!(fake.open_handles(), (0, 0));
    assert_eq!(fake.card_memory_in_use(), 0);
}
