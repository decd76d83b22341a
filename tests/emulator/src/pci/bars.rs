// SPDX-License-Identifier: MIT OR Apache-2.0

//! What lies behind the three BARs, and the names of their registers in the counters.

use crate::card::Card;

/// A BAR that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar {
    /// Boot registers, later card DRAM.
    Zero,
    /// Mailbox.
    One,
    /// Chip registers, of which only the reset register is known.
    Four,
}

impl Bar {
    fn number(self) -> usize {
        match self {
            Self::Zero => 0,
            Self::One => 1,
            Self::Four => 4,
        }
    }

    fn count(self, card: &Card, verb: &str, register: &str) {
        let bar = self.number();
        card.counters.hit(&format!("mmio.bar{bar}.{verb}"));
        card.counters
            .hit(&format!("mmio.bar{bar}.{verb}.{register}"));
    }

    /// The function does not answer here: link down, or decoding off, or no address given since the
    /// reset.  Reads then give ones and writes vanish.
    fn dead(self, card: &Card) -> bool {
        if card.link_down() {
            return true;
        }
        let config = card.config.lock();
        !config.decodes_memory() || config.bar(self.number()) == 0
    }

    /// A read by the host.
    pub fn read(self, card: &Card, offset: u64, data: &mut [u8]) {
        if self.dead(card) {
            self.count(card, "read", "unclaimed");
            data.fill(0xff);
            return;
        }
        let register = match self {
            Self::Zero => card.bar0.read(offset, data),
            Self::One => card.bar1_read(offset, data),
            Self::Four => {
                data.fill(0);
                card.bar4_register(offset)
            }
        };
        self.count(card, "read", register);
    }

    /// A write by the host.
    pub fn write(self, card: &Card, offset: u64, data: &[u8]) {
        if self.dead(card) {
            self.count(card, "write", "unclaimed");
            return;
        }
        let register = match self {
            Self::Zero => card.bar0_write(offset, data),
            Self::One => card.bar1_write(offset, data),
            Self::Four => {
                card.bar4_write(offset, data);
                card.bar4_register(offset)
            }
        };
        self.count(card, "write", register);
    }
}
