// SPDX-License-Identifier: GPL-2.0

//! What both directions of a link are made over: shared memory, mailbox, and whether the card is there.

use kernel::{
    device::Bound,
    new_mutex,
    pci,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Mutex, //
    }, //
};

use super::life::Life;
use crate::{
    counters::Counters,
    glue::{
        self,
        mmio::Window,
        pci::Presence,
        prelude::*,
        region::Region,
        time::{
            read_poll_timeout_atomic,
            Delta,
            Instant,
            Moment,
            EPOCH, //
        },
        trace, //
    },
    wire::{
        handshake::REGION_SIZE,
        mailbox::{
            Bar1,
            Slot,
            SlotRequest,
            SLOT_REQUEST, //
        },
        register::{
            FixedRegister,
            Io, //
        },
        ring::Geometry,
        state::State, //
    }, //
};

/// The smallest shared region worth having: U-Boot must fit it in one piece, as it is the bounce
/// buffer of the firmware too [pcie 3.1].
const SMALLEST_REGION: usize = 0x20_0000;

/// How many lines the driver logs about a misbehaving card in [`LOG_WINDOW`].
const LOG_BURST: u32 = 10;
const LOG_WINDOW: Delta = Delta::from_secs(5);

/// Bad messages and pointers, with no good message between, after which a card is reset: it does not
/// follow the protocol.
const MISBEHAVIOUR_LIMIT: u32 = 16;

// TIMEOUT: how often, and how far apart, Axera's driver asks for a slot of the mailbox [pcie 4.8].  A
// doorbell that is not rung now is rung by `Tx::recover`.
const SLOT_TRIES: usize = 10;
const SLOT_PAUSE: Delta = Delta::from_micros(10);

/// A card that was heard of so long ago may have reset itself since.
const UNHEARD: Delta = Delta::from_millis(10);

/// Lines in the log about what the card does.
struct Lines {
    since: Instant,
    count: u32,
}

/// The card as it is seen from the host.  Registers and memory are there until unbind, and answer
/// `ENODEV` after it; the rest as long as anybody has the link.
#[pin_data]
pub(crate) struct Device {
    pub(crate) pdev: ARef<pci::Device>,
    /// What the protocol calls the card: its bus number as the host sees it.  Only the card's own
    /// use of it depends on it, never the driver [pcie 1.7].
    pub(crate) id: u32,
    /// Parts of it belong to `Tx`, `Rx` and the card's thread; until the rings are up, all to the thread.
    pub(crate) region: Region,
    pub(crate) geometry: Geometry,
    pub(crate) counters: Counters,
    #[pin]
    pub(crate) life: Life,
    /// Used with `Tx` locked.
    mailbox_window: Window<Bar1>,
    /// The card was found with its configuration wiped: it has reset itself.  Until the next reset.
    blank: Atomic<u32>,
    /// When the card was last heard of, in nanoseconds: a good message, or a look that found it in order.
    heard: Atomic<u64>,
    /// Bad messages and pointers since the last good message or reset.
    misbehaviour: Atomic<u32>,
    /// A leaf.
    #[pin]
    lines: Mutex<Lines>,
}

impl Device {
    /// Maps the mailbox and allocates the shared memory of a card, which itself is not touched.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a region that has no geometry; those of [`Window::map`] and [`Region::new`].
    pub(super) fn new(pdev: &pci::Device<Bound>) -> Result<impl PinInit<Self>> {
        let mailbox_window = Window::map(pdev, c"ax650 mailbox")?;
        let region = Region::new(pdev, REGION_SIZE as usize, SMALLEST_REGION)?;
        if region.size() < REGION_SIZE as usize {
            dev_info!(pdev, "shared memory of {} KiB only\n", region.size() >> 10);
        }
        let geometry = Geometry::new(u32::try_from(region.size())?).ok_or(EINVAL)?;
        let (_, location) = glue::pci::location(pdev);
        let pdev = pdev.into();
        Ok(pin_init!(Self {
            pdev,
            id: location >> 8 & 0xff,
            region,
            geometry,
            counters: Counters::default(),
            life <- Life::new(),
            mailbox_window,
            blank: Atomic::new(0),
            heard: Atomic::new(0),
            misbehaviour: Atomic::new(0),
            lines <- new_mutex!(Lines { since: EPOCH, count: 0 }, "ax650_log"),
        }))
    }

    /// Changes the state; false if that cannot be, as the card has gone in the meantime.
    pub(crate) fn set_state(&self, to: State) -> bool {
        let Some(from) = self.life.set_state(to) else {
            return false;
        };
        if from != to {
            dev_info!(self.pdev, "{} -> {}\n", from.name(), to.name());
            trace::state(&self.pdev, from.c_name(), to.c_name());
        }
        true
    }

    /// Notes that the card does not answer on the bus, or, as `to`, that the bus says that it is lost.
    /// The card's thread sees to the rest: whoever finds it out may hold locks.
    pub(crate) fn lose(&self, to: State) {
        if self.set_state(to) {
            self.life.orders.kick();
        }
    }

    /// Checks that the card is on the bus as it was set up.  If not registers must not be touched, and the
    /// thread sees to it.
    ///
    /// # Errors
    ///
    /// `ENODEV` if it does not answer, `EIO` if it has lost its configuration, so it has reset itself.
    pub(crate) fn check_present(&self) -> Result {
        if self.life.is_gone() {
            return Err(ENODEV);
        }
        // During a reset it is away by intention.
        if self.life.state() == State::Resetting {
            return Ok(());
        }
        match glue::pci::presence(&self.pdev) {
            Presence::Configured => Ok(()),
            Presence::Absent => {
                self.lose(State::Unreachable);
                Err(ENODEV)
            }
            Presence::Blank => {
                self.blank.store(1, Relaxed);
                self.life.orders.kick();
                Err(EIO)
            }
        }
    }

    /// Returns whether the card is on the bus as it was set up.
    pub(crate) fn is_present(&self) -> bool {
        self.check_present().is_ok()
    }

    /// Returns whether the mailbox may be touched: the card answers to memory accesses, or did so a moment ago.
    /// Not every host survives an access that nobody answers.
    pub(super) fn answers(&self) -> bool {
        let now = Instant::now();
        let heard = self.heard.load(Relaxed).instant();
        if now - heard < UNHEARD {
            return true;
        }
        if !glue::pci::decodes(&self.pdev) {
            // Says what is wrong with it, and has the thread see to it.
            let _ = self.check_present();
            // A bell that is not rung now is rung by `Tx::recover`.
            return false;
        }
        self.heard.store(now.nanos(), Relaxed);
        true
    }

    /// Returns whether the card was found with its configuration wiped since it was last reset.
    pub(crate) fn is_blank(&self) -> bool {
        self.blank.load(Relaxed) != 0
    }

    /// Asks the mailbox for a slot [pcie 4.8].
    pub(super) fn mailbox_slot(&self) -> Option<Slot> {
        let ask = || match SlotRequest::interpret(SLOT_REQUEST::read(self)?) {
            SlotRequest::Slot(slot) => Ok(Some(slot)),
            SlotRequest::NoneOrGone => self.check_present().map(|()| None),
            SlotRequest::Bad(value) => {
                dev_err_ratelimited!(
                    self,
                    "mailbox gave slot {:#x}, which does not exist\n",
                    value
                );
                Err(EPROTO)
            }
        };
        read_poll_timeout_atomic(ask, Option::is_some, SLOT_PAUSE, SLOT_TRIES).ok()?
    }

    /// Counts a ring pointer of the card that makes no sense.
    pub(super) fn ring_corrupt(&self, ring: &str) {
        self.counters.ring_corrupt.add(1);
        dev_err_ratelimited!(self, "{} ring: pointers are corrupt\n", ring);
        self.misbehave();
    }

    /// Notes a message of the card that was in order, and came at `when`.
    pub(super) fn message_was_good(&self, when: Instant) {
        self.misbehaviour.store(0, Relaxed);
        self.heard.store(when.nanos(), Relaxed);
    }

    /// Counts something that is against the protocol.  A card that goes on like this is reset.
    pub(super) fn misbehave(&self) {
        let before = self.misbehaviour.fetch_add(1, Relaxed);
        if before.wrapping_add(1) == MISBEHAVIOUR_LIMIT {
            self.life.orders.kick();
        }
    }

    /// Returns whether the card has misbehaved too often since it was last booted.
    pub(crate) fn misbehaves(&self) -> bool {
        self.misbehaviour.load(Relaxed) >= MISBEHAVIOUR_LIMIT
    }

    /// Forgets what was found of the card: it has been reset.
    pub(crate) fn forget_faults(&self) {
        self.misbehaviour.store(0, Relaxed);
        self.blank.store(0, Relaxed);
    }

    /// Returns whether one more line may be logged about what the card does.
    pub(crate) fn may_log(&self) -> bool {
        let mut lines = self.lines.lock();
        let now = Instant::now();
        if now - lines.since > LOG_WINDOW {
            *lines = Lines {
                since: now,
                count: 0,
            };
        }
        lines.count = lines.count.saturating_add(1);
        lines.count <= LOG_BURST
    }
}

/// Registers of the mailbox; their accesses are counted.
impl Io<Bar1> for Device {
    type Error = Error;

    fn load(&self, offset: usize) -> Result<u32> {
        self.counters.mmio_reads.add(1);
        self.mailbox_window.load(offset)
    }

    fn store(&self, offset: usize, value: u32) -> Result {
        self.counters.mmio_writes.add(1);
        self.mailbox_window.store(offset, value)
    }
}
