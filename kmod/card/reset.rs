// SPDX-License-Identifier: GPL-2.0

//! Resetting the chip, and putting back what the reset takes away [pcie 1.3], [pcie 1.6].

use core::convert::Infallible;

use kernel::sync::atomic::Relaxed;

use super::{
    error::BootError,
    Card, //
};
use crate::{
    glue::{
        pci::{
            self,
            Presence, //
        },
        prelude::*,
        time::{
            self,
            fsleep,
            Delta,
            Instant, //
        }, //
    },
    wire::{
        register::{
            FixedRegister,
            Register, //
        },
        reset::{
            RESET,
            RESET_LARGE,
            SMALL_WINDOW, //
        },
        state::State, //
    }, //
};

// TIMEOUT: loader and link are back within a second [pcie 2.9].  A card that takes so long counts as
// unreachable, and is looked for without end.
const BACK: Delta = Delta::from_secs(30);

// TIMEOUT: the same at the end of the driver, when somebody waits.
const QUIESCE: Delta = Delta::from_secs(10);

// TIMEOUT: somebody else's reset of a card that is to be reset is over within a second, too.
const PRESENCE: Delta = Delta::from_secs(10);

// TIMEOUT: a link that went down because of an error is up again within a second.  A card that comes back after
// the driver has let go of it would go on with what it did, in memory that is somebody else's by then.
const GRACE: Delta = Delta::from_secs(3);

/// A card whose configuration is still there so long after the reset has kept it.
const WIPE: Delta = Delta::from_secs(2);

/// How often the card is looked for.
const LOOK: Delta = Delta::from_millis(10);

impl Card {
    /// Resets the chip and leaves it in its loader, with bus mastering off.  All sessions end with
    /// `error`.  While the chip is down there is time for `meanwhile`.
    ///
    /// # Errors
    ///
    /// `Gone` the card has gone or is not back; `Other(EIO)` its configuration cannot be restored; `Interrupted` the
    /// thread shall stop.
    pub(super) fn reset(&self, error: Error, meanwhile: impl FnOnce()) -> Result<(), BootError> {
        if !self.set_state(State::Resetting) {
            return Err(BootError::Gone);
        }
        // New ones are refused from here on; those that look at the generation find it changed.
        self.link.stop();
        self.fail_sessions(error);
        let done = self
            .wait_for_presence()
            .and_then(|presence| self.reset_present(presence, meanwhile));
        if let Err(e) = done {
            if e == BootError::Gone {
                self.link.lose(State::Unreachable);
            }
            return Err(e);
        }
        self.config.lock().restore(&self.pdev)?;
        // The only part of it that the boot needs to be as it is, whoever has changed it.
        pci::set_read_request(&self.pdev);
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
    fn reset_present(&self, presence: Presence, meanwhile: impl FnOnce()) -> Result<(), BootError> {
        pci::clear_master(&self.pdev);
        if presence == Presence::Blank {
            // It was on its way when it was last waited for, and has been reset by now.
            if self.reset_pending.load(Relaxed) != 0 {
                self.reset_pending.store(0, Relaxed);
                return Ok(());
            }
            // A bus reset, or the chip's own: its registers must be found before they are written to.
            self.config.lock().restore(&self.pdev)?;
        } else {
            self.config.lock().refresh(&self.pdev);
        }
        self.reset_pending.store(1, Relaxed);
        self.write_reset()?;
        self.link.counters.resets.add(1);
        let start = Instant::now();
        meanwhile();
        self.wait_for_loader(start)?;
        self.reset_pending.store(0, Relaxed);
        Ok(())
    }

    /// Waits for a card that is just away, because of somebody else's reset.
    fn wait_for_presence(&self) -> Result<Presence, BootError> {
        time::poll(LOOK, PRESENCE, || match pci::presence(&self.pdev) {
            Presence::Absent => self.check_stopping().map(|()| None),
            other => Ok(Some(other)),
        })?
        .ok_or(BootError::Gone)
    }

    /// Returns whether the card answers on the bus, or does so within `patience`; at once if the kernel has
    /// cut it off.
    pub(super) fn is_back_within(&self, patience: Delta) -> bool {
        let back: Result<_, Infallible> =
            time::poll(LOOK, patience, || match pci::presence(&self.pdev) {
                Presence::Absent if pci::is_cut_off(&self.pdev) => Ok(Some(false)),
                Presence::Absent => Ok(None),
                _ => Ok(Some(true)),
            });
        matches!(back, Ok(Some(true)))
    }

    /// Writes the reset register.  It must not be read back: the chip goes down at once.
    fn write_reset(&self) -> Result {
        if self.control_window.size() == SMALL_WINDOW {
            RESET::zeroed().with(RESET::CHIP, true).write(self)
        } else {
            RESET_LARGE::zeroed()
                .with(RESET_LARGE::CHIP, true)
                .write(self)
        }
    }

    /// Waits until the card is on the bus again with its configuration wiped, which proves that the
    /// reset at `start` has happened.
    fn wait_for_loader(&self, start: Instant) -> Result<(), BootError> {
        let mut absent = false;
        fsleep(LOOK);
        let back = time::poll(LOOK, BACK, || {
            match pci::presence(&self.pdev) {
                Presence::Blank => return Ok(Some(())),
                Presence::Absent => absent = true,
                // It was away and is back: somebody else has restored its configuration.
                Presence::Configured if absent => return Ok(Some(())),
                Presence::Configured if start.elapsed() > WIPE => {
                    dev_warn!(self.pdev, "the reset left the configuration as it was\n");
                    return Ok(Some(()));
                }
                Presence::Configured => {}
            }
            self.check_stopping().map(|()| None)
        })?;
        back.ok_or_else(|| {
            dev_err!(
                self.pdev,
                "not back on the bus {} ms after a reset\n",
                start.elapsed().as_millis()
            );
            BootError::Gone
        })
    }

    /// Keeps the card from memory, with its chip in its loader as far as that can be reached, for the end
    /// of the driver, of the system or of its wakefulness.  Returns whether the card is kept from memory.
    pub(super) fn quiesce(&self) -> bool {
        self.link.stop();
        self.fail_sessions(ENODEV);
        if self.state() != State::Resetting && !self.is_back_within(GRACE) {
            return false;
        }
        let first = pci::presence(&self.pdev);
        if first != Presence::Absent {
            // Whatever is thought of the card: it answers.
            pci::clear_master(&self.pdev);
            let mut config = self.config.lock();
            if first == Presence::Configured {
                config.refresh(&self.pdev);
            } else if config.restore(&self.pdev).is_err() {
                return true;
            }
            drop(config);
            if self.write_reset().is_err() {
                return true;
            }
            self.link.counters.resets.add(1);
        }
        let start = Instant::now();
        fsleep(LOOK);
        let kept: Result<_, Infallible> =
            time::poll(LOOK, QUIESCE, || match pci::presence(&self.pdev) {
                Presence::Blank => {
                    // Whoever takes the card over finds its BARs in place.
                    let _ = self.config.lock().restore(&self.pdev);
                    self.reset_pending.store(0, Relaxed);
                    Ok(Some(()))
                }
                Presence::Configured if start.elapsed() > WIPE => {
                    pci::clear_master(&self.pdev);
                    Ok(Some(()))
                }
                _ => Ok(None),
            });
        matches!(kept, Ok(Some(())))
    }
}
