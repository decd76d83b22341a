// SPDX-License-Identifier: MIT OR Apache-2.0

//! Calls that are sent together: what they cost without the card's help, and what happens when the answers are slow, or
//! their interrupts lost.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650::proto::axclrpc::memory::{Api, RequestBody};
use ax650_test_kit::case::rounds;
use ax650_test_kit::costs::{count, least, Counts};
use ax650_uapi::*;

use crate::case::Context;
use crate::client::Client;
use crate::{frame, runner};

crate::cases!["chains":
    P26_the_library_sends_calls_together,
    P26_calls_without_answers_end_with_one,
    P26_slow_calls_are_left_to_interrupts { timeout_s: 90 },
    R30_chains_whose_interrupts_are_lost,
    waits_that_do_not_poll,
];

/// A token of a small language model.
const CALLS: usize = 37;

fn at_the_floor(what: &str, costs: Counts) -> Result<()> {
    eprintln!("{what}: {costs:?}");
    ensure!(
        costs.doorbells == 1 && costs.interrupts <= 2 && costs.registers() <= 8,
        "{what}: {costs:?}"
    );
    Ok(())
}

/// Neither a job whose author knows nothing of what may be sent together, nor a chain, needs more.
fn P26_the_library_sends_calls_together(context: &mut Context) -> Result<()> {
    let session = ax650::Card::open_index(0)?.session()?;
    let stream = session.stream();
    let job = least(context, rounds(30, 50), || {
        let mut job = stream.job();
        for call in 0..CALLS {
            job = job.then(stream.echo_call(&[call as u8; 20]));
        }
        let mut done = job.run()?;
        for call in 0..CALLS {
            ax650::check_echo(done.answer(call)?, &[call as u8; 20])?;
        }
        Ok(())
    })?;
    at_the_floor("a job of the library", job)?;

    let mut chain = stream.chain();
    for call in 0..CALLS {
        chain.push(stream.echo_call(&[call as u8; 20]))?;
    }
    let again = least(context, rounds(30, 50), || {
        chain.run()?;
        for call in 0..CALLS {
            ax650::check_echo(chain.answer(call)?, &[call as u8; 20])?;
        }
        Ok(())
    })?;
    at_the_floor("a chain of the library", again)
}

/// A call that sets bytes of card memory and asks for no answer.
fn quiet_memset(client: &mut Client, address: u64, size: u32, value: u32) -> Vec<u8> {
    let body = RequestBody {
        addr: address,
        size: Some(size),
        value: Some(value),
        noresp: Some(1),
        ..Default::default()
    };
    let header = client.header(frame::kind_of_memory(Api::Set), 0);
    frame::request(header, frame::memory(Api::Set, body))
}

/// Many small calls, none of which asks for an answer but the last.
fn P26_calls_without_answers_end_with_one(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let address = client.malloc(4096)?;
    let buffer = client.buffer(4096)?;
    let costs = least(context, rounds(30, 50), || {
        let mut frames: Vec<_> = (0..CALLS - 1)
            .map(|at| quiet_memset(&mut client, address + at as u64, 64, at as u32))
            .collect();
        frames.push(client.echo_frame(b"and now an answer").1);
        let steps: Vec<_> = frames
            .iter()
            .enumerate()
            .map(|(at, frame)| {
                let is_last = at == CALLS - 1;
                let step = client.call_step(frame, 0, 512);
                ax650_step {
                    flags: AX650_STEP_PIPELINED | if is_last { 0 } else { AX650_STEP_NO_REPLY },
                    reply_buffer: if is_last { step.reply_buffer } else { 0 },
                    reply_capacity: if is_last { step.reply_capacity } else { 0 },
                    ..step
                }
            })
            .collect();
        client.run(&steps).map(drop)
    })?;
    eprintln!("{CALLS} calls, one with an answer: {costs:?}");
    ensure!(costs.doorbells == 1 && costs.registers() <= 4, "{costs:?}");
    ensure!(costs.interrupts <= 2, "{costs:?}");
    // They have all been carried out, in order.
    let step = client.copy_step(AX650_STEP_COPY_FROM_CARD, &buffer, 0, address, 36);
    client.run(&[step])?;
    let bytes = buffer.map.read(0, 36);
    ensure!(
        bytes
            .iter()
            .enumerate()
            .all(|(at, &byte)| usize::from(byte) == at),
        "{bytes:?}"
    );
    Ok(())
}

/// Who looks into the ring does not go on for ever; later chains have it again.
fn P26_slow_calls_are_left_to_interrupts(context: &mut Context) -> Result<()> {
    let session = ax650::Card::open_index(0)?.session()?;
    let stream = session.stream();
    let mut chain = stream.chain();
    for call in 0..8 {
        chain.push(stream.echo_call(&[call; 20]))?;
    }
    context.host.switch(0, "rpc.delay_ms", 10)?;
    for round in 0..12 {
        let costs = count(context, 1, || Ok(chain.run()?))?;
        eprintln!("slow chain {round}: {costs:?}");
        ensure!(costs.interrupts >= 2, "{costs:?}");
    }
    context.host.clear(0)?;
    // Left alone for a while; then as before.
    let mut calm = None;
    for round in 0..200 {
        let costs = count(context, 1, || Ok(chain.run()?))?;
        if costs.interrupts <= 1 {
            calm = Some(round);
            break;
        }
    }
    eprintln!("polled again after {calm:?} chains");
    calm.context("interrupts are never kept back any more")?;
    Ok(())
}

/// Who looks into the ring needs none.
fn R30_chains_whose_interrupts_are_lost(context: &mut Context) -> Result<()> {
    let session = ax650::Card::open_index(0)?.session()?;
    let stream = session.stream();
    let mut chain = stream.chain();
    for call in 0..CALLS {
        chain.push(stream.echo_call(&[call as u8; 20]))?;
    }
    chain.run()?;
    context.host.switch(0, "msi.lose", true)?;
    let begin = Instant::now();
    for _ in 0..rounds(20, 500) {
        chain.run()?;
    }
    let took = begin.elapsed() / rounds(20, 500);
    context.host.clear(0)?;
    eprintln!("a chain without interrupts takes {took:?}");
    ensure!(
        took < Duration::from_millis(100) * runner::slowness(),
        "{took:?}"
    );
    Ok(())
}

/// A caller may want to sleep at once; what it gets is the same.
fn waits_that_do_not_poll(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    for flags in [0, AX650_WAIT_NO_POLL] {
        let begin = Instant::now();
        for round in 0..200 {
            let data = [round as u8; 64];
            let (header, frame) = client.echo_frame(&data);
            let job = client.submit(&[client.call_step(&frame, 0, 512)])?;
            let mut result = ax650_step_result::default();
            let mut wait = ax650_wait {
                job,
                timeout_ns: u64::MAX,
                results: std::ptr::from_mut(&mut result) as u64,
                result_count: 1,
                result_size: size_of::<ax650_step_result>() as u32,
                flags,
                ..Default::default()
            };
            let argument = std::ptr::from_mut(&mut wait).cast();
            // SAFETY: the request's argument, with room for one result.
            unsafe { client.card.raw(AX650_IOC_WAIT.into(), argument) }.context("WAIT")?;
            ensure!(wait.status == 0 && wait.job == job, "{}", wait.status);
            ensure!(client.echo_answer(&header, 0, result.bytes)? == data);
        }
        eprintln!("flags {flags}: {:?} a call", begin.elapsed() / 200);
    }
    Ok(())
}
