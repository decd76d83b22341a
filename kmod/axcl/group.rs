// SPDX-License-Identifier: GPL-2.0

//! The ports of a program on a card, and the serving process behind them [pcie 5.4] to [pcie 5.6].

use kernel::{
    new_mutex,
    sync::{
        Arc,
        Mutex, //
    }, //
};

use super::{
    clients::Clients,
    line::{
        Line,
        Owner,
        Standing, //
    },
    place::Place,
    record::Record,
    rules::{
        as_abi,
        FAILED, //
    }, //
};
use crate::{
    buffer::account::Seat,
    glue::{
        prelude::*,
        time::{
            Delta,
            Instant,
            Signals, //
        }, //
    },
    link::ports::{
        self,
        Claim, //
    },
    session::base::role,
    wire::{
        axcl::flow::Flow,
        control::{
            Packet,
            CREATE,
            CREATE_DONE,
            GROUP, //
        }, //
    }, //
};

// TIMEOUT: the card's answer is waited for so long [pcie 5.4].
const CREATE_WAIT: Delta = Delta::from_secs(50);

// TIMEOUT: room in the ring for a farewell is waited for so long.
const DESTROY_WAIT: Delta = Delta::from_millis(100);

/// Ports that a program has asked for besides.
struct Extra {
    ports: [u32; GROUP],
    count: usize,
}

impl Extra {
    fn ports(&self) -> &[u32] {
        self.ports.get(..self.count).unwrap_or(&[])
    }
}

/// A group; until its program gives it back or the card goes down, and then until its transfers have
/// ended.
#[pin_data]
pub(crate) struct Group {
    place: Arc<Place>,
    pub(super) record: Arc<Record>,
    pub(crate) owner: Arc<Owner>,
    /// The card's boot that it belongs to.
    pub(crate) generation: u32,
    /// What the program calls itself.
    pid: u32,
    pub(crate) ports: ports::Group,
    /// It is one of the user's sessions.
    _seat: Seat,
    lines: KVec<Arc<Line>>,
    /// Inside of `extra_lines`.
    #[pin]
    extras: Mutex<KVec<Extra>>,
    /// Outside of a line's.
    #[pin]
    extra_lines: Mutex<KVec<Arc<Line>>>,
}

impl Group {
    /// Has the card make a serving process with ports for the caller, as the packet asks.
    ///
    /// # Errors
    ///
    /// `ENODEV`, `ERESTARTSYS`, `ENOMEM`, or [`FAILED`] ([`as_abi`]); `ENOSPC` if no ports are free.
    pub(super) fn create(clients: &Clients, record: &Arc<Record>, wanted: &Packet) -> Result {
        let link = &clients.place.link;
        let generation = clients
            .wait_until_up(Instant::now() + CREATE_WAIT)
            .map_err(as_abi)?;
        let mut ports = [0; GROUP];
        let seat = clients.place.pool.users.account()?.take_seat();
        link.ports.lock().reserve_lowest(&mut ports, seat.claim)?;
        let made = Self::new(&clients.place, record, generation, wanted.pid, ports, seat)
            .and_then(|group| clients.add(&group).map(|()| group));
        let group = made.inspect_err(|_| link.free(&ports))?;
        let request = Packet {
            command: CREATE,
            device: link.id,
            count: GROUP as u32,
            ports,
            ..*wanted
        };
        // A reset that began before the group was listed has not seen it, hence the first check.
        let check = || link.life.check_serving(generation).map_err(Error::from);
        let created = check()
            .and_then(|()| link.create(&request, Instant::now() + CREATE_WAIT, Signals::Deadly))
            .and_then(|()| check());
        created.map_err(|e| {
            // The card may still act on it: end it there before the ports are free (R37).
            clients.end(&group, group.farewell());
            as_abi(e)
        })
    }

    fn new(
        place: &Arc<Place>,
        record: &Arc<Record>,
        generation: u32,
        pid: u32,
        ports: ports::Group,
        seat: Seat,
    ) -> Result<Arc<Self>> {
        let owner = Owner::current()?;
        let mut lines = KVec::with_capacity(GROUP, GFP_KERNEL)?;
        for (number, &port) in ports.iter().enumerate() {
            let bulk = matches!(number, role::HOST_BULK | role::CARD_BULK);
            let line = Line::new(place, generation, port, &owner, bulk.then(Flow::default))?;
            lines.push(line, GFP_KERNEL)?;
        }
        let record = record.clone();
        let group = Arc::pin_init(
            pin_init!(Self {
                place: place.clone(),
                record,
                owner,
                generation,
                pid,
                ports,
                _seat: seat,
                lines,
                extras <- new_mutex!(KVec::new(), "ax650_axcl_extras"),
                extra_lines <- new_mutex!(KVec::new(), "ax650_axcl_extra_lines"),
            }),
            GFP_KERNEL,
        )?;
        for line in group.lines.iter() {
            line.connect();
        }
        Ok(group)
    }

    /// Returns whether the group is that of an open file.
    pub(super) fn is_of(&self, record: &Arc<Record>) -> bool {
        Arc::ptr_eq(&self.record, record)
    }

    /// Puts what a successful create returns into the caller's packet.
    pub(super) fn describe(&self, packet: &mut Packet) {
        packet.command = CREATE_DONE;
        packet.count = GROUP as u32;
        packet.ports = self.ports;
    }

    /// Returns what the card is told when the program ends without a word [pcie 5.5].
    pub(super) fn farewell(&self) -> Packet {
        self.place.link.destroy_packet(self.pid, &self.ports)
    }

    /// Gives the program's ports back.  Whatever ports its packet names, the card hears of its own.
    ///
    /// # Errors
    ///
    /// `ENODEV`, `ERESTARTSYS`, `ENOMEM`, or [`FAILED`] ([`as_abi`]).
    pub(super) fn destroy(self: &Arc<Self>, clients: &Clients, packet: &Packet) -> Result {
        let farewell = Packet {
            dma_size: packet.dma_size,
            log_level: packet.log_level,
            ..self.farewell()
        };
        let link = &self.place.link;
        link.life
            .check_serving(self.generation)
            .map_err(|e| as_abi(e.into()))?;
        if self.is_exposed() {
            // The card is told when it is through.
            clients.end(self, farewell);
            return Ok(());
        }
        // Nothing is freed if the card cannot be told.
        link.notify(&farewell, Instant::now() + DESTROY_WAIT)
            .map_err(|e| as_abi(e.into()))?;
        clients.end_told(self);
        Ok(())
    }

    /// Events that its program has not looked at yet.
    pub(crate) fn events(&self) -> u32 {
        self.record.events()
    }

    /// Grants more ports, of which the card knows nothing.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a count that cannot be; `ENOSPC` if not so many are free; `ENOMEM`.
    pub(super) fn request(&self, packet: &mut Packet) -> Result {
        let count = extra_count(packet)?;
        let mut ports = [0; GROUP];
        let wanted = ports.get_mut(..count).ok_or(EINVAL)?;
        let claim = Claim::of_more();
        self.place.link.ports.lock().reserve_lowest(wanted, claim)?;
        let extra = Extra { ports, count };
        let added = self.add_extra(extra);
        if let Err(e) = added {
            self.place.link.free(ports.get(..count).unwrap_or(&[]));
            return Err(e);
        }
        for (to, from) in packet.ports.iter_mut().zip(ports).take(count) {
            *to = from;
        }
        Ok(())
    }

    fn add_extra(&self, extra: Extra) -> Result {
        let mut lines = self.extra_lines.lock();
        let mut extras = self.extras.lock();
        extras.reserve(1, GFP_KERNEL)?;
        lines.reserve(extra.count, GFP_KERNEL)?;
        let owner = self.owner_now()?;
        let mut new: KVec<Arc<Line>> = KVec::with_capacity(extra.count, GFP_KERNEL)?;
        for &port in extra.ports() {
            let flow = Some(Flow::besides());
            let line = Line::new(&self.place, self.generation, port, &owner, flow)?;
            new.push(line, GFP_KERNEL)?;
        }
        for line in new.iter() {
            line.connect();
        }
        for line in new {
            lines.push(line, GFP_KERNEL)?;
        }
        extras.push(extra, GFP_KERNEL)?;
        Ok(())
    }

    /// Takes such ports back: those of one request, all of them, in their order.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a count that cannot be; [`FAILED`] if they are not those of one request.
    pub(super) fn recycle(&self, packet: &Packet) -> Result {
        let count = extra_count(packet)?;
        let wanted = packet.ports.get(..count).ok_or(EINVAL)?;
        let mut extras = self.extras.lock();
        let at = extras.iter().position(|extra| extra.ports() == wanted);
        let extra = extras.remove(at.ok_or(FAILED)?).map_err(|_| FAILED)?;
        drop(extras);
        for &port in extra.ports() {
            let mut lines = self.extra_lines.lock();
            let line = take_first(&mut lines, |line| line.port == port);
            drop(lines);
            if let Some(line) = line {
                line.close(Standing::Returned);
                line.release();
            }
        }
        self.place.link.free(extra.ports());
        Ok(())
    }

    /// Returns who asks for more ports: the owner, or a process that has inherited the file.
    fn owner_now(&self) -> Result<Arc<Owner>> {
        if self.owner.process.is_current()? {
            return Ok(self.owner.clone());
        }
        Owner::current()
    }

    /// Returns the line of `port`, if that is one of the group's.
    pub(super) fn line(&self, port: u32) -> Option<Arc<Line>> {
        let is_it = |line: &&Arc<Line>| line.port == port;
        let found = self.lines.iter().find(is_it).cloned();
        found.or_else(|| self.extra_lines.lock().iter().find(is_it).cloned())
    }

    /// Returns the ports that the program has asked for besides, for `observe/debug.rs`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn extra_ports(&self) -> Result<KVec<u32>> {
        let extras = self.extras.lock();
        let mut ports = KVec::new();
        for extra in extras.iter() {
            ports.extend_from_slice(extra.ports(), GFP_KERNEL)?;
        }
        Ok(ports)
    }

    /// Returns whether the card may be moving data from or to memory of the program.
    pub(super) fn is_exposed(&self) -> bool {
        let extra = || {
            let lines = self.extra_lines.lock();
            lines.iter().any(|line| line.is_exposed())
        };
        self.lines.iter().any(|line| line.is_exposed()) || extra()
    }

    /// Closes the ports of the program's files; `standing` says why.
    pub(super) fn close(&self, standing: Standing) {
        for line in self.lines.iter() {
            line.close(standing);
        }
        for line in self.extra_lines.lock().iter() {
            line.close(standing);
        }
    }

    /// Tells the card, and gives everything back.  False if the card cannot be told now: nobody else must
    /// get the ports while it serves this group.
    #[must_use]
    pub(super) fn finish(&self, farewell: &Packet) -> bool {
        let link = &self.place.link;
        let serves = link.life.check_serving(self.generation).is_ok();
        if serves && !link.farewell(farewell) {
            return false;
        }
        self.give_back();
        true
    }

    /// Gives ports, files and memory back.
    pub(super) fn give_back(&self) {
        for line in self.lines.iter() {
            line.release();
        }
        let extra_lines = core::mem::take(&mut *self.extra_lines.lock());
        for line in extra_lines.iter() {
            line.close(Standing::Returned);
            line.release();
        }
        self.place.link.free(&self.ports);
        let extras = core::mem::take(&mut *self.extras.lock());
        for extra in extras.iter() {
            self.place.link.free(extra.ports());
        }
    }
}

/// Returns how many extra ports a packet is about.
fn extra_count(packet: &Packet) -> Result<usize> {
    match packet.count as usize {
        count @ 1..=GROUP => Ok(count),
        _ => Err(EINVAL),
    }
}
