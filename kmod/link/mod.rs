// SPDX-License-Identifier: GPL-2.0

//! The link between host and card: two rings in shared memory, doorbells, ports [pcie 4] and [pcie 5].
//!
//! It delivers to receivers that it does not know.  Locks, outermost first: `Rx`, whatever a receiver
//! locks, `Tx`; the port table is a leaf.  Each card has its own.

pub(crate) mod chains;
pub(crate) mod control;
pub(crate) mod device;
mod fmt;
pub(crate) mod life;
pub(crate) mod meter;
pub(crate) mod orders;
pub(crate) mod ports;
pub(crate) mod rx;
pub(crate) mod traffic;
pub(crate) mod tx;

use core::ops::Deref;

use kernel::{
    device::Bound,
    new_mutex,
    pci,
    sync::{
        Arc,
        Mutex, //
    }, //
};

use crate::{
    counters::Counter,
    glue::{
        prelude::*,
        task,
        time::{
            self,
            Delta,
            Instant,
            Moment,
            Signals, //
        }, //
    },
    wire::{
        control::{
            Packet,
            DESTROY,
            NOTIFY_PORT, //
        },
        ring, //
    }, //
};
use chains::Chains;
use control::Control;
use device::Device;
use meter::Meter;
use ports::{
    Group,
    Ports, //
};
use rx::{
    Delivery,
    Rx, //
};
use tx::{
    SendError,
    Sender,
    Tx, //
};

/// Between looks for room in the ring.
const ROOM_PAUSE: Delta = Delta::from_millis(1);

/// Messages that are taken at a time; then others may look at the ring.
const BATCH: u32 = 32;

/// The threads of the interrupt and of chains come before all programs.  While messages keep coming they rest [`REST`]
/// after each [`SPELL`], so that programs on the same CPU get on, too.
const SPELL: Delta = Delta::from_millis(2);
const REST: Delta = Delta::from_millis(1);

/// The link to one card; as long as anybody holds it.
#[pin_data]
pub(crate) struct Link {
    #[pin]
    device: Device,
    /// Live from handshake to reset.  The innermost lock, but for that of the log.
    #[pin]
    pub(crate) tx: Mutex<Tx>,
    /// Live from handshake to reset.  The outermost lock: receivers run with it held.
    #[pin]
    pub(crate) rx: Mutex<Rx>,
    /// A leaf.
    #[pin]
    pub(crate) ports: Mutex<Ports>,
    /// Sessions of clients that have sent calls when last looked at.  A hint.
    pub(crate) senders: Counter,
    /// Copies that stood still after their list had gone ahead of the card's word: if there was one, the card may
    /// not keep such lists.
    pub(crate) lists_lost: Counter,
    /// Time in which a session had a model run.
    pub(crate) npu: Meter,
    /// Calls that were sent together.
    #[pin]
    pub(crate) chains: Chains,
    /// Requests on port 11; its lock is outside of that of the ports.
    #[pin]
    control: Control,
}

/// What the link is made over is seen through it.
impl Deref for Link {
    type Target = Device;

    fn deref(&self) -> &Device {
        &self.device
    }
}

impl Link {
    /// Makes the link to a card, which itself is not touched: it may be in any state.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; those of [`Window::map`](crate::glue::mmio::Window::map).
    pub(crate) fn new(pdev: &pci::Device<Bound>) -> Result<Arc<Self>> {
        let device = Device::new(pdev)?;
        let rx = Rx::new()?;
        let ports = Ports::new()?;
        let npu = Meter::new()?;
        Arc::pin_init(
            pin_init!(Self {
                device <- device,
                tx <- new_mutex!(Tx::default(), "ax650_tx"),
                rx <- new_mutex!(rx, "ax650_rx"),
                ports <- new_mutex!(ports, "ax650_ports"),
                senders: Counter::default(),
                lists_lost: Counter::default(),
                npu,
                chains <- Chains::new(),
                control <- Control::new(),
            }),
            GFP_KERNEL,
        )
    }

    /// Begins to send and receive: the rings have been set up.
    pub(crate) fn start(&self) {
        self.rx.lock().start();
        self.tx.lock().start();
    }

    /// Ends sending and receiving.
    pub(crate) fn stop(&self) {
        self.tx.lock().stop();
        self.rx.lock().stop();
    }

    /// Puts a message into the ring.  The card learns of it by [`Self::ring`].
    ///
    /// # Errors
    ///
    /// [`SendError::Full`] if there is no room now; [`SendError::Failed`] if there never will be.
    pub(crate) fn publish(
        &self,
        sender: Sender,
        port: u32,
        message: &[u8],
    ) -> Result<(), SendError> {
        self.tx.lock().publish(&self.device, sender, port, message)
    }

    /// Rings the doorbell if there is anything to tell.
    pub(crate) fn ring(&self) {
        self.tx.lock().ring(&self.device);
    }

    /// Publishes a message and rings.
    ///
    /// # Errors
    ///
    /// Those of [`Self::publish`].
    pub(crate) fn send(&self, sender: Sender, port: u32, message: &[u8]) -> Result<(), SendError> {
        let mut tx = self.tx.lock();
        tx.publish(&self.device, sender, port, message)?;
        tx.ring(&self.device);
        Ok(())
    }

    /// Takes all messages that have come and hands them to their receivers, calling `rest` between batches.
    /// Returns how many.
    fn drain(&self, mut rest: impl FnMut()) -> u32 {
        let (mut taken, mut tries) = (0, rx::MOST_TRIES);
        // A card that fills the ring as fast as we empty it must not keep this thread for ever: one lap
        // of smallest messages at most, the rest at the next interrupt or tick.
        while taken < self.geometry.c2h.size / ring::padded(1) {
            let batch = self.rx.lock().drain(&self.device, self, BATCH, &mut tries);
            taken += batch;
            if batch < BATCH {
                break;
            }
            rest();
        }
        taken
    }

    /// Takes all messages, in a thread that comes before all programs.  Returns how many.
    fn drain_promptly(&self) -> u32 {
        let mut begun = Instant::now();
        self.drain(|| {
            if begun.elapsed() >= SPELL {
                time::fsleep(REST);
                begun = Instant::now();
            }
        })
    }

    /// Takes the messages that an interrupt has announced.
    pub(crate) fn on_interrupt(&self) {
        self.counters.interrupts.add(1);
        self.drain_promptly();
    }

    /// Takes messages out of the ring if there are any, and nobody else does at the moment.
    pub(crate) fn take_news(&self) {
        if rx::has_news(&self.device) {
            if let Some(mut rx) = self.rx.try_lock() {
                rx.drain(&self.device, self, BATCH, &mut { rx::MOST_TRIES });
            }
        }
    }

    /// Recovers what was lost on the way: messages whose interrupt, and doorbells that the card, missed.
    pub(crate) fn recover(&self) {
        let found = self.drain(|| ());
        self.counters.interrupts_recovered.add(found.into());
        self.tx.lock().recover(&self.device);
    }

    /// Returns whether the card has unread messages.
    pub(crate) fn has_unread(&self) -> bool {
        self.tx.lock().busy(&self.device)
    }

    /// Returns whether a sender was turned away for want of room.
    pub(crate) fn is_blocked(&self) -> bool {
        self.tx.lock().is_blocked()
    }

    /// Gives up to four ports back.
    pub(crate) fn free(&self, ports: &[u32]) {
        let freed = self.ports.lock().free(ports);
        // The last references may be among them, so not under the table's lock.
        drop(freed);
    }

    /// Wakes all who wait for the card on port 11: it is going down.
    pub(crate) fn wake(&self) {
        self.control.wake();
    }

    /// Has the card make a serving process, as `request` says.  The caller destroys its ports whatever
    /// comes of it, as the card may still act on a request that has timed out.
    ///
    /// # Errors
    ///
    /// `EREMOTEIO` if the card refuses; `ETIMEDOUT`; `ERESTARTSYS` for a signal; `ENOMEM`; why the card
    /// does not serve.
    pub(crate) fn create(&self, request: &Packet, deadline: Instant, signals: Signals) -> Result {
        let generation = self.life.generation();
        self.control.expect(request)?;
        let answer = self
            .send_unless(request, deadline, task::must_leave)
            .map_err(Error::from)
            .and_then(|()| {
                self.control
                    .wait(&self.life, request, generation, deadline, signals)
            });
        self.control.forget(&self.ports, request);
        if answer?.succeeded() {
            Ok(())
        } else {
            Err(EREMOTEIO)
        }
    }

    /// Makes the packet that ends the serving process of `ports`; no answer is expected [pcie 5.5].
    pub(crate) fn destroy_packet(&self, pid: u32, ports: &Group) -> Packet {
        Packet {
            command: DESTROY,
            device: self.id,
            pid,
            count: ports.len() as u32,
            ports: *ports,
            ..Packet::default()
        }
    }

    /// Sends the packet that ends a group of ports.  False if the ring has no room for it now; whatever
    /// else goes wrong, the card is not up to hear it.
    #[must_use]
    pub(crate) fn farewell(&self, packet: &Packet) -> bool {
        match self.notify(packet, Instant::now()) {
            Ok(()) => true,
            Err(SendError::Full) => false,
            Err(SendError::Failed(e)) => {
                let port = packet.ports[0];
                dev_dbg!(self.pdev, "destroy of port {} not sent: {:?}\n", port, e);
                true
            }
        }
    }

    /// Sends on port 11, waiting for room until `deadline`.
    ///
    /// # Errors
    ///
    /// Those of [`Self::publish`].
    pub(crate) fn notify(&self, packet: &Packet, deadline: Instant) -> Result<(), SendError> {
        self.send_unless(packet, deadline, || false)
    }

    /// Sends a message unless `give_up` says so: `ERESTARTSYS`.
    fn send_unless(
        &self,
        packet: &Packet,
        deadline: Instant,
        give_up: impl Fn() -> bool,
    ) -> Result<(), SendError> {
        // TIMEOUT: the caller's.
        time::poll(ROOM_PAUSE, deadline.left(), || {
            match self.send(Sender::Driver, NOTIFY_PORT, &packet.encode()) {
                Ok(()) => Ok(Some(())),
                Err(SendError::Full) if give_up() => Err(SendError::Failed(ERESTARTSYS)),
                Err(SendError::Full) => Ok(None),
                Err(failed) => Err(failed),
            }
        })?
        .ok_or(SendError::Full)
    }
}

impl Delivery for Link {
    fn takes_long(&self, port: u32) -> bool {
        let receiver = self.ports.lock().find(port);
        receiver.is_some_and(|receiver| receiver.takes_long())
    }

    fn deliver(&self, port: u32, message: &[u8]) {
        if port == NOTIFY_PORT {
            self.control.on_message(&self.device, &self.ports, message);
            return;
        }
        // The table is not locked while the receiver works: it may send, and open and close sessions.
        let receiver = self.ports.lock().find(port);
        match receiver {
            Some(receiver) => receiver.receive(port, message),
            None => self.counters.dropped_no_port.add(1),
        }
    }
}
