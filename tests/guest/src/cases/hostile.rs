// SPDX-License-Identifier: MIT OR Apache-2.0

//! A card that does what harm it can, at random, while programs use it by both doors.  They may fail; the host may not.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650_axcl_tests::client::Device;
use ax650_uapi::*;
use serde_json::json;

use super::sessions::all_gone;
use crate::card::{Card, BOOT};
use crate::case::{rounds, Context};
use crate::client::{canary, pattern, Client};
use crate::kernel;
use crate::process::{self, Child};

crate::cases!["hostile":
    P6_a_hostile_card {
        timeout_s: 180,
        soak_s: 7200,
        // It touches what it was not given, and answers that programs give back what it is at work on.
        dma_faults: true,
        allow: &["card memory freed in use"],
    },
];

/// Uses the card again and again, whatever comes of it.
fn stubborn(mut work: impl FnMut(u64) -> Result<()>) -> Result<()> {
    for round in 0.. {
        if work(round).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

fn native(round: u64) -> Result<()> {
    let mut client = Client::new(0)?;
    for number in 0..20 {
        client.echo(&pattern(200, round + number))?;
        client.echo(&pattern(5000, round + number))?;
        client.round_trip(30_000, round + number)?;
    }
    Ok(())
}

fn library(_: u64) -> Result<()> {
    let session = ax650::Card::open_first()?.session()?;
    let model = ax650::Model::load_bytes(&session, &crate::onnx::sum_and_product(100))?;
    for _ in 0..20 {
        model.run_bytes(&[&[0; 400], &[0; 400]])?;
    }
    Ok(())
}

fn axcl(round: u64) -> Result<()> {
    let device = Device::open()?;
    let scope = device.scope();
    for number in 0..20 {
        scope.echo(&pattern(3000, round + number))?;
        let at = scope.malloc(30_000)?;
        scope.write(at, &pattern(30_000, round))?;
        scope.read(at, 30_000)?;
        scope.free(at)?;
    }
    Ok(())
}

/// What the card has done so far.
fn events(context: &mut Context) -> Result<(u64, String)> {
    let answer = context.host.card(0, "counters", json!({}))?;
    let all = answer["counters"].as_object().context("no counters")?;
    let hostile = all.iter().filter(|(name, _)| name.starts_with("hostile."));
    let text: Vec<String> = hostile
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let events = all.get("hostile.events").and_then(|n| n.as_u64());
    Ok((events.unwrap_or(0), text.join(", ")))
}

fn P6_a_hostile_card(context: &mut Context) -> Result<()> {
    ax650_axcl_tests::ready()?;
    let wanted = u64::from(rounds(1500, 100_000));
    let limit = Duration::from_secs(rounds(80, 7000).into()) * kernel::slowness();
    let seed = crate::random::seed("hostile card");
    let card = Card::open(0)?;
    let before = (card.counters()?, events(context)?.0);
    let works: [fn(u64) -> Result<()>; 4] = [native, native, library, axcl];
    let clients = works
        .iter()
        .map(|work| process::fork(|| stubborn(work)))
        .collect::<Result<Vec<Child>>>()?;
    context.host.switch(0, "hostile", seed & 0xffff_ffff)?;
    let begin = Instant::now();
    let mut slowest = Duration::ZERO;
    let report = loop {
        let (count, report) = events(context)?;
        if count - before.1 >= wanted {
            break report;
        }
        ensure!(begin.elapsed() < limit, "{count} events only: {report}");
        // Whatever the card does, the host answers.
        let asked = Instant::now();
        let state = card.info()?.state;
        card.counters()?;
        card.clients()?;
        slowest = slowest.max(asked.elapsed());
        if state == AX650_STATE_DEAD {
            // It may be so often in disorder that the driver gives up: an administrator does not.
            let _ = card.control(AX650_CONTROL_BOOT, 0);
        }
        std::thread::sleep(Duration::from_millis(300));
    };
    context.host.clear(0)?;
    for client in clients {
        client.kill(Duration::from_secs(20))?;
    }
    let after = card.counters()?;
    eprintln!(
        "{:?}: {report}; {} resets, {} bad messages, {} rings in disorder, {} jobs done, {} failed; slowest query {slowest:?}",
        begin.elapsed(),
        after.resets - before.0.resets,
        after.bad_messages - before.0.bad_messages,
        after.ring_corrupt - before.0.ring_corrupt,
        after.jobs - before.0.jobs,
        after.jobs_failed - before.0.jobs_failed,
    );
    ensure!(
        slowest < Duration::from_secs(2) * kernel::slowness(),
        "a query took {slowest:?}"
    );
    ensure!(
        after.bad_messages > before.0.bad_messages,
        "nothing was refused"
    );
    // As new after a reset.
    card.make_running()?;
    card.control(AX650_CONTROL_RESET, 0)?;
    card.wait_state(AX650_STATE_LOADER, BOOT)?;
    card.make_running()?;
    canary(0)?;
    all_gone(context)?;
    let device = Device::open()?;
    device.scope().works()?;
    device.close()
}
