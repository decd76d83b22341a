// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the library owns on a card, and for how long.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650::{Card, CardMemory, ErrorKind, Model, Part};
use serde_json::json;

use crate::case::{Context, TWO_CARDS};
use crate::client::canary;
use crate::process::{self, End};
use crate::{kernel, onnx, runner};

crate::cases!["library":
    U1_a_buffer_of_another_card_is_refused { machines: &[TWO_CARDS] },
    U2_a_binding_may_go_before_its_run,
    U2_a_late_run_keeps_its_memory,
    U4_a_child_ends_nothing_of_its_parent,
    U13_dropping_does_not_wait_for_a_card,
    tensors_stay_on_the_card,
];

const SOON: Duration = Duration::from_secs(20);

/// Card memory in use on the first card.
fn used(context: &mut Context) -> Result<u64> {
    let state = context.host.card(0, "state", json!({}))?;
    state["state"]["cmm"]["used"]
        .as_u64()
        .context("the card does not tell")
}

/// Handles are numbers of one file: those of the two cards are the same.
fn U1_a_buffer_of_another_card_is_refused(_: &mut Context) -> Result<()> {
    let (mine, theirs) = (
        Card::open_index(0)?.session()?,
        Card::open_index(1)?.session()?,
    );
    let stream = mine.stream();
    let memory = CardMemory::new(&stream, 4096)?;
    memory.set(7)?;
    let (victim, foreign) = (mine.buffer(4096)?, theirs.buffer(4096)?);
    let job = stream
        .job()
        .then(Part::from_card(&foreign, 0..4096, memory.address()));
    let Err(error) = job.run() else {
        anyhow::bail!("accepted");
    };
    ensure!(error.kind() == ErrorKind::Invalid, "{error}");
    let text = error.to_string();
    ensure!(
        text.contains("ax650-0") && text.contains("ax650-1"),
        "{text}"
    );
    ensure!(
        victim.read()?.iter().all(|byte| *byte == 0),
        "another buffer was written"
    );
    let call = theirs.stream().echo_call(b"x");
    ensure!(
        stream.call(call, None).is_err(),
        "a call of another card was accepted"
    );
    memory.fetch(0, &victim, 0..4096)?;
    ensure!(victim.read()?.iter().all(|byte| *byte == 7));
    Ok(())
}

/// The run goes on with what it uses; after it all of that is given back.
fn U2_a_binding_may_go_before_its_run(context: &mut Context) -> Result<()> {
    let session = Card::open_first()?.session()?;
    session.stream().echo(b"begin", None)?;
    let before = used(context)?;
    for _ in 0..3 {
        let model = onnx::binary("Mul", &["x", "x"], &["y"], 200_000);
        let model = Model::load_bytes(&session, &model)?;
        let binding = model.bind(0)?;
        binding.input("x")?.fill(0);
        let run = binding.start()?;
        drop((binding, model));
        run.wait()?;
    }
    session.settle(SOON)?;
    kernel::until("the card's memory to come back", SOON, || {
        Ok(used(context)? <= before)
    })
}

/// The job's time is over, but the card is still at the run: its memory must not become another's.
fn U2_a_late_run_keeps_its_memory(context: &mut Context) -> Result<()> {
    let session = Card::open_first()?.session()?;
    let model = Model::load_bytes(&session, &onnx::binary("Mul", &["x", "x"], &["y"], 1000))?;
    model.run_bytes(&[&[0; 4000]])?;
    session.settle(SOON)?;
    let idle = used(context)?;
    let mut binding = model.bind(0)?;
    let bound = used(context)?;
    ensure!(bound > idle);
    binding.set_timeout(Some(Duration::from_secs(1)));
    context.host.switch(0, "rpc.delay_ms", 6000)?;
    let Err(error) = binding.run() else {
        anyhow::bail!("in time all the same");
    };
    ensure!(error.kind() == ErrorKind::Timeout, "{error}");
    drop(binding);
    std::thread::sleep(Duration::from_millis(500));
    ensure!(
        used(context)? >= bound,
        "its memory was freed while the card was at it"
    );
    context.host.clear(0)?;
    // A later run of the same stream shows that the first is over.
    let out = model.run_bytes(&[&2.0_f32.to_le_bytes().repeat(1000)])?;
    ensure!(out[0][..4] == 4.0_f32.to_le_bytes());
    session.settle(SOON)?;
    kernel::until("the card's memory to come back", SOON, || {
        Ok(used(context)? <= idle)
    })
}

/// A child that drops all it has inherited, and one that is killed.
fn U4_a_child_ends_nothing_of_its_parent(_: &mut Context) -> Result<()> {
    let card = Card::open_first()?;
    let session = card.session()?;
    let model = Model::load_bytes(&session, &onnx::binary("Add", &["x", "x"], &["y"], 1000))?;
    let binding = model.bind(0)?;
    let memory = CardMemory::new(&session.stream(), 4096)?;
    memory.set(5)?;
    let buffer = session.buffer(4096)?;
    let child = process::fork(|| {
        for error in [
            session.stream().echo(b"x", None).err(),
            binding.run().err(),
            buffer.read().err(),
            card.session().err(),
        ] {
            let error = error.context("a child could use its parent's card")?;
            ensure!(error.kind() == ErrorKind::LostSession, "{error}");
        }
        // SAFETY: each is read once; the parent's own are in another process, and this one ends without touching its
        // copies again.
        unsafe {
            drop(std::ptr::read(&memory));
            drop(std::ptr::read(&binding));
            drop(std::ptr::read(&model));
            drop(std::ptr::read(&buffer));
            drop(std::ptr::read(&session));
            drop(std::ptr::read(&card));
        }
        Ok(())
    })?;
    let end = child.wait(SOON * runner::slowness())?;
    ensure!(end == End::Exit(0), "{end:?}, see the console");
    let guard = buffer.read()?;
    let child = process::fork(|| {
        ensure!(std::hint::black_box(&guard)[0] == 0);
        Ok(())
    })?;
    let end = child.wait(SOON * runner::slowness())?;
    ensure!(
        end == End::Signal(libc::SIGSEGV),
        "the child sees the parent's buffer: {end:?}"
    );
    drop(guard);
    binding.set_input("x", &1.0_f32.to_le_bytes().repeat(1000))?;
    binding.run()?;
    ensure!(*binding.output("y")? == 2.0_f32.to_le_bytes().repeat(1000));
    memory.fetch(0, &buffer, 0..4096)?;
    ensure!(buffer.read()?.iter().all(|byte| *byte == 5));
    canary(0)
}

/// The card answers nothing any more: whoever drops does not wait for it.
fn U13_dropping_does_not_wait_for_a_card(context: &mut Context) -> Result<()> {
    let session = Card::open_first()?.session()?;
    let model = Model::load_bytes(&session, &onnx::binary("Add", &["x", "x"], &["y"], 1000))?;
    let binding = model.bind(0)?;
    let pieces = (0..100)
        .map(|_| CardMemory::new(&session.stream(), 4096))
        .collect::<Result<Vec<_>, _>>()?;
    context.host.switch(0, "rpc.drop", true)?;
    let begin = Instant::now();
    drop((pieces, binding, model));
    let took = begin.elapsed();
    ensure!(
        took < Duration::from_secs(1) * runner::slowness(),
        "{took:?}"
    );
    let Err(error) = session.settle(Duration::from_millis(500)) else {
        anyhow::bail!("given back without an answer");
    };
    ensure!(error.kind() == ErrorKind::Timeout, "{error}");
    context.host.clear(0)?;
    drop(session);
    canary(0)
}

/// Two layers and a state: of a token only the token crosses the link, and one request is all there is to it.
fn tensors_stay_on_the_card(_: &mut Context) -> Result<()> {
    const LEN: usize = 1000;
    const BYTES: usize = 4 * LEN;
    let card = Card::open_first()?;
    let session = card.session()?;
    let layer = |operator, inputs: &[&str]| {
        let model = onnx::binary(operator, inputs, &["y"], LEN as u64);
        Model::load_bytes(&session, &model)?.bind_on_card(0)
    };
    // state = state + token; result = state * state.
    let mut first = layer("Add", &["token", "state"])?;
    let mut second = layer("Mul", &["x", "x"])?;
    first.input("state")?.set(0)?;
    let tokens = session.buffer_of(vec![0_u8; BYTES])?;
    let result = session.buffer(BYTES)?;
    let (before, mut sum) = (card.counters()?.0, 0.0_f32);
    let stream = session.stream();
    for token in 1..=5_u8 {
        sum += f32::from(token);
        let bytes = f32::from(token).to_le_bytes().repeat(LEN);
        tokens.write()?.copy_from_slice(&bytes);
        second.set_input("x", first.output("y")?)?;
        let job = stream.job();
        let job = job.then(Part::to_card(&tokens, 0..BYTES, first.input("token")?));
        let (job, one) = first.add_to(job);
        let (job, two) = second.add_to(job);
        let mut done = job.run()?;
        one.finish(&mut done)?;
        two.finish(&mut done)?;
        first.swap("state", "y")?;
    }
    let after = card.counters()?.0;
    let moved = (
        after.bytes_to_card - before.bytes_to_card,
        after.bytes_from_card - before.bytes_from_card,
    );
    ensure!(
        moved == (5 * BYTES as u64, 0),
        "{moved:?} bytes have crossed"
    );
    second.output("y")?.fetch(0, &result, 0..BYTES)?;
    let wanted = (sum * sum).to_le_bytes().repeat(LEN);
    ensure!(*result.read()? == wanted[..], "not {sum} squared");
    Ok(())
}
