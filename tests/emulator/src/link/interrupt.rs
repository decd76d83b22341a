// SPDX-License-Identifier: MIT OR Apache-2.0

//! The message interrupt, with everything that switches can do to it [pcie 1.5], [pcie 4.9].

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::card::Card;
use crate::event::Event;

/// The vector of message activity.
const MESSAGES: usize = 0;

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
    /// A message was published.
    pub fn message(&self, card: &Card) {
        let mut state = self.state.lock();
        state.asked += 1;
        let all = card.switches.flag("msi.lose");
        let nth = card.switches.number("msi.lose").filter(|&n| n > 0);
        if all || nth.is_some_and(|n| state.asked % n == 0) {
            card.counters.hit("msi.suppressed.lost");
            return;
        }
        if let Some(ms) = card.switches.number("msi.coalesce_ms").filter(|&ms| ms > 0) {
            if state.held_until.is_some() {
                card.counters.hit("msi.suppressed.coalesced");
            } else {
                state.held_until = Some(Instant::now() + Duration::from_millis(ms));
                drop(state);
                self.event.notify();
            }
            return;
        }
        drop(state);
        card.raise(MESSAGES);
        if card.switches.flag("msi.duplicate") {
            card.counters.hit("msi.duplicated");
            card.raise(MESSAGES);
        }
    }

    /// The chip is reset.
    pub fn reset(&self) {
        *self.state.lock() = State::default();
    }

    /// Sends what is due; returns when to look again.
    fn due(&self, card: &Card, now: Instant) -> Option<Instant> {
        let mut state = self.state.lock();
        let mut send = 0;
        if state.held_until.is_some_and(|at| at <= now) {
            state.held_until = None;
            send += 1;
        }
        match card.switches.number("msi.storm").filter(|&rate| rate > 0) {
            Some(rate) => {
                let at = *state.next_spurious.get_or_insert(now);
                if at <= now {
                    state.next_spurious =
                        Some(now + Duration::from_secs(1) / rate.min(10_000) as u32);
                    card.counters.hit("msi.spurious");
                    send += 1;
                }
            }
            None => state.next_spurious = None,
        }
        let next = [state.held_until, state.next_spurious]
            .into_iter()
            .flatten()
            .min();
        drop(state);
        for _ in 0..send {
            card.raise(MESSAGES);
        }
        next
    }
}

/// Sends held back and spurious interrupts until the card is switched off.
pub fn serve_interrupts(card: &Card) {
    let interrupts = &card.interrupts;
    while !card.is_off() {
        let seen = interrupts.event.seen();
        let next = interrupts.due(card, Instant::now());
        interrupts.event.wait(seen, next);
    }
}
