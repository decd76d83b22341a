// SPDX-License-Identifier: GPL-2.0

//! Which session owns which port (spec 5.1).

use kernel::{prelude::*, sync::Arc};

use crate::{
    session::Session,
    wire::{
        control::{FIRST_USER_PORT, GROUP},
        header::PORT_COUNT,
    },
};

/// The ports of a session, by their role.
pub(crate) type Group = [u32; GROUP];

/// Sessions at a time on a card: the user ports in groups of four.
pub(crate) const MAX_SESSIONS: u32 = (PORT_COUNT - FIRST_USER_PORT) / GROUP as u32;

#[derive(Default)]
enum Slot {
    #[default]
    Free,
    /// Taken, but nobody listens yet.
    Reserved,
    Used(Arc<Session>, usize),
}

/// The port table of one card.
pub(crate) struct Ports {
    slots: KVec<Slot>,
    next: usize,
}

const USER_PORTS: usize = (PORT_COUNT - FIRST_USER_PORT) as usize;

impl Ports {
    /// All ports free.
    pub(crate) fn new() -> Result<Self> {
        let mut slots = KVec::with_capacity(USER_PORTS, GFP_KERNEL)?;
        for _ in 0..USER_PORTS {
            slots.push(Slot::Free, GFP_KERNEL)?;
        }
        Ok(Self { slots, next: 0 })
    }

    /// Takes four free ports.  The search goes round the table, so that a port is free as long as
    /// possible before it is used again and late messages of its former owner do not find the next.
    pub(crate) fn reserve(&mut self) -> Result<Group> {
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
            return Err(ENOSPC);
        }
        for port in group {
            self.set(port, Slot::Reserved);
        }
        self.next = (last + 1) % USER_PORTS;
        Ok(group)
    }

    /// Delivers messages on the ports of `session` to it.
    pub(crate) fn listen(&mut self, session: &Arc<Session>) {
        for (role, port) in session.ports.into_iter().enumerate() {
            self.set(port, Slot::Used(session.clone(), role));
        }
    }

    /// Gives ports back.  The caller drops what is returned after it has released the lock.
    #[must_use]
    pub(crate) fn free(&mut self, group: &Group) -> Option<Arc<Session>> {
        let mut owner = None;
        for &port in group {
            if let Slot::Used(session, _) = self.set(port, Slot::Free) {
                owner = Some(session);
            }
        }
        owner
    }

    fn set(&mut self, port: u32, to: Slot) -> Slot {
        let at = port.wrapping_sub(FIRST_USER_PORT) as usize;
        match self.slots.get_mut(at) {
            Some(slot) => core::mem::replace(slot, to),
            None => Slot::Free,
        }
    }

    /// The session that listens on `port`, and the port's role there.
    pub(crate) fn find(&self, port: u32) -> Option<(Arc<Session>, usize)> {
        match self
            .slots
            .get(port.wrapping_sub(FIRST_USER_PORT) as usize)?
        {
            Slot::Used(session, role) => Some((session.clone(), *role)),
            _ => None,
        }
    }

    /// All sessions.
    pub(crate) fn sessions(&self) -> Result<KVec<Arc<Session>>> {
        let mut list = KVec::with_capacity(MAX_SESSIONS as usize, GFP_KERNEL)?;
        for slot in self.slots.iter() {
            if let Slot::Used(session, 0) = slot {
                list.push(session.clone(), GFP_KERNEL)?;
            }
        }
        Ok(list)
    }
}
