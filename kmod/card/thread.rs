// SPDX-License-Identifier: GPL-2.0

//! The card's thread: boots, watches, recovers.

use kernel::{
    prelude::*,
    sync::{atomic::Relaxed, Arc},
};

use super::Card;
use crate::glue::compat::errno::ESTALE;
use crate::{
    glue::{
        pci::{self, Presence},
        thread::{Main, Running},
        time::{self, Delta, Instant, Moment, Signals},
    },
    transport::rx,
    wire::state::State,
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

/// What the thread shall do.
#[derive(Default)]
pub(crate) struct Orders {
    pub(super) boot: bool,
    pub(super) reset: bool,
    /// A boot or reset is under way.
    pub(super) busy: bool,
    /// Look at everything now.
    pub(super) kicked: bool,
    /// The system sleeps, or an error on the bus is being handled: hands off.
    pub(super) paused: bool,
    /// The driver is being unbound.
    pub(super) stop: bool,
}

impl Orders {
    fn to_be_done(&self) -> bool {
        self.stop || self.kicked || (!self.paused && (self.boot || self.reset))
    }
}

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
        self.orders.lock().stop = true;
        self.wake.notify_all();
        self.control.wake();
    }
}

impl Card {
    /// Has the thread look at everything now.
    pub(crate) fn kick(&self) {
        self.orders.lock().kicked = true;
        self.wake.notify_all();
    }

    /// Does what is to be done now.
    fn act(self: &Arc<Self>, last_watch: &mut Instant) {
        let state = self.state();
        let (boot, reset, paused) = self.take_orders();
        if paused || state == State::Gone {
            // Hands off.
        } else if state == State::Unreachable {
            self.look_for_it();
        } else if reset {
            self.reset_on_demand();
        } else if boot {
            self.boot_with_retries(ESTALE);
        } else if state.serves_sessions() {
            self.serve();
            self.heed_attendant();
            if last_watch.elapsed() >= WATCH {
                *last_watch = Instant::now();
                self.watch();
            }
            self.mend_blank();
        }
        if !self.state().is_on_bus() {
            // Whoever found it gone could not do this, for the locks it held.
            self.tx.lock().stop();
            self.rx.lock().stop();
            self.fail_sessions(ENODEV);
        }
        self.retire_sessions();
        self.axcl.tick(self);
        self.orders.lock().busy = false;
        self.axcl.notify();
    }

    /// Orders a boot or a reset; `EBUSY` if one is under way.  Returns the generation to come.
    ///
    /// `if_needed`: only a boot, and only if the card does not run and is not being booted.
    pub(crate) fn order(&self, reset: bool, if_needed: bool) -> Result<u32> {
        let mut orders = self.orders.lock();
        if self.is_gone() {
            return Err(ENODEV);
        }
        if if_needed && self.state().serves_sessions() {
            return Ok(self.generation());
        }
        if orders.boot || orders.reset || orders.busy {
            if if_needed {
                return Ok(self.generation().wrapping_add(1));
            }
            return Err(EBUSY);
        }
        orders.boot = !reset;
        orders.reset = reset;
        self.wake.notify_all();
        let generation = self.generation();
        Ok(if reset {
            generation
        } else {
            generation.wrapping_add(1)
        })
    }

    /// Whether a boot is to come or under way.
    pub(super) fn boot_is_due(&self) -> bool {
        let orders = self.orders.lock();
        orders.boot || orders.busy
    }

    /// Whether a boot or a reset is to come or under way.
    pub(crate) fn is_ordered(&self) -> bool {
        let orders = self.orders.lock();
        orders.boot || orders.reset || orders.busy
    }

    /// Whether the thread shall drop what it is doing.
    pub(super) fn stopping(&self) -> bool {
        let orders = self.orders.lock();
        orders.stop || orders.paused
    }

    /// Fails with `EINTR` if the thread shall drop what it is doing.
    pub(super) fn check_stopping(&self) -> Result {
        match self.stopping() {
            true => Err(EINTR),
            false => Ok(()),
        }
    }

    fn take_orders(&self) -> (bool, bool, bool) {
        let mut orders = self.orders.lock();
        orders.kicked = false;
        if orders.paused {
            return (false, false, true);
        }
        let boot = core::mem::take(&mut orders.boot);
        let reset = core::mem::take(&mut orders.reset);
        orders.busy = boot || reset;
        (boot, reset, false)
    }

    /// Sleeps until there is something to do.
    fn rest(&self) {
        let blocked = self.state().serves_sessions() && self.is_blocked();
        let pause = match () {
            () if blocked => BLOCKED,
            () if self.is_busy() => BUSY,
            () => IDLE,
        };
        self.idle.store(u32::from(pause == IDLE), Relaxed);
        self.sleep(pause);
        self.idle.store(0, Relaxed);
    }

    /// Work has come that needs to be watched.
    pub(crate) fn watch_closely(&self) {
        if self.idle.load(Relaxed) != 0 {
            self.kick();
        }
    }

    /// Sleeps for `pause`, or until there are orders.
    fn sleep(&self, pause: Delta) {
        let deadline = Instant::now() + pause;
        // However it ends, the thread looks at everything next.
        let _ = time::wait_for(&self.orders, &self.wake, deadline, Signals::All, |orders| {
            Ok(orders.to_be_done().then_some(()))
        });
    }

    /// Whether the card has something to do for us.
    fn is_busy(&self) -> bool {
        if !self.state().serves_sessions() {
            return false;
        }
        let sessions = self.ports.lock().sessions();
        self.axcl.is_busy()
            || self.tx.lock().busy(self)
            || sessions.is_ok_and(|sessions| sessions.iter().any(|session| session.is_busy()))
    }

    fn is_blocked(&self) -> bool {
        self.tx.lock().is_blocked()
    }

    /// Recovers what was lost on the way, and lets time pass for the sessions.
    fn serve(&self) {
        let found = rx::drain(self);
        self.counters.interrupts_recovered.add(found.into());
        self.tx.lock().recover(self);
        let now = time::now();
        if let Ok(sessions) = self.ports.lock().sessions() {
            for session in sessions.iter() {
                session.tick(now);
            }
        }
    }

    /// Gives the ports of sessions that are over back.
    pub(super) fn retire_sessions(&self) {
        let sessions = self.ports.lock().sessions();
        if let Ok(sessions) = sessions {
            for session in sessions.iter() {
                session.retire();
            }
        }
    }

    /// The card did not answer on the bus: whether it does again.
    fn look_for_it(self: &Arc<Self>) {
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
            self.give_up(EIO);
        } else {
            self.boot_with_retries(ESTALE);
        }
    }

    /// A card that has reset itself, because of its watchdog or its heat, is booted at once: no heartbeat
    /// need be waited for.
    fn mend_blank(self: &Arc<Self>) {
        if self.blank.load(Relaxed) != 0 && self.state().serves_sessions() {
            dev_err!(
                self.pdev,
                "has lost its configuration: it has reset itself\n"
            );
            self.boot_with_retries(ESTALE);
        }
    }

    fn reset_on_demand(&self) {
        if let Err(e) = self.reset(ESTALE) {
            if self.stopping() || self.is_gone() {
                return self.note_error(e);
            }
            self.give_up(e);
        } else {
            self.reached(State::Loader);
            dev_info!(self.pdev, "reset on demand\n");
        }
    }

    /// Resets and boots.
    pub(super) fn boot_with_retries(self: &Arc<Self>, reason: Error) {
        self.orders.lock().busy = true;
        let start = Instant::now();
        for attempt in 1..=BOOT_TRIES {
            let booted = self.reset(reason).and_then(|()| self.boot());
            match booted {
                Ok(()) => return self.booted(),
                Err(e) if self.stopping() || self.is_gone() => return self.note_error(e),
                // What the next attempt would meet again.
                Err(e) if e == ENOENT || e == EINVAL || e == EFBIG => return self.give_up(e),
                Err(e) if attempt == BOOT_TRIES || start.elapsed() > BOOT_TRIES_TIME => {
                    return self.give_up(e)
                }
                Err(e) => {
                    self.counters.boot_failures.add(1);
                    self.note_error(e);
                    dev_warn!(self.pdev, "boot failed: {:?}, trying again\n", e);
                    self.sleep(BOOT_PAUSE);
                }
            }
        }
    }

    /// What was ordered has led to `state`: whoever sees the one sees the other, and may give the
    /// next order at once.  False if the card has gone in the meantime.
    fn reached(&self, state: State) -> bool {
        let mut orders = self.orders.lock();
        orders.busy = false;
        self.set_state(state)
    }

    fn note_error(&self, e: Error) {
        self.status.lock().last_error = e.to_errno();
    }

    /// The card stays down until somebody orders a boot.
    fn give_up(&self, e: Error) {
        self.counters.boot_failures.add(1);
        self.note_error(e);
        self.tx.lock().stop();
        self.rx.lock().stop();
        // It may be anywhere in its boot: keep it from memory.
        pci::clear_master(&self.pdev);
        self.reached(State::Dead);
        dev_err!(self.pdev, "failed: {:?}\n", e);
    }

    /// The rings are up.
    fn booted(self: &Arc<Self>) {
        let generation = self.generation().wrapping_add(1);
        self.generation.store(generation, Relaxed);
        self.counters.boots.add(1);
        {
            let mut status = self.status.lock();
            status.last_error = 0;
            status.losses = 0;
            status.watch = Some(crate::wire::heartbeat::Watch::new(Instant::now().nanos()));
        }
        if self.reached(State::Running) {
            self.axcl.up();
            self.call_attendant();
        }
    }
}
