// SPDX-License-Identifier: GPL-2.0

//! Port 11: asking the card to make and end the serving process of a session [pcie 5.2] to [pcie 5.5].

use kernel::{
    new_condvar, new_mutex,
    prelude::*,
    sync::{CondVar, Mutex},
};

use super::{ports::Group, tx::SendError};
use crate::glue::compat::errno::EREMOTEIO;
use crate::{
    card::Card,
    glue::{
        task,
        time::{self, Delta, Moment, Signals},
    },
    wire::control::{Packet, CREATE, DESTROY, NOTIFY_PORT},
};

/// Between looks for room in the ring.
const ROOM_PAUSE: Delta = Delta::from_millis(1);

/// A request that waits for its answer.
struct Waiter {
    request: Packet,
    answer: Option<Packet>,
}

/// Requests in flight on port 11 of one card.  Answers are matched by process and ports, never by
/// order.
#[pin_data]
pub(crate) struct Control {
    #[pin]
    waiters: Mutex<KVec<Waiter>>,
    #[pin]
    changed: CondVar,
}

impl Control {
    /// No requests.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            waiters <- new_mutex!(KVec::new(), "ax650_control"),
            changed <- new_condvar!("ax650_control"),
        })
    }

    /// A message has come on port 11.
    pub(super) fn on_message(&self, card: &Card, message: &[u8]) {
        let Some(packet) = Packet::parse(message) else {
            dev_warn_ratelimited!(
                card,
                "message of {} bytes on port {}, expected 40\n",
                message.len(),
                NOTIFY_PORT
            );
            card.counters.bad_messages.add(1);
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
                card.counters.late_replies.add(1);
                card.ports.lock().late_has_come(&packet.ports);
            }
        }
    }

    /// Wakes all waiters: the card is going down.
    pub(crate) fn wake(&self) {
        self.changed.notify_all();
    }

    /// Has the card make a serving process for `ports`.  The caller destroys the ports whatever
    /// comes of it, as the card may still act on a request that has timed out.
    pub(crate) fn create(
        &self,
        card: &Card,
        request: Packet,
        deadline: u64,
        signals: Signals,
    ) -> Result {
        let generation = card.generation();
        self.waiters.lock().push(
            Waiter {
                request,
                answer: None,
            },
            GFP_KERNEL,
        )?;
        let result = send_unless(card, &request, deadline, task::must_leave)
            .and_then(|()| self.wait(card, &request, generation, deadline, signals));
        let mut waiters = self.waiters.lock();
        let answered = waiters
            .iter()
            .any(|w| w.request == request && w.answer.is_some());
        waiters.retain(|w| w.request != request);
        if !answered {
            // Before the lock is dropped: the answer must find the mark or the waiter.
            card.ports.lock().expect_late(&request.ports);
        }
        drop(waiters);
        match result {
            Ok(answer) if answer.succeeded() => Ok(()),
            Ok(_) => Err(EREMOTEIO),
            Err(e) => Err(e),
        }
    }

    fn wait(
        &self,
        card: &Card,
        request: &Packet,
        generation: u32,
        deadline: u64,
        signals: Signals,
    ) -> Result<Packet> {
        let look = |waiters: &mut KVec<Waiter>| {
            let waiter = waiters.iter().find(|w| w.request == *request);
            match waiter.and_then(|w| w.answer) {
                Some(answer) => Ok(Some(answer)),
                None => card.check_serving(generation).map(|()| None),
            }
        };
        // TIMEOUT: the caller's.
        time::wait_for(&self.waiters, &self.changed, deadline, signals, look)
    }
}

/// A request to make a session's serving process.
pub(crate) fn create_packet(card: &Card, pid: i32, ports: &Group, log_level: u32) -> Packet {
    Packet {
        command: CREATE,
        device: card.id,
        pid: pid as u32,
        count: ports.len() as u32,
        ports: *ports,
        dma_size: crate::session::WINDOW,
        log_level,
    }
}

/// Tells the card that a session has ended; no answer is expected [pcie 5.5].  False if the ring has no
/// room for that now.
#[must_use]
pub(crate) fn destroy(card: &Card, pid: i32, ports: &Group) -> bool {
    let packet = Packet {
        command: DESTROY,
        device: card.id,
        pid: pid as u32,
        count: ports.len() as u32,
        ports: *ports,
        ..Packet::default()
    };
    farewell(card, &packet)
}

/// Sends the packet that ends a group of ports.  False if the ring has no room for it now; whatever else
/// goes wrong, the card is not up to hear it.
#[must_use]
pub(crate) fn farewell(card: &Card, packet: &Packet) -> bool {
    match send(card, packet, time::now()) {
        Ok(()) => true,
        Err(e) if e == ETIMEDOUT => false,
        Err(e) => {
            let port = packet.ports[0];
            dev_dbg!(card.pdev, "destroy of port {} not sent: {:?}\n", port, e);
            true
        }
    }
}

/// Sends on port 11, waiting for room until `deadline`.
pub(crate) fn send(card: &Card, packet: &Packet, deadline: u64) -> Result {
    send_unless(card, packet, deadline, || false)
}

/// The same, until `give_up` says so at the longest: `ERESTARTSYS`.
fn send_unless(card: &Card, packet: &Packet, deadline: u64, give_up: impl Fn() -> bool) -> Result {
    // TIMEOUT: the caller's.
    time::poll(ROOM_PAUSE, deadline.left(), || {
        let mut tx = card.tx.lock();
        match tx.publish(card, NOTIFY_PORT, &packet.encode()) {
            Ok(()) => {
                tx.ring(card);
                Ok(Some(()))
            }
            Err(SendError::Failed(e)) => Err(e),
            Err(SendError::Full) if give_up() => Err(ERESTARTSYS),
            Err(SendError::Full) => Ok(None),
        }
    })
}
