// SPDX-License-Identifier: MIT OR Apache-2.0

//! Calls: one, chains of as many as a token of a small language model takes, runs of a model.

use anyhow::{ensure, Context as _, Result};
use ax650::{Card, Model, Stream};
use ax650_test_kit::costs::Meter;

use super::NATIVE;
use crate::case::Context;
use crate::client::pattern;
use crate::onnx;

/// RunModel calls of a token.
const CHAIN: usize = 37;
/// Sessions that are open at once, fewer than a file may have: to close one is not a cost of opening another.
const OPEN: usize = 4;

pub(super) fn calls(context: &mut Context) -> Result<()> {
    let mut meter = Meter::new(context, NATIVE);
    let card = Card::open_first()?;
    let mut open = Vec::new();
    meter.measure("open a session", 20, || {
        if open.len() == OPEN {
            open.clear();
        }
        open.push(card.session()?);
        Ok(())
    })?;
    drop(open);
    let session = card.session()?;
    let stream = session.stream();
    meter.measure("small call", 1000, || Ok(stream.echo(b"small", None)?))?;
    let long = pattern(5000, 1);
    meter.measure("long frame there and back", 200, || {
        Ok(stream.echo(&long, None)?)
    })?;
    meter.measure("37 calls one by one", 50, || {
        (0..CHAIN).try_for_each(|at| Ok(stream.echo(&[at as u8; 20], None)?))
    })?;
    meter.measure("37 calls in a job", 50, || chain(&stream, false, CHAIN))?;
    meter.measure("37 calls, pipelined", 50, || chain(&stream, true, CHAIN))?;
    Ok(())
}

/// A job of calls that are all answered.
fn chain(stream: &Stream, pipelined: bool, calls: usize) -> Result<()> {
    let mut job = stream.job();
    for at in 0..calls {
        let call = stream.echo_call(&[at as u8; 20]);
        job = if pipelined {
            job.along(call)
        } else {
            job.then(call)
        };
    }
    let mut done = job.run()?;
    for at in 0..calls {
        ax650::check_echo(done.answer(at)?, &[at as u8; 20])?;
    }
    Ok(())
}

/// Two cards do twice the work with as many doorbells each.
pub(super) fn chains_on_two_cards(context: &mut Context) -> Result<()> {
    let streams =
        [0, 1].map(|card| -> Result<Stream> { Ok(Card::open_index(card)?.session()?.stream()) });
    let [first, second] = streams;
    let (first, second) = (first?, second?);
    // From one thread: both jobs are under way at the same time.
    let one = Meter::new(context, NATIVE).measure(
        "37 calls, pipelined, on one of two cards",
        50,
        || chain(&first, true, CHAIN),
    )?;
    let both = Meter::new(context, NATIVE).of_cards(2).measure(
        "37 calls, pipelined, on each of two cards",
        50,
        || {
            let mut pending = Vec::new();
            for stream in [&first, &second] {
                let mut job = stream.job();
                for at in 0..CHAIN {
                    job = job.along(stream.echo_call(&[at as u8; 20]));
                }
                pending.push(job.submit()?);
            }
            for job in pending {
                let mut done = job.wait()?;
                for at in 0..CHAIN {
                    ax650::check_echo(done.answer(at)?, &[at as u8; 20])?;
                }
            }
            Ok(())
        },
    )?;
    // Work for each doorbell of a card: one chain for `one`, two for what each of the two has seen.
    let scale = 2.0 * one.doorbells as f64 / (both.doorbells as f64 / 2.0);
    eprintln!("two cards do {scale:.2} times the work of one for each doorbell of a card");
    ensure!(scale >= 1.9, "{scale:.2}: {one:?}, {both:?}");
    Ok(())
}

/// Inputs in, run, outputs out.
pub(super) fn inference(context: &mut Context) -> Result<()> {
    let session = Card::open_first()?.session()?;
    let model = Model::load_bytes(&session, &onnx::binary("Add", &["x", "x"], &["y"], 1000))?;
    let binding = model.bind(0)?;
    binding.set_input("x", &1.5_f32.to_le_bytes().repeat(1000))?;
    Meter::new(context, NATIVE).measure("inference", 300, || Ok(binding.run().map(drop)?))?;
    let output = binding.output("y")?;
    ensure!(output.chunks_exact(4).all(|y| *y == 3.0_f32.to_le_bytes()));
    drop(output);
    let three = [model.bind(0)?, model.bind(0)?, model.bind(0)?];
    for binding in &three {
        binding.input("x")?.fill(0);
    }
    // Which messages share a doorbell differs each time: for the record.
    Meter::new(context, NATIVE).record("three inferences in flight", || {
        let runs = three.each_ref().map(|binding| binding.start());
        runs.into_iter()
            .try_for_each(|run| run?.wait().map(drop))
            .context("three runs")
    })?;
    Ok(())
}
