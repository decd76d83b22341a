// SPDX-License-Identifier: GPL-2.0

//! Port 11: asking the card to make and end the serving process of a session [pcie 5.2] to [pcie 5.5].

use kernel::{
    new_condvar,
    new_mutex,
    sync::{
        CondVar,
        Mutex, //
    }, //
};

use super::{
    device::Device,
    life::Life,
    ports::Ports, //
};
use crate::{
    glue::{
        prelude::*,
        time::{
            self,
            Instant,
            Signals, //
        }, //
    },
    wire::control::{
        Packet,
        NOTIFY_PORT, //
    }, //
};

/// A request that waits for its answer.
struct Waiter {
    request: Packet,
    answer: Option<Packet>,
}

/// Requests in flight on port 11 of one device.  Answers are matched by process and ports, never by
/// order.
#[pin_data]
pub(crate) struct Control {
    #[pin]
    waiters: Mutex<KVec<Waiter>>,
    #[pin]
    changed: CondVar,
}

impl Control {
    /// Makes the table of requests, with none in flight.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            waiters <- new_mutex!(KVec::new(), "ax650_control"),
            changed <- new_condvar!("ax650_control"),
        })
    }

    /// Takes a message that has come on port 11.
    pub(super) fn on_message(&self, device: &Device, ports: &Mutex<Ports>, message: &[u8]) {
        let Some(packet) = Packet::parse(message) else {
            dev_warn_ratelimited!(
                device,
                "message of {} bytes on port {}, expected 40\n",
                message.len(),
                NOTIFY_PORT
            );
            device.counters.bad_messages.add(1);
            return;
        };
        let mut waiters = self.waiters.lock();
        let waiter = waiters
            .iter_mut()
            .find(|w| w.answer.is_none() && packet.answers(&w.request));
        match waiter {
            Some(waiter) => {
                waiter.answer = Some(packet);
                self.changed.notify_all();
            }
            None => {
                device.counters.late_replies.add(1);
                ports.lock().late_has_come(&packet.ports);
            }
        }
    }

    /// Wakes all waiters: the card is going down.
    pub(crate) fn wake(&self) {
        // Who has looked already sleeps by now.
        drop(self.waiters.lock());
        self.changed.notify_all();
    }

    /// Notes that `request` is about to be sent.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn expect(&self, request: &Packet) -> Result {
        let waiter = Waiter {
            request: *request,
            answer: None,
        };
        self.waiters.lock().push(waiter, GFP_KERNEL)?;
        Ok(())
    }

    /// Notes that nobody waits for the answer to `request` any more.
    pub(super) fn forget(&self, ports: &Mutex<Ports>, request: &Packet) {
        let mut waiters = self.waiters.lock();
        let answered = waiters
            .iter()
            .any(|w| w.request == *request && w.answer.is_some());
        waiters.retain(|w| w.request != *request);
        if !answered {
            // Before the lock is dropped: the answer must find the mark or the waiter.
            ports.lock().expect_late(&request.ports);
        }
    }

    /// Waits for the answer to `request`.
    ///
    /// # Errors
    ///
    /// Why the card does not serve any more ([`Life::check_serving`]); `ETIMEDOUT`; `ERESTARTSYS` for a
    /// signal.
    pub(super) fn wait(
        &self,
        life: &Life,
        request: &Packet,
        generation: u32,
        deadline: Instant,
        signals: Signals,
    ) -> Result<Packet> {
        let look = |waiters: &mut KVec<Waiter>| {
            let waiter = waiters.iter().find(|w| w.request == *request);
            match waiter.and_then(|w| w.answer) {
                Some(answer) => Ok(Some(answer)),
                None => Ok(life.check_serving(generation).map(|()| None)?),
            }
        };
        // TIMEOUT: the caller's.
        time::wait_for(&self.waiters, &self.changed, deadline, signals, look)
    }
}
