// SPDX-License-Identifier: GPL-2.0

//! From "firmware started" to "rings in use" [pcie 2.4] to [pcie 2.7].

use super::{
    error::BootError,
    Card, //
};
use crate::{
    glue::{
        prelude::*,
        region,
        time::{
            self,
            fsleep,
            Delta,
            Instant,
            Pauses, //
        }, //
    },
    wire::{
        boot::FINISH,
        handshake::{
            ACK,
            CARD_ACK,
            FLAG,
            HOST_PRESENT,
            PAGE_ACK,
            PAGE_FLAG,
            PAGE_NANOSECONDS,
            PAGE_SECONDS,
            REGION_BASE_HIGH,
            REGION_BASE_LOW,
            REGION_SIZE_HIGH,
            REGION_SIZE_LOW,
            SETTLE_MS,
            STEP1_CLEAR,
            STEP_TIMEOUT_MS,
            TIME_MAGIC,
            TIME_SYNC_TIMEOUT_MS, //
        },
        register::{
            FixedRegister,
            Register, //
        }, //
    }, //
};

/// The card's Linux is up within this time.
const SWAP: Delta = Delta::from_secs(30);

/// Between looks whether the card's Linux is up, which takes it some seconds.
const STARTING: Pauses = Pauses {
    part: 16,
    least: Delta::from_millis(25),
    most: Delta::from_millis(200),
};

/// Between looks at the card's words: it answers within milliseconds, or something is wrong.
const POLL: Pauses = Pauses {
    part: 16,
    least: Delta::from_millis(5),
    most: Delta::from_millis(200),
};

/// Wait after the flag of step 1.
const SETTLE: Delta = Delta::from_millis(SETTLE_MS as i64);

// TIMEOUT: the card itself waits as long in a step, and then gives up for good [pcie 2.4], [pcie 2.6].
const STEP_TIMEOUT: Delta = Delta::from_millis(STEP_TIMEOUT_MS as i64);

// TIMEOUT: the card waits 5 s for the time, and clears the control page then in any case [pcie 2.7].
const TIME_SYNC_TIMEOUT: Delta = Delta::from_millis(TIME_SYNC_TIMEOUT_MS as i64);

impl Card {
    /// Shakes hands with the firmware that was started, and gives it the time.
    ///
    /// # Errors
    ///
    /// `Timeout` the firmware does not answer; `Gone` or `Other` the card has gone, or its registers; `Interrupted` the
    /// thread shall stop.
    pub(super) fn shake_hands(&self) -> Result<(), BootError> {
        self.wait_for_linux()?;
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
        FLAG::zeroed().write(self)?;
        ACK::zeroed().write(self)?;
        self.sync_time()
    }

    /// Polls `look` until it is true.
    ///
    /// # Errors
    ///
    /// Those of `look`; `Timeout`; `Interrupted` if the thread shall stop.
    fn poll(
        &self,
        pauses: &Pauses,
        timeout: Delta,
        mut look: impl FnMut() -> Result<bool>,
    ) -> Result<(), BootError> {
        time::poll_less_often(pauses, Instant::now(), timeout, || match look()? {
            true => Ok(Some(())),
            false => self.check_stopping().map(|()| None),
        })?
        .ok_or(BootError::Timeout)
    }

    /// Waits until BAR0 shows the memory of the card's Linux.
    ///
    /// The flag of step 0 must not arrive alone, with the parameters lost to the old memory.  The old memory
    /// has "finish" set, the new is zeroed, so nothing is written before that bit has gone; except that
    /// after a while everything is, lest a card leaves other things there.
    fn wait_for_linux(&self) -> Result<(), BootError> {
        let up = self.poll(&STARTING, SWAP, || {
            Ok(FINISH::read(self)? == FINISH::zeroed())
        });
        match up {
            Err(BootError::Timeout) => Ok(()),
            other => other,
        }
    }

    /// Tells the card where the shared memory is.  The words are written again and again: until the
    /// card's Linux has put its memory behind BAR0 they are lost.
    fn step0(&self) -> Result<(), BootError> {
        let (base, size) = (self.link.region.bus(), self.link.region.size() as u64);
        self.poll(&POLL, STEP_TIMEOUT, || {
            REGION_BASE_LOW::from(base as u32).write(self)?;
            REGION_BASE_HIGH::from((base >> 32) as u32).write(self)?;
            REGION_SIZE_LOW::from(size as u32).write(self)?;
            REGION_SIZE_HIGH::from((size >> 32) as u32).write(self)?;
            // The flag goes last, when the parameters have arrived: the card reads them at once.
            if REGION_BASE_LOW::read(self)? != REGION_BASE_LOW::from(base as u32) {
                return Ok(false);
            }
            FLAG::from(HOST_PRESENT).write(self)?;
            Ok(ACK::read(self)? == ACK::from(CARD_ACK))
        })
    }

    /// Waits until the card has set up its side of the rings.
    fn step1(&self) -> Result<(), BootError> {
        self.poll(&POLL, STEP_TIMEOUT, || {
            // Nothing tells of a card that vanishes now but a look.
            self.link.check_present()?;
            Ok(PAGE_ACK::read(&self.link.region)? == PAGE_ACK::from(CARD_ACK))
        })?;
        self.link.start();
        self.link.region.zero(0, STEP1_CLEAR)?;
        region::write_barrier();
        PAGE_FLAG::from(HOST_PRESENT).write(&self.link.region)?;
        fsleep(SETTLE);
        Ok(())
    }

    /// Gives the card the time, and waits until it has cleared the control page: a message sent
    /// before that would upset the doorbell counters for good.
    fn sync_time(&self) -> Result<(), BootError> {
        let (seconds, nanoseconds) = time::wall_clock();
        let region = &self.link.region;
        PAGE_SECONDS::from(seconds as u64).write(region)?;
        PAGE_NANOSECONDS::from(nanoseconds as u64).write(region)?;
        region::write_barrier();
        let magic = PAGE_FLAG::from(TIME_MAGIC);
        magic.write(region)?;
        let cleared = self.poll(&POLL, TIME_SYNC_TIMEOUT, || {
            Ok(PAGE_FLAG::read(region)? != magic)
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
