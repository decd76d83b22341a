// SPDX-License-Identifier: MIT OR Apache-2.0

//! The control page: the first 64 bytes of the shared region, whose words mean something else in each
//! phase [pcie 2.10].

use ax650_emu_api::DmaError;

use super::window::Window;

/// The host's flag in step 1; that its clock is there; then the card's number (heartbeat).
const FLAG: u64 = 0x00;
/// The card's flag in step 1; then the heartbeat's interval, ms.
const ANSWER: u64 = 0x04;
/// The heartbeat's stamp: 32 bits, or 64 in its second version.
const STAMP: u64 = 0x08;
/// The host's clock: seconds.
const SECONDS: u64 = 0x10;
/// The host's clock: nanoseconds.
const NANOSECONDS: u64 = 0x18;
/// Doorbells that the card has handled.
const HANDLED: u64 = 0x28;
/// What the card clears after step 1.
const STEP_1: u64 = 0x20;
/// Bytes of the page.
const SIZE: u64 = 0x40;

/// The control page of a region.
#[derive(Debug, Clone, Copy)]
pub struct ControlPage<'a>(pub(super) &'a Window);

impl ControlPage<'_> {
    /// What the host says in step 1 and in time sync.
    pub fn flag(self) -> Result<u32, DmaError> {
        self.0.read_u32(FLAG)
    }

    /// What the card has said, unless the host has cleared it.
    pub fn answer(self) -> Result<u32, DmaError> {
        self.0.read_u32(ANSWER)
    }

    /// Says something to the host in step 1.
    pub fn set_answer(self, word: u32) -> Result<(), DmaError> {
        self.0.write_u32(ANSWER, word)
    }

    /// Clears what step 1 has used.
    pub fn clear_step_1(self) -> Result<(), DmaError> {
        self.0.clear(STEP_1)
    }

    /// The host's clock: seconds and nanoseconds.
    pub fn clock(self) -> Result<(i64, i64), DmaError> {
        let seconds = self.0.read_u64(SECONDS)?;
        Ok((seconds as i64, self.0.read_u64(NANOSECONDS)? as i64))
    }

    /// Clears the page.
    pub fn clear(self) -> Result<(), DmaError> {
        self.0.clear(SIZE)
    }

    /// Writes a heartbeat: the stamp in 64 bits if `wide`, the part that readers wait for last.
    pub fn beat(self, id: u32, interval: u32, stamp: u64, wide: bool) -> Result<(), DmaError> {
        self.0.write_u32(FLAG, id)?;
        self.0.write_u32(ANSWER, interval)?;
        match wide {
            true => self.0.write_u64(STAMP, stamp),
            false => self.0.write_u32(STAMP, stamp as u32),
        }
    }

    /// Counts a doorbell as handled.
    pub fn count_doorbell(self) -> Result<(), DmaError> {
        let handled = self.0.read_u64(HANDLED)?;
        self.0.write_u64(HANDLED, handled.wrapping_add(1))
    }
}
