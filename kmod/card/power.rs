// SPDX-License-Identifier: GPL-2.0

//! Times when the driver must keep its hands off the card: sleep, shutdown, errors on the bus, resets
//! by others.  The card loses its state in all of them; afterwards it is booted again, or left down if it was
//! down on purpose, and what clients held answers `ESTALE`.

use super::Card;
use crate::{
    glue::{
        pci::{
            self,
            Presence, //
        },
        prelude::*,
        time::Delta, //
    },
    wire::state::State, //
};

// TIMEOUT: the kernel waits for a slot that is being reset for a minute, and some of its versions say nothing
// if it does not come back.
const FROZEN: Delta = Delta::from_secs(120);

// TIMEOUT: the kernel has seen the link come up, and the loader is there within a second [pcie 2.9].
const BACK: Delta = Delta::from_secs(5);

impl Card {
    /// Ends all work on the card.  When this returns the thread does not touch it: until it is woken up, but
    /// not for longer than `grace` if there is one.
    fn pause(&self, grace: Option<Delta>) {
        self.link.life.orders.pause(grace);
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
        self.pause(None);
        if self.quiesce() {
            self.pool.release_quarantine();
        }
    }

    /// Brings the card back to where it is wanted, in the background.
    pub(crate) fn wake_up(&self) {
        self.link.life.orders.resume();
    }

    /// Notes an error on the bus: no access until the slot has been reset; if `lost`, the kernel has given it
    /// up.
    ///
    /// A card that the kernel has given up is looked for all the same, unless it has cut it off: recovery
    /// fails as a whole if anything on the same bus has no driver.
    pub(crate) fn bus_error(&self, lost: bool) {
        dev_warn!(
            self.pdev,
            "error on the bus, {}\n",
            if lost { "recovery failed" } else { "stopping" }
        );
        self.pause(Some(FROZEN));
        // It may be as well as ever, and its clients have just lost their memory.
        if pci::presence(&self.pdev) != Presence::Absent {
            pci::clear_master(&self.pdev);
        }
        if lost {
            self.link.lose(match pci::is_cut_off(&self.pdev) {
                true => State::Gone,
                false => State::Unreachable,
            });
            self.wake_waiters();
            self.wake_up();
        }
    }

    /// Returns whether the card is there, after the slot has been reset.
    pub(crate) fn bus_reset(&self) -> bool {
        self.is_back_within(BACK)
            && self.config.lock().restore(&self.pdev).is_ok()
            && pci::presence(&self.pdev) == Presence::Configured
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
