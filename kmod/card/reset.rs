// SPDX-License-Identifier: GPL-2.0

//! Resetting the chip, and putting back what the reset takes away [pcie 1.3], [pcie 1.6].

use kernel::{prelude::*, sync::atomic::Relaxed};

use super::{error::BootError, Card};
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

/// Loader and link are given so long to come back.  After that the card counts as unreachable, and is
/// looked for without end.
const BACK_NS: u64 = 30 * S;

/// The same at the end of the driver, when somebody waits.
const QUIESCE_NS: u64 = 10 * S;

/// A card that is to be reset is waited for so long.
const PRESENCE_NS: u64 = 10 * S;

/// A card whose configuration is still there so long after the reset has kept it.
const WIPE_NS: u64 = 2 * S;

/// How often the card is looked for.
const LOOK_US: u32 = 10_000;

impl Card {
    /// Resets the chip and leaves it in its loader, with bus mastering off.  All sessions end with
    /// `error`.
    pub(super) fn reset(&self, error: Error) -> Result<(), BootError> {
        if !self.set_state(State::Resetting) {
            return Err(BootError::Gone);
        }
        // New ones are refused from here on; those that look at the generation find it changed.
        self.link.stop();
        self.fail_sessions(error);
        let done = self
            .wait_for_presence()
            .and_then(|presence| self.reset_present(presence));
        if let Err(e) = done {
            if e == BootError::Gone {
                self.link.lose(State::Unreachable);
            }
            return Err(e);
        }
        self.config.restore(&self.pdev)?;
        if pci::presence(&self.pdev) != Presence::Configured {
            dev_err!(
                self.pdev,
                "the configuration cannot be restored after the reset\n"
            );
            return Err(BootError::Other(EIO));
        }
        self.pool.release_quarantine();
        self.link.forget_faults();
        self.status.lock().watch = None;
        Ok(())
    }

    /// Resets a card that answers, and waits until it does again.
    fn reset_present(&self, presence: Presence) -> Result<(), BootError> {
        pci::clear_master(&self.pdev);
        if presence == Presence::Blank {
            // It was on its way when it was last waited for, and has been reset by now.
            if self.reset_pending.load(Relaxed) != 0 {
                self.reset_pending.store(0, Relaxed);
                return Ok(());
            }
            // A bus reset, or the chip's own: its registers must be found before they are written to.
            self.config.restore(&self.pdev)?;
        }
        self.reset_pending.store(1, Relaxed);
        self.write_reset()?;
        self.link.counters.resets.add(1);
        self.wait_for_loader()?;
        self.reset_pending.store(0, Relaxed);
        Ok(())
    }

    /// Waits for a card that is just away, because of somebody else's reset.
    fn wait_for_presence(&self) -> Result<Presence, BootError> {
        let deadline = time::now() + PRESENCE_NS;
        loop {
            match pci::presence(&self.pdev) {
                Presence::Absent if time::now() > deadline => return Err(BootError::Gone),
                Presence::Absent if self.stopping() => return Err(BootError::Interrupted),
                Presence::Absent => time::sleep_us(LOOK_US),
                other => return Ok(other),
            }
        }
    }

    /// Writes the reset register.  It must not be read back: the chip goes down at once.
    fn write_reset(&self) -> Result {
        let offset = if self.control_window.size() == SMALL_WINDOW {
            RESET_SMALL
        } else {
            RESET_LARGE
        };
        self.link.counters.mmio_writes.add(1);
        self.control_window.write32(1, offset)
    }

    /// Waits until the card is on the bus again with its configuration wiped, which proves that the
    /// reset has happened.
    fn wait_for_loader(&self) -> Result<(), BootError> {
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
                return Err(BootError::Gone);
            }
            if self.stopping() {
                return Err(BootError::Interrupted);
            }
        }
    }

    /// For the end of the driver, of the system or of its wakefulness: no access to memory, chip in
    /// its loader, as far as that can be reached.  Whether the card is kept from memory.
    pub(super) fn quiesce(&self) -> bool {
        self.link.stop();
        self.fail_sessions(ENODEV);
        let first = pci::presence(&self.pdev);
        if first == Presence::Absent && self.state() != State::Resetting {
            return false;
        }
        if first != Presence::Absent {
            // Whatever is thought of the card: it answers.
            pci::clear_master(&self.pdev);
            if first == Presence::Blank && self.config.restore(&self.pdev).is_err() {
                return true;
            }
            if self.write_reset().is_err() {
                return true;
            }
            self.link.counters.resets.add(1);
        }
        let start = time::now();
        loop {
            time::sleep_us(LOOK_US);
            let elapsed = time::now().saturating_sub(start);
            match pci::presence(&self.pdev) {
                Presence::Blank => {
                    // Whoever takes the card over finds its BARs in place.
                    let _ = self.config.restore(&self.pdev);
                    self.reset_pending.store(0, Relaxed);
                    return true;
                }
                Presence::Configured if elapsed > WIPE_NS => {
                    pci::clear_master(&self.pdev);
                    return true;
                }
                Presence::Absent if elapsed > QUIESCE_NS => return false,
                _ => {}
            }
        }
    }
}
