// SPDX-License-Identifier: GPL-2.0

//! What is known of an open file of `/dev/axcl_host`: who opened it, and what has happened.

use kernel::{
    new_condvar,
    new_mutex,
    static_lock_class,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        poll::PollCondVar,
        CondVar,
        Mutex, //
    }, //
};

use crate::glue::{
    compat::PollCondVarBox,
    prelude::*,
    task::Process,
    time::{
        self,
        Delta,
        Instant,
        Signals, //
    }, //
};

// TIMEOUT: requests for ports are done one at a time in a file; a create may take a minute.
const TURN: Delta = Delta::from_secs(120);

/// Events that are remembered; as many cards can die before anybody looks.
const MOST_EVENTS: u32 = 1 << 16;

/// An open file.
#[pin_data]
pub(crate) struct Record {
    /// The thread that opened it, which is what the ABI calls a process [pcie 5.7].
    pub(crate) thread: Process,
    /// Who opened it may have cards that can reach all memory.
    pub(super) trusted: bool,
    events: Atomic<u32>,
    queue: PollCondVarBox,
    /// Whether somebody is at ports.
    #[pin]
    busy: Mutex<bool>,
    #[pin]
    free: CondVar,
}

/// The right to change the ports of a file.
pub(crate) struct Turn<'a>(&'a Record);

impl Record {
    /// Makes the record of a file that the calling thread has opened.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; those of [`Process::current_thread`].
    pub(crate) fn new(trusted: bool) -> Result<impl PinInit<Self>> {
        let thread = Process::current_thread()?;
        let queue = PollCondVarBox::new(c"ax650_axcl_events", static_lock_class!())?;
        Ok(pin_init!(Self {
            thread,
            trusted,
            events: Atomic::new(0),
            queue,
            busy <- new_mutex!(false, "ax650_axcl_busy"),
            free <- new_condvar!("ax650_axcl_free"),
        }))
    }

    /// Notes that something has happened which the owner should look at.
    pub(crate) fn raise(&self) {
        if self.events.load(Relaxed) < MOST_EVENTS {
            self.events.add(1, Relaxed);
        }
        self.queue.notify_all();
    }

    /// Events that nobody has looked at yet, for `observe/debug.rs`.
    pub(crate) fn events(&self) -> u32 {
        self.events.load(Relaxed)
    }

    /// Takes one event, if there is any.
    pub(crate) fn take_event(&self) -> bool {
        loop {
            let events = self.events.load(Relaxed);
            if events == 0 {
                return false;
            }
            if self.events.cmpxchg(events, events - 1, Relaxed).is_ok() {
                return true;
            }
        }
    }

    /// Returns where pollers wait.
    pub(crate) fn queue(&self) -> &PollCondVar {
        &self.queue
    }

    /// Waits until nobody else is at the ports of this file.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`; `ERESTARTSYS` for a caller that is being killed.
    pub(crate) fn turn(&self) -> Result<Turn<'_>> {
        let deadline = Instant::now() + TURN;
        time::wait_for(&self.busy, &self.free, deadline, Signals::Deadly, |busy| {
            Ok((!core::mem::replace(busy, true)).then_some(()))
        })?;
        Ok(Turn(self))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.busy.lock() = false;
        self.0.free.notify_all();
    }
}
