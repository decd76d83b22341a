// SPDX-License-Identifier: MIT OR Apache-2.0

//! Heartbeat [pcie 6], [pcie 10].

use std::time::{Duration, Instant};

use crate::card::Card;
use crate::parts::{Generation, Interrupted};
use crate::rings::Transport;

/// Interval announced to the host, ms.
const INTERVAL: u64 = 9000;
/// Time between beats, ms.
const PERIOD: u64 = 3000;

/// Beats until the chip is reset.
pub fn beat(card: &Card, generation: Generation, transport: &Transport) -> Interrupted {
    match beat_on(card, generation, transport) {
        Ok(never) => match never {},
        Err(interrupted) => interrupted,
    }
}

fn beat_on(
    card: &Card,
    generation: Generation,
    transport: &Transport,
) -> Result<std::convert::Infallible, Interrupted> {
    let started = Instant::now();
    // The delay may still be set or cleared while it runs.
    card.wait_until(generation, None, Some(Duration::from_millis(100)), || {
        let delay = card
            .switches
            .number("heartbeat.first_delay_ms")
            .unwrap_or(0);
        (started.elapsed() >= Duration::from_millis(delay)).then_some(())
    })?;
    let mut stamp = 0;
    loop {
        if stamp == 0 || !card.switches.flag("heartbeat.frozen") {
            stamp += 1;
        }
        write(card, transport, stamp);
        let last = Instant::now();
        let period = || {
            let ms = card
                .switches
                .number("heartbeat.period_ms")
                .unwrap_or(PERIOD);
            Duration::from_millis(ms.max(1))
        };
        loop {
            let due = last.checked_add(period());
            // Woken early by a change of the switches, which may have changed the period.
            let over = card.wait_until(generation, due, None, || {
                (last.checked_add(period()) != due).then_some(())
            })?;
            if over.is_none() {
                break;
            }
        }
    }
}

fn write(card: &Card, transport: &Transport, stamp: u64) {
    let interval = card
        .switches
        .number("heartbeat.interval")
        .unwrap_or(INTERVAL);
    let wide = card.options.heartbeat_v2 || card.switches.flag("heartbeat.v2");
    let page = transport.window.control_page();
    let written = page.beat(card.id(), interval as u32, stamp, wide);
    card.counters.hit(if written.is_ok() {
        "heartbeat.sent"
    } else {
        "heartbeat.failed"
    });
}
