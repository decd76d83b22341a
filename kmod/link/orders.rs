// SPDX-License-Identifier: GPL-2.0

//! What the card's thread is to do, and how it is woken.  Whoever has the link may have the thread look.

use kernel::{
    new_condvar,
    new_mutex,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        CondVar,
        Mutex, //
    }, //
};

use crate::glue::{
    prelude::*,
    time::{
        self,
        Delta,
        Instant,
        Moment,
        Signals, //
    }, //
};

/// What may be ordered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Reset and boot.
    Boot,
    /// Boot, unless the card runs or is being booted.
    BootIfNeeded,
    /// Reset, and leave the card down.
    Reset,
}

/// What the thread finds when it looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errand {
    /// The system sleeps, or an error on the bus is being handled: hands off.
    HandsOff,
    /// Nothing was ordered: see what the card needs.
    Look,
    /// An order that is now under way.
    Do(Order),
}

#[derive(Default)]
struct Slots {
    /// Ordered and not begun.
    order: Option<Order>,
    /// A boot or reset is under way.
    busy: bool,
    /// Look at everything now.
    kicked: bool,
    /// Hands off.
    paused: bool,
    /// The pause ends then, if nobody has ended it before.
    pause_ends: Option<Instant>,
    /// The last order was to leave the card down.
    down: bool,
    /// The driver is being unbound.
    stop: bool,
}

impl Slots {
    fn to_be_done(&self) -> bool {
        self.stop || self.kicked || (!self.paused && self.order.is_some())
    }

    /// Ends a pause; the card is brought to where it is wanted, unless something else stands.
    fn resume(&mut self) {
        self.paused = false;
        let wanted = self.wanted();
        self.order.get_or_insert(wanted);
    }

    fn wanted(&self) -> Order {
        match self.down {
            true => Order::Reset,
            false => Order::Boot,
        }
    }
}

/// The orders of one card.
#[pin_data]
pub(crate) struct Orders {
    /// A leaf, but for the change of state that ends an order.
    #[pin]
    slots: Mutex<Slots>,
    /// The thread sleeps here.
    #[pin]
    wake: CondVar,
    /// The thread sleeps for long: there was nothing to watch.  No lock: a hint.
    idle: Atomic<u32>,
}

impl Orders {
    /// Makes the orders of a card, with nothing to do.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            slots <- new_mutex!(Slots::default(), "ax650_orders"),
            wake <- new_condvar!("ax650_wake"),
            idle: Atomic::new(0),
        })
    }

    /// Has the thread look at everything now.
    pub(crate) fn kick(&self) {
        self.slots.lock().kicked = true;
        self.wake.notify_all();
    }

    /// Has the thread look if it sleeps for long: work has come that needs to be watched.
    pub(crate) fn watch_closely(&self) {
        if self.idle.load(Relaxed) != 0 {
            self.kick();
        }
    }

    /// Places `order` unless one stands or is under way, or `refuse` gives a reason.  Both are looked at
    /// under one lock.
    pub(super) fn place<R>(
        &self,
        order: Order,
        refuse: impl FnOnce(bool) -> Option<R>,
    ) -> Option<R> {
        let mut slots = self.slots.lock();
        let refused = refuse(slots.order.is_some() || slots.busy);
        if refused.is_none() {
            slots.order = Some(order);
            slots.down = order == Order::Reset;
            self.wake.notify_all();
        }
        refused
    }

    /// Ends a pause; the card is booted again, unless it was left down on purpose.
    pub(crate) fn resume(&self) {
        self.slots.lock().resume();
        self.wake.notify_all();
    }

    /// Returns what a card is to be brought to that has lost its state: running, unless it was left down on
    /// purpose.
    pub(crate) fn wanted(&self) -> Order {
        self.slots.lock().wanted()
    }

    /// Begins a pause, for `grace` at most if there is one: the thread keeps its hands off from its next look
    /// on.
    pub(crate) fn pause(&self, grace: Option<Delta>) {
        let mut slots = self.slots.lock();
        slots.paused = true;
        slots.pause_ends = grace.map(|grace| Instant::now() + grace);
    }

    /// Ends the thread's work.
    pub(crate) fn stop(&self) {
        self.slots.lock().stop = true;
        self.wake.notify_all();
    }

    /// Takes what is to be done.
    pub(crate) fn take(&self) -> Errand {
        let mut slots = self.slots.lock();
        slots.kicked = false;
        if slots.paused {
            if slots.pause_ends.is_none_or(|end| !end.left().is_zero()) {
                return Errand::HandsOff;
            }
            slots.resume();
        }
        let order = slots.order.take();
        slots.busy = order.is_some();
        order.map_or(Errand::Look, Errand::Do)
    }

    /// Notes that a boot or reset is under way that nobody has ordered.
    pub(crate) fn begin(&self) {
        self.slots.lock().busy = true;
    }

    /// Notes that nothing is under way, and runs `and` at once: whoever sees the one sees the other, and
    /// may give the next order.
    pub(crate) fn end<R>(&self, and: impl FnOnce() -> R) -> R {
        let mut slots = self.slots.lock();
        slots.busy = false;
        and()
    }

    /// Returns whether a boot is to come, or a boot or reset under way.
    pub(super) fn boot_is_due(&self) -> bool {
        let slots = self.slots.lock();
        slots.busy || slots.order.is_some_and(|order| order != Order::Reset)
    }

    /// Returns whether a boot or a reset is to come or under way.
    pub(crate) fn is_ordered(&self) -> bool {
        let slots = self.slots.lock();
        slots.busy || slots.order.is_some()
    }

    /// Returns whether the thread shall drop what it is doing.
    pub(crate) fn stopping(&self) -> bool {
        let slots = self.slots.lock();
        slots.stop || slots.paused
    }

    /// Sleeps for `pause`, or until there is something to do.
    pub(crate) fn sleep(&self, pause: Delta) {
        let deadline = Instant::now() + pause;
        // However it ends, the thread looks at everything next.
        let _ = time::wait_for(&self.slots, &self.wake, deadline, Signals::All, |slots| {
            Ok(slots.to_be_done().then_some(()))
        });
    }

    /// Sleeps for as long as `look` says, or `idle` if it finds nothing to watch: [`Self::watch_closely`]
    /// ends that.
    ///
    /// The thread says that it is idle before it looks.  Work that `look` does not see is put where it looks
    /// later than that, under the same lock, and whoever puts it there sees that the thread is idle.
    pub(crate) fn sleep_unless(&self, idle: Delta, look: impl FnOnce() -> Option<Delta>) {
        self.idle.store(1, Relaxed);
        match look() {
            None => self.sleep(idle),
            Some(pause) => {
                self.idle.store(0, Relaxed);
                self.sleep(pause);
            }
        }
        self.idle.store(0, Relaxed);
    }
}
