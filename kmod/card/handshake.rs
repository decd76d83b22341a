// SPDX-License-Identifier: GPL-2.0

//! From "firmware started" to "rings in use" [pcie 2.4] to [pcie 2.7].

use kernel::prelude::*;

use super::{error::BootError, Card};
use crate::{
    glue::{
        region,
        time::{self, MS, S},
    },
    wire::{
        boot::FINISH,
        handshake::{
            BAR0_ACK, BAR0_FLAG, BAR0_REGION_BASE, BAR0_REGION_SIZE, CARD_ACK, HOST_PRESENT,
            PAGE_ACK, PAGE_FLAG, PAGE_NANOSECONDS, PAGE_SECONDS, SETTLE_MS, STEP1_CLEAR,
            STEP_TIMEOUT_MS, TIME_MAGIC, TIME_SYNC_TIMEOUT_MS,
        },
        state::State,
    },
};

/// The card's Linux is up within this time.
const SWAP_NS: u64 = 30 * S;

/// Between looks at the card's words.
const POLL_US: u32 = 5_000;

impl Card {
    pub(super) fn shake_hands(&self) -> Result<(), BootError> {
        if !self.set_state(State::Handshake) {
            return Err(BootError::Gone);
        }
        self.step0().inspect_err(|e| {
            dev_err!(
                self.pdev,
                "the firmware does not answer (step 0): {:?}\n",
                e
            );
        })?;
        self.step1().inspect_err(|e| {
            dev_err!(
                self.pdev,
                "the firmware does not set up the rings (step 1): {:?}\n",
                e
            );
        })?;
        // Only now: the card has read what it was to read there.
        self.write_boot(BAR0_FLAG, 0)?;
        self.write_boot(BAR0_ACK, 0)?;
        self.sync_time()
    }

    /// Polls `look` until it is true.
    fn poll(
        &self,
        timeout_ms: u32,
        mut look: impl FnMut() -> Result<bool>,
    ) -> Result<(), BootError> {
        let deadline = time::now() + u64::from(timeout_ms) * MS;
        loop {
            if look()? {
                return Ok(());
            }
            if time::now() > deadline {
                return Err(BootError::Timeout);
            }
            if self.stopping() {
                return Err(BootError::Interrupted);
            }
            time::sleep_us(POLL_US);
        }
    }

    /// Tells the card where the shared memory is.  The words are written again and again: until the
    /// card's Linux has put its memory behind BAR0 they are lost.
    ///
    /// The flag must not arrive alone, with the parameters lost to the old memory.  The old memory has
    /// "finish" set, the new is zeroed, so nothing is written before that bit has gone; except that
    /// after a while everything is, lest a card leaves other things there.
    fn step0(&self) -> Result<(), BootError> {
        let (base, size) = (self.link.region.bus(), self.link.region.size() as u64);
        let patience = time::now() + SWAP_NS;
        self.poll(STEP_TIMEOUT_MS, || {
            if self.read_boot(FINISH)? != 0 && time::now() < patience {
                return Ok(false);
            }
            self.write_boot(BAR0_REGION_BASE, base as u32)?;
            self.write_boot(BAR0_REGION_BASE + 4, (base >> 32) as u32)?;
            self.write_boot(BAR0_REGION_SIZE, size as u32)?;
            self.write_boot(BAR0_REGION_SIZE + 4, (size >> 32) as u32)?;
            // The flag goes last, when the parameters have arrived: the card reads them at once.
            if self.read_boot(BAR0_REGION_BASE)? != base as u32 {
                return Ok(false);
            }
            self.write_boot(BAR0_FLAG, HOST_PRESENT)?;
            Ok(self.read_boot(BAR0_ACK)? == CARD_ACK)
        })
    }

    /// Waits until the card has set up its side of the rings.
    fn step1(&self) -> Result<(), BootError> {
        self.poll(STEP_TIMEOUT_MS, || {
            // Nothing tells of a card that vanishes now but a look.
            self.link.check_present()?;
            Ok(self.link.region.read32(PAGE_ACK)? == CARD_ACK)
        })?;
        self.link.start();
        self.link.region.zero(0, STEP1_CLEAR)?;
        region::write_barrier();
        self.link.region.write32(PAGE_FLAG, HOST_PRESENT)?;
        time::sleep_us(SETTLE_MS * 1000);
        Ok(())
    }

    /// Gives the card the time, and waits until it has cleared the control page: a message sent
    /// before that would upset the doorbell counters for good.
    fn sync_time(&self) -> Result<(), BootError> {
        let (seconds, nanoseconds) = time::wall_clock();
        self.link.region.write64(PAGE_SECONDS, seconds as u64)?;
        self.link
            .region
            .write64(PAGE_NANOSECONDS, nanoseconds as u64)?;
        region::write_barrier();
        self.link.region.write32(PAGE_FLAG, TIME_MAGIC)?;
        let cleared = self.poll(TIME_SYNC_TIMEOUT_MS, || {
            Ok(self.link.region.read32(PAGE_FLAG)? != TIME_MAGIC)
        });
        match cleared {
            Err(BootError::Timeout) => {
                dev_warn!(self.pdev, "the card did not take the time\n");
                Ok(())
            }
            other => other,
        }
    }
}
