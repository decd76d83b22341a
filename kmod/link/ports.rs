// SPDX-License-Identifier: GPL-2.0

//! Who receives what comes on which port [pcie 5.1].

use kernel::sync::Arc;

use crate::{
    glue::{
        prelude::*,
        task, //
    },
    wire::{
        control::{
            FIRST_USER_PORT,
            GROUP, //
        },
        header::PORT_COUNT, //
    }, //
};

/// The ports of a session, by their role.
pub(crate) type Group = [u32; GROUP];

/// Sessions at a time on a card: the user ports in groups of four.
pub(crate) const MAX_SESSIONS: u32 = (PORT_COUNT - FIRST_USER_PORT) / GROUP as u32;

/// Sessions of a card that users have only as their first.
pub(crate) const KEPT_SESSIONS: u32 = 4;

/// For whom ports are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The driver's own session, without which it cannot tell how the card is.
    Driver,
    /// A user who has no session yet, or is above such limits.
    Urgent,
    /// A user who has one.
    More,
}

impl Claim {
    /// Returns the claim to ports besides those of a session.
    pub(crate) fn of_more() -> Self {
        match task::may_exceed() {
            true => Self::Urgent,
            false => Self::More,
        }
    }

    /// Ports that are left to others.
    fn kept(self) -> usize {
        match self {
            Self::More => KEPT_SESSIONS as usize * GROUP,
            Self::Driver | Self::Urgent => 0,
        }
    }
}

#[derive(Default)]
enum Slot {
    #[default]
    Free,
    /// Taken, but nobody listens yet.
    Reserved,
    Used(Arc<dyn Receiver>),
}

/// Who gets the messages on a port.
pub(crate) trait Receiver: Send + Sync {
    /// Takes a message that has come on `port`.  Called with `Rx` locked.
    fn receive(&self, port: u32, message: &[u8]);

    /// Returns whether the receiver takes messages that are longer than any of the driver's own.
    fn takes_long(&self) -> bool;

    /// Says who the receiver is, for people.
    fn describe(&self, port: u32) -> Description;
}

/// What people are told of a receiver.
pub(crate) struct Description {
    /// What the port is to it.
    pub(crate) kind: &'static str,
    /// Number of the process.
    pub(crate) pid: i32,
    /// Open files that are connected, if there is such a thing.
    pub(crate) files: Option<usize>,
    /// Name of the process.
    pub(crate) comm: [u8; 16],
}

/// What a port is used for.
pub(crate) enum Use {
    /// Taken, but nobody listens yet.
    Reserved,
    /// Free, but a late answer may come.
    Late,
    /// Taken, and this receiver listens.
    Receiver(Arc<dyn Receiver>),
}

/// Receivers that have lost their ports.
pub(crate) type Freed = [Option<Arc<dyn Receiver>>; GROUP];

/// The port table of one card.
pub(crate) struct Ports {
    slots: KVec<Slot>,
    next: usize,
    /// Ports of the driver's own session.  Until it has some, room for them is kept.
    driver: Option<Group>,
    /// Where the answer to a create that was given up may still come, as bits.
    late: u128,
}

const USER_PORTS: usize = (PORT_COUNT - FIRST_USER_PORT) as usize;

impl Ports {
    /// Makes a table whose ports are all free.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let mut slots = KVec::with_capacity(USER_PORTS, GFP_KERNEL)?;
        for _ in 0..USER_PORTS {
            slots.push(Slot::Free, GFP_KERNEL)?;
        }
        Ok(Self {
            slots,
            next: 0,
            driver: None,
            late: 0,
        })
    }

    /// Takes four free ports.  The search goes round the table, so that a port is free as long as
    /// possible before it is used again and late messages of its former owner do not find the next.
    /// `None` if there are not so many for `claim`.
    pub(crate) fn reserve(&mut self, claim: Claim) -> Option<Group> {
        let for_driver = claim == Claim::Driver;
        if !for_driver && !self.has_room(GROUP + claim.kept()) {
            return None;
        }
        let mut group = [0; GROUP];
        let mut found = 0;
        let mut last = self.next;
        for at in (0..USER_PORTS).map(|n| (self.next + n) % USER_PORTS) {
            if let (Some(Slot::Free), Some(port)) = (self.slots.get(at), group.get_mut(found)) {
                *port = FIRST_USER_PORT + at as u32;
                found += 1;
                last = at;
            }
        }
        if found < GROUP {
            return None;
        }
        for port in group {
            self.set(port, Slot::Reserved);
        }
        self.next = (last + 1) % USER_PORTS;
        if for_driver {
            self.driver = Some(group);
        }
        Some(group)
    }

    /// Takes the lowest free ports, as programs that speak the AXCL ABI know it [pcie 5.1]: as many as
    /// there is room for in `ports`, or none.  Those where a late answer may come are the last choice: a
    /// program that tries again would take it for the answer to its new request.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if not so many are free.
    pub(crate) fn reserve_lowest(&mut self, ports: &mut [u32], claim: Claim) -> Result {
        if !self.has_room(ports.len() + claim.kept()) {
            return Err(ENOSPC);
        }
        if !self.find_lowest(ports) {
            self.late = 0;
            if !self.find_lowest(ports) {
                return Err(ENOSPC);
            }
        }
        for &port in ports.iter() {
            self.set(port, Slot::Reserved);
        }
        Ok(())
    }

    /// Returns whether a client may have `count` ports more.
    fn has_room(&self, count: usize) -> bool {
        let kept = if self.driver.is_some() { 0 } else { GROUP };
        let slots = self.slots.iter();
        let free = slots.filter(|slot| matches!(slot, Slot::Free)).count();
        free >= count + kept
    }

    fn find_lowest(&self, ports: &mut [u32]) -> bool {
        let mut free = (FIRST_USER_PORT..)
            .zip(self.slots.iter())
            .filter(|(port, slot)| matches!(slot, Slot::Free) && self.late >> port & 1 == 0);
        ports.iter_mut().all(|to| match free.next() {
            Some((port, _)) => {
                *to = port;
                true
            }
            None => false,
        })
    }

    /// Notes that a create for `ports` was given up before it was answered.
    pub(crate) fn expect_late(&mut self, ports: &Group) {
        for port in ports {
            self.late |= 1_u128.checked_shl(*port).unwrap_or(0);
        }
    }

    /// Notes that a create for `ports` that was given up has been answered now.  The numbers are the
    /// card's.
    pub(crate) fn late_has_come(&mut self, ports: &Group) {
        for port in ports {
            self.late &= !1_u128.checked_shl(*port).unwrap_or(0);
        }
    }

    /// Forgets what may come late: the card has been reset.
    pub(crate) fn expect_nothing(&mut self) {
        self.late = 0;
    }

    /// Delivers messages on `port`, which is reserved, to `receiver`.
    pub(crate) fn connect(&mut self, port: u32, receiver: Arc<dyn Receiver>) {
        self.set(port, Slot::Used(receiver));
    }

    /// Gives up to four ports back.  The caller drops what is returned after it has released the lock.
    #[must_use]
    pub(crate) fn free(&mut self, ports: &[u32]) -> Freed {
        if self.driver.is_some_and(|group| group == ports) {
            self.driver = None;
        }
        let mut freed = Freed::default();
        for (receiver, &port) in freed.iter_mut().zip(ports) {
            if let Slot::Used(owner) = self.set(port, Slot::Free) {
                *receiver = Some(owner);
            }
        }
        freed
    }

    fn set(&mut self, port: u32, to: Slot) -> Slot {
        let at = port.wrapping_sub(FIRST_USER_PORT) as usize;
        match self.slots.get_mut(at) {
            Some(slot) => core::mem::replace(slot, to),
            None => Slot::Free,
        }
    }

    /// Returns who listens on `port`.
    pub(super) fn find(&self, port: u32) -> Option<Arc<dyn Receiver>> {
        match self
            .slots
            .get(port.wrapping_sub(FIRST_USER_PORT) as usize)?
        {
            Slot::Used(receiver) => Some(receiver.clone()),
            _ => None,
        }
    }

    /// Returns all ports that are not simply free, for `observe/debug.rs`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn uses(&self) -> Result<KVec<(u32, Use)>> {
        let mut list = KVec::with_capacity(USER_PORTS, GFP_KERNEL)?;
        for (port, slot) in (FIRST_USER_PORT..).zip(self.slots.iter()) {
            let what = match slot {
                Slot::Free if self.late >> port & 1 == 0 => continue,
                Slot::Free => Use::Late,
                Slot::Reserved => Use::Reserved,
                Slot::Used(receiver) => Use::Receiver(receiver.clone()),
            };
            list.push((port, what), GFP_KERNEL)?;
        }
        Ok(list)
    }
}
