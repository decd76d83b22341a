// SPDX-License-Identifier: MIT OR Apache-2.0

//! Two cards in one machine: what happens to one is nothing to the other.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650_uapi::*;

use crate::card::{self, Card, BOOT};
use crate::case::{Context, Start, TWO_CARDS};
use crate::client::{canary, pattern, Client, PATIENCE};
use crate::process::{self, End};
use crate::{kernel, runner};

crate::cases!["multi":
    two_cards_at_work { machines: &[TWO_CARDS], timeout_s: 90 },
    P2_one_card_never_answers { machines: &[TWO_CARDS], timeout_s: 90 },
    P2_one_card_never_boots { machines: &[TWO_CARDS], start: Start::Unloaded, timeout_s: 90 },
    P24_reset_of_one { machines: &[TWO_CARDS], timeout_s: 90 },
    R12_one_card_does_not_hold_up_the_other { machines: &[TWO_CARDS], timeout_s: 120 },
    R01_cards_are_told_apart { machines: &[TWO_CARDS] },
];

/// A process on each, at the same time.
fn two_cards_at_work(_: &mut Context) -> Result<()> {
    let work = |card: u32| {
        move || {
            let mut client = Client::new(card)?;
            for round in 0..40 {
                client.round_trip(100_000, u64::from(card) * 1000 + round)?;
                client.echo(&pattern(3000, round))?;
            }
            Ok(())
        }
    };
    for child in [process::fork(work(0))?, process::fork(work(1))?] {
        let end = child.wait(Duration::from_secs(80) * runner::slowness())?;
        ensure!(end == End::Exit(0), "{end:?}, see the console");
    }
    Ok(())
}

/// The slowest of several calls.
fn slowest(client: &mut Client, rounds: u64) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let begin = Instant::now();
        client.echo(&pattern(100, round))?;
        slowest = slowest.max(begin.elapsed());
    }
    Ok(slowest)
}

/// How calls went in a second or more, at least so many of them.
#[derive(Debug, Clone, Copy)]
struct Pace {
    median: Duration,
    slowest: Duration,
}

/// Makes calls for some seconds, and returns the best of them: a busy machine disturbs some, what the
/// driver does about the other card disturbs all.
fn pace(client: &mut Client) -> Result<Pace> {
    let mut best: Option<Pace> = None;
    for second in 0..4 {
        let mut times = Vec::new();
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end || times.len() < 20 {
            let data = pattern(100, second);
            let begin = Instant::now();
            client.echo(&data)?;
            times.push(begin.elapsed());
        }
        times.sort();
        let (median, slowest) = (times[times.len() / 2], times[times.len() - 1]);
        let best = best.get_or_insert(Pace { median, slowest });
        best.median = best.median.min(median);
        best.slowest = best.slowest.min(slowest);
    }
    best.context("no calls")
}

/// Calls of one card hang; those of the other are as quick as ever.
fn P2_one_card_never_answers(context: &mut Context) -> Result<()> {
    let (mut dumb, mut good) = (Client::new(0)?, Client::new(1)?);
    let before = pace(&mut good)?;
    context.host.switch(0, "rpc.drop", true)?;
    let (_, frame) = dumb.echo_frame(b"never answered");
    let job = dumb.submit(&[dumb.call_step(&frame, 0, 4096)])?;
    let during = pace(&mut good)?;
    eprintln!("echoes before {before:?}, meanwhile {during:?}");
    // P2: calls of the other card take no more than 10 ms longer.
    let margin = Duration::from_millis(10);
    ensure!(
        during.median < before.median * 2 + margin / 10
            && during.slowest < before.slowest * 2 + margin,
        "before {before:?}, now {during:?}"
    );
    // SESSION_CREATE on the dumb one hangs; on the other it does not.
    context.host.switch(0, "port11.no_reply", true)?;
    let waiter = std::thread::spawn(|| {
        Card::open(0).map(|c| c.session_until(kernel::now_ns() + 5_000_000_000).is_err())
    });
    for _ in 0..5 {
        let begin = Instant::now();
        canary(1)?;
        ensure!(
            begin.elapsed() < Duration::from_secs(2) * runner::slowness(),
            "{:?}",
            begin.elapsed()
        );
    }
    ensure!(
        waiter.join().map_err(|_| anyhow::anyhow!("panic"))??,
        "a session without an answer"
    );
    context.host.clear(0)?;
    dumb.wait(job, 1, Duration::from_secs(40))?;
    canary(0)
}

/// One hangs in its loader; the other boots and works.
fn P2_one_card_never_boots(context: &mut Context) -> Result<()> {
    context.host.switch(0, "loader.stuck", true)?;
    kernel::load_module("")?;
    Card::open(1)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
    ensure!(Card::open(0)?.info()?.state != AX650_STATE_RUNNING);
    canary(1)?;
    context.host.clear(0)?;
    Card::open(0)?.make_running()?;
    canary(0)
}

/// The job on the other goes on.
fn P24_reset_of_one(context: &mut Context) -> Result<()> {
    let mut other = Client::new(1)?;
    context.host.switch(1, "rpc.delay_ms", 3000)?;
    let (header, frame) = other.echo_frame(b"slow");
    let job = other.submit(&[other.call_step(&frame, 0, 4096)])?;
    let first = Card::open(0)?;
    let generations = [first.info()?.generation, other.card.info()?.generation];
    first.control(AX650_CONTROL_BOOT, 0)?;
    let results = other.finish(job, 1)?;
    ensure!(other.echo_answer(&header, 0, results[0].bytes)? == b"slow");
    context.host.clear(1)?;
    kernel::until("the boot", BOOT, || {
        let info = first.info()?;
        Ok(info.state == AX650_STATE_RUNNING && info.generation > generations[0])
    })?;
    ensure!(
        other.card.info()?.generation == generations[1],
        "the other was reset too"
    );
    other.works()?;
    canary(0)
}

/// While one is reset, booted, unbound and bound, calls of the other never take long.
fn R12_one_card_does_not_hold_up_the_other(context: &mut Context) -> Result<()> {
    let worker = std::thread::spawn(|| -> Result<Duration> {
        let mut client = Client::new(1)?;
        let mut longest = Duration::ZERO;
        let end = Instant::now() + Duration::from_secs(30);
        while Instant::now() < end {
            longest = longest.max(slowest(&mut client, 10)?);
        }
        Ok(longest)
    });
    context.host.switch(0, "reset.slow_ms", 3000)?;
    let card = Card::open(0)?;
    card.control(AX650_CONTROL_BOOT, 0)?;
    std::thread::sleep(Duration::from_secs(10));
    drop(card);
    let address = card::address(0)?;
    for file in ["unbind", "bind"] {
        kernel::write(format!("/sys/bus/pci/drivers/ax650/{file}"), &address)?;
    }
    let longest = worker.join().map_err(|_| anyhow::anyhow!("panic"))??;
    eprintln!("longest echo {longest:?}");
    ensure!(
        longest < Duration::from_millis(700) * runner::slowness(),
        "{longest:?}"
    );
    context.host.clear(0)?;
    Card::open(0)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
    canary(0)
}

/// By PCI address, whatever they call themselves: here both by the same number.
fn R01_cards_are_told_apart(context: &mut Context) -> Result<()> {
    for card in [0, 1] {
        context.host.switch(card, "card_id", 7)?;
    }
    let (mut first, mut second) = (Client::new(0)?, Client::new(1)?);
    let place = |c: &Client| -> Result<(u32, u16, u16)> {
        let info = c.card.info()?;
        Ok((info.pci_domain, info.pci_bus, info.pci_devfn))
    };
    ensure!(place(&first)? != place(&second)?);
    first.works()?;
    second.works()?;
    let address = first.malloc(1 << 20)?;
    let (one, two) = (first.card.counters()?, second.card.counters()?);
    first.round_trip(1 << 20, 4)?;
    ensure!(first.card.counters()?.bytes_to_card >= one.bytes_to_card + (1 << 20));
    ensure!(
        second.card.counters()?.bytes_to_card == two.bytes_to_card,
        "the wrong card"
    );
    ensure!(first.free(address)? == 0);
    let job = {
        let (_, frame) = second.echo_frame(b"x");
        second.submit(&[second.call_step(&frame, 0, 4096)])?
    };
    second.wait(job, 1, PATIENCE).map(drop)
}
