// SPDX-License-Identifier: MIT OR Apache-2.0

//! Interrupts of messages: what the part holds back, and the thread that sends it later.

use std::time::Instant;

use super::Card;
use crate::function::VECTORS;

/// The vector of message activity.
const MESSAGES: usize = 0;

impl Card {
    /// A message was published.
    pub(crate) fn message_sent(&self) {
        self.raise_messages(self.interrupts.message(&self.switches, &self.counters));
    }

    /// Sends an interrupt that means nothing: one of all vectors, by `number`.
    pub(crate) fn raise_any(&self, number: u64) {
        self.raise((number % VECTORS as u64) as usize);
    }

    fn raise_messages(&self, count: usize) {
        for _ in 0..count {
            self.raise(MESSAGES);
        }
    }

    /// Sends held back and spurious interrupts until the card is switched off.
    pub(crate) fn serve_interrupts(&self) {
        let interrupts = &self.interrupts;
        while !self.is_off() {
            let seen = interrupts.event.seen();
            let (count, next) = interrupts.due(&self.switches, &self.counters, Instant::now());
            self.raise_messages(count);
            interrupts.event.wait(seen, next);
        }
    }
}
