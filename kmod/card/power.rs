// SPDX-License-Identifier: GPL-2.0

//! Times when the driver must keep its hands off the card: sleep, shutdown, errors on the bus, resets
//! by others.  The card loses its state in all of them; afterwards it is booted again, and what
//! clients held answers `ESTALE`.

use super::Card;
use crate::{
    glue::{
        pci::{
            self,
            Presence, //
        },
        prelude::*, //
    },
    wire::state::State, //
};

impl Card {
    /// Ends all work on the card.  When this returns the thread does not touch it.
    fn pause(&self) {
        self.link.life.orders.pause();
        if self.state().is_on_bus() {
            self.set_state(State::Resetting);
        }
        self.link.stop();
        self.fail_sessions(ESTALE);
        self.link.life.orders.kick();
        drop(self.activity.lock());
        // Again: the thread may have been setting up what was just torn down.
        self.link.stop();
        self.fail_sessions(ESTALE);
    }

    /// Ends all work and leaves the chip in its loader.
    pub(crate) fn sleep_now(&self) {
        self.pause();
        if self.quiesce() {
            self.pool.release_quarantine();
        }
    }

    /// Boots the card again, in the background.
    pub(crate) fn wake_up(&self) {
        self.link.life.orders.resume();
    }

    /// Notes an error on the bus: no access until the slot has been reset; never again if `lost`.
    pub(crate) fn bus_error(&self, lost: bool) {
        dev_warn!(
            self.pdev,
            "error on the bus, {}\n",
            if lost { "the card is lost" } else { "stopping" }
        );
        self.pause();
        if lost {
            self.link.lose(State::Gone);
            self.wake_waiters();
        }
    }

    /// Returns whether the card is there, after the slot has been reset.
    pub(crate) fn bus_reset(&self) -> bool {
        self.config.restore(&self.pdev).is_ok() && pci::presence(&self.pdev) == Presence::Configured
    }

    /// Tells whoever waits for the card that the driver is being unbound; nobody begins anything new.
    pub(crate) fn begin_removal(&self) {
        self.link.life.remove();
        self.wake_waiters();
        self.fail_sessions(ENODEV);
    }

    /// Ends all activity: nothing touches the card after this, and the card touches nothing of the host.
    pub(crate) fn remove(&self) {
        // A card that does not answer even now is not on the bus, where it could reach memory.
        let _ = self.quiesce();
        self.pool.memory.space().close();
        self.pool.release_quarantine();
    }
}
