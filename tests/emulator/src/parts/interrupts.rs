// SPDX-License-Identifier: MIT OR Apache-2.0

//! The message interrupt, with everything that switches can do to it [pcie 1.5], [pcie 4.9].

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::counters::Counters;
use crate::event::Event;
use crate::switches::Switches;

#[derive(Debug, Default)]
struct State {
    /// Interrupts asked for, for `msi.lose`.
    asked: u64,
    /// When a held back interrupt is sent.
    held_until: Option<Instant>,
    /// When the next spurious interrupt is sent.
    next_spurious: Option<Instant>,
}

/// What stands between a published message and its interrupt.
#[derive(Debug, Default)]
pub struct Interrupts {
    state: Mutex<State>,
    /// Something was held back, or a switch was set.
    pub event: Event,
}

impl Interrupts {
    /// A message was published; returns how many interrupts are to be sent for it now.
    pub fn message(&self, switches: &Switches, counters: &Counters) -> usize {
        let mut state = self.state.lock();
        state.asked += 1;
        let all = switches.flag("msi.lose");
        let nth = switches.number("msi.lose").filter(|&n| n > 0);
        if all || nth.is_some_and(|n| state.asked % n == 0) {
            counters.hit("msi.suppressed.lost");
            return 0;
        }
        if let Some(ms) = switches.number("msi.coalesce_ms").filter(|&ms| ms > 0) {
            if state.held_until.is_some() {
                counters.hit("msi.suppressed.coalesced");
            } else {
                state.held_until = Some(Instant::now() + Duration::from_millis(ms));
                drop(state);
                self.event.notify();
            }
            return 0;
        }
        if switches.flag("msi.duplicate") {
            counters.hit("msi.duplicated");
            return 2;
        }
        1
    }

    /// The chip is reset.
    pub fn reset(&self) {
        *self.state.lock() = State::default();
    }

    /// Takes what is due; returns how many interrupts are to be sent, and when to look again.
    pub fn due(
        &self,
        switches: &Switches,
        counters: &Counters,
        now: Instant,
    ) -> (usize, Option<Instant>) {
        let mut state = self.state.lock();
        let mut send = 0;
        if state.held_until.is_some_and(|at| at <= now) {
            state.held_until = None;
            send += 1;
        }
        match switches.number("msi.storm").filter(|&rate| rate > 0) {
            Some(rate) => {
                let at = *state.next_spurious.get_or_insert(now);
                if at <= now {
                    state.next_spurious =
                        Some(now + Duration::from_secs(1) / rate.min(10_000) as u32);
                    counters.hit("msi.spurious");
                    send += 1;
                }
            }
            None => state.next_spurious = None,
        }
        let next = [state.held_until, state.next_spurious]
            .into_iter()
            .flatten()
            .min();
        (send, next)
    }
}
