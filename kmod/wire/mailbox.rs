// SPDX-License-Identifier: GPL-2.0

//! The doorbell of the card: a mailbox behind BAR1 [pcie 4.8].

use super::register::{
    register,
    Bar,
    Register, //
};

/// BAR1: the mailbox block [pcie 4.8].
pub struct Bar1;

impl Bar for Bar1 {
    const BAR: u32 = 1;
    const BYTES: usize = 0x1_0000;
}

register! {
    /// Takes the data of a slot, word by word [pcie 4.8].
    pub SLOT_DATA(u32)[Slot, stride = 4] @ 0xC000 in Bar1;

    /// Describes a slot's message; writing it sends the slot [pcie 4.8].
    pub SLOT_INFO(u32)[Slot, stride = 4] @ 0xC100 in Bar1 {
        /// Bytes of data.
        23:0 BYTES: u32;
        /// Master id of the sender.
        27:24 MASTER: u32;
        /// The CPU that receives it.
        31:28 CPU: u32;
    }

    /// Interrupt status of host messages; not used by a host [pcie 4.8].
    pub INTERRUPT_STATUS(u32) @ 0xC350 in Bar1;

    /// Clears interrupts of host messages; not used by a host [pcie 4.8].
    pub INTERRUPT_CLEAR(u32) @ 0xC354 in Bar1;

    /// Allocates a slot for host messages when read, see [`SlotRequest`] [pcie 4.8].
    pub SLOT_REQUEST(u32) @ 0xC358 in Bar1;

    /// Frees a slot of host messages; not used by a host [pcie 4.8].
    pub SLOT_UNLOCK(u32) @ 0xC35C in Bar1;
}

/// Master id of host messages.
pub const MASTER_HOST: u32 = 5;
/// Slots there may be.
pub const SLOT_COUNT: u32 = 64;
/// Both data words of a doorbell.
pub const DATA_WORD: u32 = 1;
/// How many of them; all go to the same address.
pub const DATA_WORDS: u32 = 2;
/// What [`SLOT_REQUEST`] reads when no slot is free, and when the link is dead.
pub const NO_SLOT: u32 = u32::MAX;
/// Outstanding doorbells above which none is rung: nine may be under way.
pub const OUTSTANDING_LIMIT: u32 = 8;

/// A slot number that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

/// What reading [`SLOT_REQUEST`] gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotRequest {
    /// A slot to write to.
    Slot(Slot),
    /// None free, or the link is dead: the vendor id tells.
    NoneOrGone,
    /// No slot has this number; writing there would hit other registers.
    Bad(u32),
}

impl SlotRequest {
    /// Interprets the value read.
    pub fn interpret(value: SLOT_REQUEST) -> Self {
        match value.into() {
            slot @ 0..SLOT_COUNT => Self::Slot(Slot(slot)),
            NO_SLOT => Self::NoneOrGone,
            other => Self::Bad(other),
        }
    }
}

impl From<Slot> for u32 {
    fn from(slot: Slot) -> u32 {
        slot.0
    }
}

impl SLOT_INFO {
    /// Describes a doorbell.
    pub fn doorbell() -> Self {
        Self::zeroed()
            .with(Self::MASTER, MASTER_HOST)
            .with(Self::BYTES, DATA_WORDS.saturating_mul(4))
    }
}

/// Flow control of the doorbell.
///
/// Host and card count doorbells rung and handled in the control page. The plain rule - no doorbell
/// while more than 8 are outstanding - would count a lost doorbell for ever, and nine lost ones would
/// silence the session. So what is outstanding at a moment when the card provably needs no doorbell
/// (its read pointer has caught up), or provably got none (the re-ring timer fired), is written off
/// (R31).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FlowControl {
    forgiven: u32,
}

impl FlowControl {
    /// Doorbells rung and not handled, as the counters have it. They are free-running; the
    /// difference is what the protocol looks at, as u32.
    fn difference(rung: u64, handled: u64) -> u32 {
        rung.wrapping_sub(handled) as u32
    }

    /// Returns whether a doorbell may be rung now.
    pub fn may_ring(&mut self, rung: u64, handled: u64) -> bool {
        let difference = Self::difference(rung, handled);
        // The card handled one late that was written off: do not forgive another in its stead.
        self.forgiven = self.forgiven.min(difference);
        difference.saturating_sub(self.forgiven) <= OUTSTANDING_LIMIT
    }

    /// Returns whether a doorbell is on its way that the card has not begun to handle: it counts a doorbell first, and
    /// reads all that is in the ring then [pcie 4.8], so what lies there by now needs no other.
    pub fn is_awaited(&mut self, rung: u64, handled: u64) -> bool {
        let difference = Self::difference(rung, handled);
        // As above.
        self.forgiven = self.forgiven.min(difference);
        difference > self.forgiven
    }

    /// Writes off everything outstanding.
    pub fn forgive(&mut self, rung: u64, handled: u64) {
        self.forgiven = Self::difference(rung, handled);
    }
}
