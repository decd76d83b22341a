// SPDX-License-Identifier: GPL-2.0

//! The doorbell of the card: a mailbox behind BAR1 [pcie 4.8].

/// Master id of host messages.
pub const MASTER_HOST: u32 = 5;
/// Read: allocates a slot for host messages, or gives [`NO_SLOT`].
pub const SLOT_REQUEST: usize = 0xC358;
/// Slots there may be.
pub const SLOT_COUNT: u32 = 64;
/// Both data words of a doorbell.
pub const DATA_WORD: u32 = 1;
/// How many of them; all go to the same address.
pub const DATA_WORDS: usize = 2;
/// Written to a slot's info register, sends it: master 5, 8 bytes.
pub const INFO_WORD: u32 = (MASTER_HOST << 24) | 8;
/// What [`SLOT_REQUEST`] reads when no slot is free, and when the link is dead.
pub const NO_SLOT: u32 = u32::MAX;
/// Outstanding doorbells above which none is rung: nine may be under way.
pub const OUTSTANDING_LIMIT: u32 = 8;

const DATA: usize = 0xC000;
const INFO: usize = 0xC100;

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
    pub fn interpret(value: u32) -> Self {
        match value {
            0..SLOT_COUNT => Self::Slot(Slot(value)),
            NO_SLOT => Self::NoneOrGone,
            _ => Self::Bad(value),
        }
    }
}

impl Slot {
    /// Returns the offset of the slot's data register in BAR1.
    pub fn data(self) -> usize {
        DATA.saturating_add(self.offset())
    }

    /// Returns the offset of the slot's info register in BAR1.
    pub fn info(self) -> usize {
        INFO.saturating_add(self.offset())
    }

    /// Returns the slot's offset in a block of registers, at most 63 * 4.
    fn offset(self) -> usize {
        (self.0 as usize).saturating_mul(4)
    }
}

/// Flow control of the doorbell.
///
/// Host and card count doorbells rung and handled in the control page. The plain rule - no doorbell
/// while more than 8 are outstanding - would count a lost doorbell for ever, and nine lost ones would
/// silence the session. So what is outstanding at a moment when the card provably needs no doorbell
/// (its read pointer has caught up), or provably got none (the re-ring timer fired), is written off
/// (R31).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

    /// Writes off everything outstanding.
    pub fn forgive(&mut self, rung: u64, handled: u64) {
        self.forgiven = Self::difference(rung, handled);
    }
}
