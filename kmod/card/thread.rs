// SPDX-License-Identifier: GPL-2.0

//! The card's thread: boots, watches, recovers.

use kernel::sync::Arc;

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
        thread::{
            Main,
            Running, //
        },
        time::{
            self,
            Delta,
            Instant,
            Moment, //
        }, //
    },
    link::orders::{
        Errand,
        Order, //
    },
    wire::{
        heartbeat::Watch,
        state::State, //
    }, //
};

/// Between looks at the heartbeat.
const WATCH: Delta = Delta::from_secs(1);

/// Between looks for lost doorbells, lost interrupts and lapsed deadlines: while work is under way,
/// and otherwise.
const BUSY: Delta = Delta::from_millis(20);
const IDLE: Delta = Delta::from_secs(1);

/// After a sender was turned away for want of room.
const BLOCKED: Delta = Delta::from_millis(2);

/// Boots that are tried in a row before a card is given up, and the pause between them.
const BOOT_TRIES: u32 = 3;
const BOOT_PAUSE: Delta = Delta::from_secs(2);

/// A card that is lost on the bus so often without having run in between is left alone.
const MOST_LOSSES: u32 = 5;

/// No further try when the last ones took as long as this: firmware that did not answer for the two
/// minutes of a handshake was no glitch, and whoever waits for the card shall hear of it.
const BOOT_TRIES_TIME: Delta = Delta::from_secs(60);

impl Main for Card {
    fn main(self: &Arc<Self>, me: &Running) {
        let mut last_watch = time::EPOCH;
        while !me.should_stop() {
            {
                let _active = self.activity.lock();
                self.act(&mut last_watch);
            }
            self.rest();
        }
    }

    fn wake(&self) {
        self.link.life.orders.stop();
        self.link.wake();
    }
}

impl Card {
    /// Does what is to be done now.
    fn act(&self, last_watch: &mut Instant) {
        let state = self.state();
        if !state.is_on_bus() {
            if self.tell_state() {
                self.tell_loss(c"lost on the bus");
            }
            self.note_error(BootError::Gone);
            self.wake_waiters();
        }
        match (self.link.life.orders.take(), state) {
            (Errand::HandsOff, _) | (_, State::Gone) => {}
            (_, State::Unreachable) => self.look_for_it(),
            (Errand::Do(Order::Reset), _) => self.reset_on_demand(),
            (Errand::Do(Order::Boot | Order::BootIfNeeded), _) => self.boot_with_retries(ESTALE),
            (Errand::Look, state) if state.serves_sessions() => {
                self.serve();
                self.heed_attendant();
                if last_watch.elapsed() >= WATCH {
                    *last_watch = Instant::now();
                    self.watch();
                }
                self.mend_blank();
            }
            (Errand::Look, _) => {}
        }
        if !self.state().is_on_bus() {
            // Whoever found it gone could not do this, for the locks it held.
            self.link.stop();
            self.fail_sessions(ENODEV);
        }
        self.sessions.retire();
        self.settle_boards();
        self.link.life.orders.end(|| ());
        self.follower.tick();
    }

    /// Sleeps until there is something to do.
    fn rest(&self) {
        self.link.life.orders.sleep_unless(IDLE, || {
            if !self.state().serves_sessions() {
                None
            } else if self.link.is_blocked() {
                Some(BLOCKED)
            } else {
                self.is_busy().then_some(BUSY)
            }
        });
    }

    /// Returns whether the card has something to do for us.
    fn is_busy(&self) -> bool {
        self.follower.is_busy() || self.link.has_unread() || self.sessions.is_busy()
    }

    /// Recovers what was lost on the way, and lets time pass for the sessions.
    fn serve(&self) {
        self.link.recover();
        self.sessions.tick();
    }

    /// Looks whether a card that did not answer on the bus does again.
    fn look_for_it(&self) {
        if pci::presence(&self.pdev) == Presence::Absent {
            return;
        }
        // First of all: it may be running as before, and its clients are told that it is not.
        pci::clear_master(&self.pdev);
        let losses = {
            let mut status = self.status.lock();
            status.losses += 1;
            status.losses
        };
        dev_info!(self.pdev, "answers on the bus again\n");
        if losses > MOST_LOSSES {
            dev_err!(self.pdev, "lost {} times without having run\n", losses);
            self.give_up(BootError::Other(EIO));
        } else if self.link.life.orders.wanted() == Order::Reset {
            self.reset_on_demand();
        } else {
            self.boot_with_retries(ESTALE);
        }
    }

    /// Boots a card that has reset itself, because of its watchdog or its heat, at once: no heartbeat need
    /// be waited for.
    fn mend_blank(&self) {
        if self.link.is_blank() && self.state().serves_sessions() {
            dev_err!(
                self.pdev,
                "has lost its configuration: it has reset itself\n"
            );
            self.tell_loss(c"has reset itself");
            self.boot_with_retries(ESTALE);
        }
    }

    fn reset_on_demand(&self) {
        if let Err(e) = self.reset(ESTALE, || ()) {
            if self.stopping() || self.is_gone() {
                return self.note_error(e);
            }
            self.give_up(e);
        } else {
            self.status.lock().losses = 0;
            self.reached(State::Loader);
            dev_info!(self.pdev, "reset on demand\n");
        }
    }

    /// Resets and boots.
    pub(super) fn boot_with_retries(&self, reason: Error) {
        self.link.life.orders.begin();
        let start = Instant::now();
        for attempt in 1..=BOOT_TRIES {
            let booted = self.reset_and_boot(reason);
            match booted {
                Ok(()) => return self.booted(),
                Err(e) if self.stopping() || self.is_gone() => return self.note_error(e),
                // What the next attempt would meet again.
                Err(e) if e.is_final() => return self.give_up(e),
                Err(e) if attempt == BOOT_TRIES || start.elapsed() > BOOT_TRIES_TIME => {
                    return self.give_up(e)
                }
                Err(e) => {
                    self.link.counters.boot_failures.add(1);
                    self.note_error(e);
                    dev_warn!(self.pdev, "boot failed: {:?}, trying again\n", e);
                    self.link.life.orders.sleep(BOOT_PAUSE);
                }
            }
        }
    }

    fn reset_and_boot(&self, reason: Error) -> Result<(), BootError> {
        let mut checked = None;
        self.reset(reason, || checked = Some(self.read_firmware()))?;
        if !self.set_state(State::Loader) {
            return Err(BootError::Gone);
        }
        // There was no time if the card had been reset before.
        self.boot(checked.unwrap_or_else(|| self.read_firmware())?)
    }

    /// Notes that what was ordered has led to `state`: whoever sees the one sees the other, and may give
    /// the next order at once.  False if the card has gone in the meantime.
    fn reached(&self, state: State) -> bool {
        let reached = self.link.life.orders.end(|| self.link.set_state(state));
        self.tell_state();
        reached
    }

    fn note_error(&self, e: BootError) {
        self.status.lock().failure = Some(e);
    }

    /// Leaves the card down until somebody orders a boot.
    fn give_up(&self, e: BootError) {
        self.link.counters.boot_failures.add(1);
        self.note_error(e);
        self.link.stop();
        // It may be anywhere in its boot: keep it from memory.
        pci::clear_master(&self.pdev);
        self.reached(State::Dead);
        dev_err!(self.pdev, "failed: {:?}\n", e);
    }

    /// Begins to serve when the rings are up.
    fn booted(&self) {
        self.link.life.next_generation();
        self.link.counters.boots.add(1);
        {
            let mut status = self.status.lock();
            status.failure = None;
            status.losses = 0;
            status.watch = Some(Watch::new(Instant::now().nanos()));
        }
        if self.reached(State::Running) {
            self.follower.up();
            self.service.call();
        }
    }
}
