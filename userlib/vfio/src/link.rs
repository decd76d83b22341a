// SPDX-License-Identifier: GPL-2.0

//! The rings, the doorbell and the interrupt [pcie 4], as `kmod/link` does; one user at a time.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use ax650::uapi::ax650_counters;
use nix::errno::Errno;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::eventfd::EventFd;

use crate::dma::DmaMemory;
use crate::function::Function;
use crate::jobs::errno;
use crate::wire::handshake::{PAGE_HANDLED, PAGE_RUNG};
use crate::wire::header::{Header, HEADER_SIZE};
use crate::wire::heartbeat::{Beat, Watch, ACCEPTED, INTERVAL, STAMP};
use crate::wire::mailbox::{
    FlowControl, SlotRequest, DATA_WORD, DATA_WORDS, SLOT_DATA, SLOT_INFO, SLOT_REQUEST,
};
use crate::wire::register::{FixedRegister, RegisterArray};
use crate::wire::ring::{self, Geometry};

// TIMEOUT: a doorbell that the card has not acted upon for so long was lost, and is rung again.
const RECOVERY: Duration = Duration::from_millis(50);
/// Between looks into the ring: with an interrupt, which may be lost, and without.
const LOOK_MS: u8 = 20;
const LOOK_BLINDLY: Duration = Duration::from_micros(200);
/// Between looks for room in the ring.
const ROOM: Duration = Duration::from_millis(1);
/// Messages that are kept for a receiver who has not asked for them.
const KEPT: usize = 4096;
/// The longest message that anybody here takes.
const LONGEST: u32 = 4096;

/// The way to a card that runs.
///
/// The function comes first: when this is dropped the card is stopped, and only then does its memory go.
pub(crate) struct Link {
    function: Function,
    region: DmaMemory,
    geometry: Geometry,
    /// The card's id [pcie 1.7].
    id: u32,
    /// `None`: the ring is looked into blindly.
    interrupt: Option<EventFd>,
    wp: u64,
    rp: u64,
    rung: u64,
    flow: FlowControl,
    /// The card's read pointer as last seen, and when it moved or a bell was rung.
    seen: (u64, Instant),
    inbox: VecDeque<(u32, Vec<u8>)>,
    begun: Instant,
    watch: Watch,
    counters: ax650_counters,
    /// Why the card was stopped.
    stopped: Option<Errno>,
}

impl Link {
    /// Begins to use the rings, which have been set up.
    pub(crate) fn new(
        function: Function,
        region: DmaMemory,
        geometry: Geometry,
        id: u32,
        interrupt: Option<EventFd>,
    ) -> Self {
        let begun = Instant::now();
        Self {
            function,
            region,
            geometry,
            id,
            interrupt,
            wp: 0,
            rp: 0,
            rung: 0,
            flow: FlowControl::default(),
            seen: (0, begun),
            inbox: VecDeque::new(),
            begun,
            watch: Watch::new(0),
            counters: ax650_counters::default(),
            stopped: None,
        }
    }

    /// Returns the card's id.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Returns what has happened so far.
    pub(crate) fn counters(&self) -> ax650_counters {
        self.counters
    }

    /// Returns the silence that the card may keep, milliseconds.
    pub(crate) fn heartbeat_interval_ms(&self) -> u32 {
        self.watch.timeout_ms()
    }

    /// Stops the card for good, because of `why`: it may be writing to memory that is not to be written to any more.
    pub(crate) fn stop(&mut self, why: Errno) {
        if self.stopped.is_none() {
            log::error!("the card is stopped: {why}");
            self.stopped = Some(why);
            self.function.stop();
        }
    }

    /// Returns why the card was stopped, if it was.
    pub(crate) fn check(&self) -> Result<(), Errno> {
        match self.stopped {
            Some(_) => Err(Errno::ENODEV),
            None => Ok(()),
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// `ETIME`: there was no room for it in time; `EPROTO`: the card has broken the ring.
    pub(crate) fn send(
        &mut self,
        port: u32,
        payload: &[u8],
        deadline: Instant,
    ) -> Result<(), Errno> {
        self.check()?;
        while !self.publish(port, payload)? {
            if Instant::now() >= deadline {
                return Err(Errno::ETIME);
            }
            self.counters.ring_full += 1;
            self.recover()?;
            std::thread::sleep(ROOM);
        }
        self.ring()
    }

    /// Puts a message into the ring; false if there is no room.
    fn publish(&mut self, port: u32, payload: &[u8]) -> Result<bool, Errno> {
        let ring = self.geometry.h2c;
        let length = u32::try_from(payload.len()).map_err(|_| Errno::EMSGSIZE)?;
        let place = ring.place(self.wp, length).ok_or(Errno::EMSGSIZE)?;
        let rp = self.region.load64(ring.rp_at as usize).map_err(errno)?;
        let free = ring::free(self.wp, rp, ring.size).map_err(|error| {
            log::warn!("host to card: {error}");
            Errno::EPROTO
        })?;
        if place.advance > free {
            return Ok(false);
        }
        let parts = payload.split_at_checked(place.first_len as usize);
        let (first, second) = parts.ok_or(Errno::EMSGSIZE)?;
        let header = Header { port, length }.encode(self.id);
        let copy = |at: u32, bytes: &[u8]| self.region.copy_in(at as usize, bytes).map_err(errno);
        copy(place.first_at, first)?;
        copy(place.second_at, second)?;
        copy(place.header_at, &header)?;
        let wp = self.wp.wrapping_add(place.advance.into());
        self.region
            .store64(ring.wp_at as usize, wp)
            .map_err(errno)?;
        self.wp = wp;
        self.counters.messages_sent += 1;
        Ok(true)
    }

    /// Rings the bell, if flow control and the mailbox allow; else [`Self::recover`] does.
    fn ring(&mut self) -> Result<(), Errno> {
        let handled = PAGE_HANDLED::read(&self.region).map_err(errno)?;
        if !self.flow.may_ring(self.rung, handled.into()) {
            self.counters.doorbell_busy += 1;
            return Ok(());
        }
        let slot = match SlotRequest::interpret(SLOT_REQUEST::read(&self.function).map_err(errno)?)
        {
            SlotRequest::Slot(slot) => slot,
            SlotRequest::NoneOrGone if self.function.answers() => return Ok(()),
            SlotRequest::NoneOrGone => return Err(Errno::ENODEV),
            SlotRequest::Bad(value) => {
                log::warn!("mailbox gave slot {value:#x}, which does not exist");
                return Err(Errno::EPROTO);
            }
        };
        for _ in 0..DATA_WORDS {
            SLOT_DATA::from(DATA_WORD)
                .write_at(&self.function, slot)
                .map_err(errno)?;
        }
        SLOT_INFO::doorbell()
            .write_at(&self.function, slot)
            .map_err(errno)?;
        self.rung = self.rung.wrapping_add(1);
        self.counters.doorbells += 1;
        self.seen.1 = Instant::now();
        PAGE_RUNG::from(self.rung)
            .write(&self.region)
            .map_err(errno)
    }

    /// Rings again for messages that the card has left lying.
    fn recover(&mut self) -> Result<(), Errno> {
        let rp = self.region.load64(self.geometry.h2c.rp_at as usize);
        let rp = rp.map_err(errno)?;
        if rp != self.seen.0 {
            self.seen = (rp, Instant::now());
        }
        let is_lost = rp != self.wp && self.seen.1.elapsed() >= RECOVERY;
        if rp == self.wp || is_lost {
            // Whatever bells are missing in the count are lost for good.
            let handled = PAGE_HANDLED::read(&self.region).map_err(errno)?;
            self.flow.forgive(self.rung, handled.into());
        }
        if is_lost {
            self.counters.doorbells_recovered += 1;
            self.ring()?;
        }
        Ok(())
    }

    /// Returns the next message on one of `ports`, with its port.
    ///
    /// # Errors
    ///
    /// `ETIME`: none came in time; `ETIMEDOUT`: the card has stopped beating; `EPROTO`, `ENODEV`.
    pub(crate) fn receive(
        &mut self,
        ports: &[u32],
        deadline: Instant,
    ) -> Result<(u32, Vec<u8>), Errno> {
        loop {
            self.check()?;
            self.drain()?;
            let wanted = self.inbox.iter().position(|(port, _)| ports.contains(port));
            if let Some(message) = wanted.and_then(|at| self.inbox.remove(at)) {
                return Ok(message);
            }
            self.look_at_heartbeat()?;
            self.recover()?;
            if Instant::now() >= deadline {
                return Err(Errno::ETIME);
            }
            self.wait();
        }
    }

    /// Forgets what has come on `ports`.
    pub(crate) fn forget(&mut self, ports: &[u32]) {
        self.inbox.retain(|(port, _)| !ports.contains(port));
    }

    /// Waits for the interrupt, or a while.
    fn wait(&mut self) {
        let Some(interrupt) = &self.interrupt else {
            return std::thread::sleep(LOOK_BLINDLY);
        };
        // However it ends, the ring is looked into next.
        let _ = poll(
            &mut [PollFd::new(interrupt.as_fd(), PollFlags::POLLIN)],
            PollTimeout::from(LOOK_MS),
        );
        self.counters.interrupts += interrupt.read().unwrap_or(0);
    }

    fn look_at_heartbeat(&mut self) -> Result<(), Errno> {
        let stamp = STAMP::read(&self.region).map_err(errno)?.into();
        let interval = INTERVAL::read(&self.region).map_err(errno)?.into();
        let now = self.begun.elapsed().as_nanos() as u64;
        match self.watch.on_poll(now, stamp, interval) {
            Beat::Accepted => {
                self.counters.heartbeats += 1;
                ACCEPTED::from(stamp).write(&self.region).map_err(errno)
            }
            Beat::Quiet => Ok(()),
            Beat::Late => Err(Errno::ETIMEDOUT),
        }
    }

    /// Takes all messages out of the ring.  Every header and every payload is copied once, and only the copy is looked
    /// at.
    fn drain(&mut self) -> Result<(), Errno> {
        let ring = self.geometry.c2h;
        loop {
            let wp = self.region.load64(ring.wp_at as usize).map_err(errno)?;
            let available = match ring::pending(self.rp, wp, ring.size) {
                Ok(0) => return Ok(()),
                Ok(bytes) => bytes,
                Err(error) => {
                    log::warn!("card to host: {error}");
                    return Err(Errno::EPROTO);
                }
            };
            let at = ring.header_at(self.rp) as usize;
            let raw = self.region.copy_out(at, HEADER_SIZE as usize);
            let raw = raw.map_err(errno)?;
            let raw = raw.first_chunk().ok_or(Errno::EPROTO)?;
            let header = Header::parse(raw, available).map_err(|error| {
                log::warn!("bad message: {error}");
                Errno::EPROTO
            })?;
            let place = ring.place(self.rp, header.length).ok_or(Errno::EPROTO)?;
            if place.advance > available {
                return Err(Errno::EPROTO);
            }
            let copy = |at: u32, len: u32| {
                self.region
                    .copy_out(at as usize, len as usize)
                    .map_err(errno)
            };
            let mut message = copy(place.first_at, place.first_len)?;
            message.extend(copy(place.second_at, place.second_len)?);
            self.rp = self.rp.wrapping_add(place.advance.into());
            self.region
                .store64(ring.rp_at as usize, self.rp)
                .map_err(errno)?;
            self.counters.messages_received += 1;
            if header.length > LONGEST || self.inbox.len() >= KEPT {
                self.counters.dropped_overflow += 1;
                continue;
            }
            self.inbox.push_back((header.port, message));
        }
    }
}
