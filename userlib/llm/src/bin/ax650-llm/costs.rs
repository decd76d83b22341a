// SPDX-License-Identifier: MIT OR Apache-2.0

//! What something costs on the bus, by the driver's counters.

use ax650::{Card, Result};
use serde_json::{json, Value};

/// Counts of the card since the driver was bound, or the difference of two of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Costs {
    /// Messages to the card.
    pub messages: u64,
    /// Doorbells of the card that were rung.
    pub doorbells: u64,
    /// Interrupts that came.
    pub interrupts: u64,
    /// Bytes that were copied to the card, and from it.
    pub bytes: [u64; 2],
}

impl Costs {
    /// Asks the driver.
    pub fn now(card: &Card) -> Result<Self> {
        let counters = card.counters()?.0;
        Ok(Self {
            messages: counters.messages_sent,
            doorbells: counters.doorbells,
            interrupts: counters.interrupts,
            bytes: [counters.bytes_to_card, counters.bytes_from_card],
        })
    }

    /// Returns what has come since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        let [to, from] = [0, 1].map(|way| self.bytes[way] - earlier.bytes[way]);
        Self {
            messages: self.messages - earlier.messages,
            doorbells: self.doorbells - earlier.doorbells,
            interrupts: self.interrupts - earlier.interrupts,
            bytes: [to, from],
        }
    }

    /// Returns the share of each of `count` tokens.
    pub fn each(self, count: usize) -> Value {
        let share = |value: u64| (value as f64 / count.max(1) as f64 * 100.0).round() / 100.0;
        json!({
            "messages": share(self.messages),
            "doorbells": share(self.doorbells),
            "interrupts": share(self.interrupts),
            "bytes_to_card": share(self.bytes[0]),
            "bytes_from_card": share(self.bytes[1]),
        })
    }
}
