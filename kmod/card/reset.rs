// SPDX-License-Identifier: GPL-2.0

//! Resetting the chip, and putting back what the reset takes away (spec 1.3, 1.6).

use kernel::prelude::*;

use super::Card;
use crate::{
    glue::{
        pci::{self, Presence},
        time::{self, MS, S},
    },
    wire::state::State,
};

/// Reset register, behind the two sizes of BAR4.
const RESET_SMALL: usize = 0x50;
const RESET_LARGE: usize = 0x20_0050;
const SMALL_WINDOW: usize = 0x10_0000;

/// Loader and link are given so long to come back.
const BACK_NS: u64 = 10 * S;

/// A card whose configuration is still there so long after the reset has kept it.
const WIPE_NS: u64 = 2 * S;

/// How often the card is looked for.
const LOOK_US: u32 = 10_000;

impl Card {
    /// Resets the chip and leaves it in its loader, with bus mastering off.  All sessions end with
    /// `error`.
    pub(super) fn reset(&self, error: Error) -> Result {
        if !self.set_state(State::Resetting) {
            return Err(ENODEV);
        }
        // New ones are refused from here on; those that look at the generation find it changed.
        self.tx.lock().stop();
        self.rx.lock().stop();
        self.fail_sessions(error);
        pci::clear_master(&self.pdev);
        self.write_reset()?;
        self.counters.resets.add(1);
        let back = self.wait_for_loader();
        if let Err(e) = back {
            if e == ENODEV {
                self.mark_gone();
            }
            return Err(e);
        }
        self.config.restore(&self.pdev)?;
        if pci::presence(&self.pdev) != Presence::Configured {
            dev_err!(
                self.pdev,
                "the configuration cannot be restored after the reset\n"
            );
            return Err(EIO);
        }
        self.release_quarantine();
        self.misbehaviour.store(0, kernel::sync::atomic::Relaxed);
        self.status.lock().watch = None;
        Ok(())
    }

    /// Writes the reset register.  It must not be read back: the chip goes down at once.
    fn write_reset(&self) -> Result {
        let offset = if self.control_window.size() == SMALL_WINDOW {
            RESET_SMALL
        } else {
            RESET_LARGE
        };
        self.counters.mmio_writes.add(1);
        self.control_window.write32(1, offset)
    }

    /// Waits until the card is on the bus again with its configuration wiped, which proves that the
    /// reset has happened.
    fn wait_for_loader(&self) -> Result {
        let start = time::now();
        let mut absent = false;
        loop {
            time::sleep_us(LOOK_US);
            let elapsed = time::now().saturating_sub(start);
            match pci::presence(&self.pdev) {
                Presence::Blank => return Ok(()),
                Presence::Absent => absent = true,
                // It was away and is back: somebody else has restored its configuration.
                Presence::Configured if absent => return Ok(()),
                Presence::Configured if elapsed > WIPE_NS => {
                    dev_warn!(self.pdev, "the reset left the configuration as it was\n");
                    return Ok(());
                }
                Presence::Configured => {}
            }
            if elapsed > BACK_NS {
                dev_err!(
                    self.pdev,
                    "not back on the bus {} ms after a reset\n",
                    elapsed / MS
                );
                return Err(ENODEV);
            }
            if self.stopping() {
                return Err(EINTR);
            }
        }
    }

    /// For the end of the driver, of the system or of its wakefulness: no access to memory, chip in
    /// its loader, as far as that can be reached.
    pub(super) fn quiesce(&self) {
        self.tx.lock().stop();
        self.rx.lock().stop();
        self.fail_sessions(ENODEV);
        let away = pci::presence(&self.pdev) == Presence::Absent;
        if self.state() == State::Gone || (away && self.state() != State::Resetting) {
            return;
        }
        if !away {
            pci::clear_master(&self.pdev);
            if self.write_reset().is_err() {
                return;
            }
            self.counters.resets.add(1);
        }
        let start = time::now();
        while time::now().saturating_sub(start) < WIPE_NS {
            time::sleep_us(LOOK_US);
            if pci::presence(&self.pdev) == Presence::Blank {
                // Whoever takes the card over finds its BARs in place.
                let _ = self.config.restore(&self.pdev);
                return;
            }
        }
    }
}
