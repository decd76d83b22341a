// SPDX-License-Identifier: GPL-2.0

//! The AXCL programs of one card: their groups of ports, and the memory they have allocated.

use kernel::{
    new_condvar, new_mutex,
    prelude::*,
    sync::{Arc, CondVar, Mutex},
};

use super::{
    group::Group,
    line::{Standing, DRAIN_NS},
    record::Record,
    registry, LOOK_NS,
};
use crate::{
    abi::types::{ClientInfo, INTERFACE_AXCL},
    buffer::Buffer,
    card::Card,
    glue::{dma::Piece, task::Process, time},
    wire::{axcl::reach, control::Packet},
};

/// Memory, and the process that allocated it.
pub(crate) struct Held {
    pub(super) owner: Process,
    pub(super) buffer: Arc<Buffer>,
}

impl Held {
    /// Its bus addresses and their lengths.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.buffer.pieces().iter().map(|p| (p.bus, p.len))
    }

    /// What of `[address, address + len)` is in it.
    pub(super) fn overlap(&self, address: u64, len: u32) -> impl Iterator<Item = Piece> + '_ {
        let pieces = self.ranges();
        let parts = pieces.filter_map(move |piece| reach::overlap(piece, (address, len)));
        parts.map(|(bus, len)| Piece { bus, len })
    }
}

/// A group whose program is done with it, while the card may still be moving its data.
struct Ending {
    group: Arc<Group>,
    farewell: Packet,
    deadline: u64,
}

impl Ending {
    fn is_due(&self, now: u64) -> bool {
        now >= self.deadline || !self.group.is_exposed()
    }
}

struct State {
    groups: KVec<Arc<Group>>,
    ending: KVec<Ending>,
    /// The card has come up since its programs were last told that it is down.
    up: bool,
}

/// The programs of one card.
#[pin_data]
pub(crate) struct Clients {
    #[pin]
    state: Mutex<State>,
    #[pin]
    buffers: Mutex<KVec<Held>>,
    /// For the condition only; what is waited for is the card's.
    #[pin]
    looking: Mutex<()>,
    #[pin]
    changed: CondVar,
}

impl Clients {
    /// Nobody.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_mutex!(State {
                groups: KVec::new(),
                ending: KVec::new(),
                up: false,
            }, "ax650_axcl_clients"),
            buffers <- new_mutex!(KVec::new(), "ax650_axcl_buffers"),
            looking <- new_mutex!((), "ax650_axcl_looking"),
            changed <- new_condvar!("ax650_axcl_changed"),
        })
    }

    /// The card runs.
    pub(crate) fn up(&self) {
        self.state.lock().up = true;
        self.notify();
    }

    /// Something about the card has changed.
    pub(crate) fn notify(&self) {
        self.changed.notify_all();
    }

    /// Waits until `look` finds what it looks for: `ETIMEDOUT`; `ERESTARTSYS` for a caller that is being
    /// killed.
    pub(super) fn wait<R>(&self, deadline: u64, mut look: impl FnMut() -> Option<R>) -> Result<R> {
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            let mut looking = self.looking.lock();
            let until = deadline.min(time::now() + LOOK_NS);
            let waited = time::wait_until(&self.changed, &mut looking, until);
            drop(looking);
            super::ended(waited, deadline)?;
        }
    }

    /// The group of `record`.
    pub(super) fn group_of(&self, record: &Arc<Record>) -> Option<Arc<Group>> {
        let state = self.state.lock();
        let mut groups = state.groups.iter();
        groups.find(|group| group.is_of(record)).cloned()
    }

    /// Whether `record` has one.
    pub(super) fn has_group_of(&self, record: &Arc<Record>) -> bool {
        let state = self.state.lock();
        state.groups.iter().any(|group| group.is_of(record))
    }

    /// Remembers a group.
    pub(super) fn add(&self, group: &Arc<Group>) -> Result {
        self.state.lock().groups.push(group.clone(), GFP_KERNEL)?;
        Ok(())
    }

    /// Forgets a group.  False if somebody else has: then it is theirs to take its ports back.
    pub(super) fn remove(&self, group: &Arc<Group>) -> bool {
        let mut state = self.state.lock();
        let at = state.groups.iter().position(|g| Arc::ptr_eq(g, group));
        let removed = at.and_then(|at| state.groups.remove(at).ok());
        drop(state);
        removed.is_some()
    }

    /// The program is done with `group`.  `farewell` goes to the card, and the ports are free again; if
    /// data is being moved then when it has been, or after a few seconds.
    pub(super) fn end(&self, card: &Card, group: &Arc<Group>, farewell: Packet) {
        if !self.remove(group) {
            return;
        }
        group.close(Standing::Returned);
        if !group.is_exposed() && group.finish(card, &farewell) {
            return;
        }
        let ending = Ending {
            group: group.clone(),
            farewell,
            deadline: time::now() + DRAIN_NS,
        };
        if self.state.lock().ending.push(ending, GFP_KERNEL).is_ok() {
            card.kick();
        } else if !group.finish(card, &farewell) {
            // It cannot be remembered.
            group.give_back(card);
        }
    }

    /// The same when the card has been told, and nothing is being moved as far as is known.
    pub(super) fn end_told(&self, card: &Card, group: &Arc<Group>) {
        if self.remove(group) {
            group.close(Standing::Returned);
            group.give_back(card);
        }
    }

    /// Whether there is something to watch.
    pub(crate) fn is_busy(&self) -> bool {
        !self.state.lock().ending.is_empty()
    }

    /// Time has passed.
    pub(crate) fn tick(&self, card: &Card) {
        let now = time::now();
        loop {
            let mut state = self.state.lock();
            let due = state.ending.iter().position(|ending| ending.is_due(now));
            let Some(Ok(ending)) = due.map(|at| state.ending.remove(at)) else {
                return;
            };
            drop(state);
            if !ending.group.finish(card, &ending.farewell) {
                let group = ending.group.clone();
                let kept = self.state.lock().ending.push(ending, GFP_KERNEL);
                if kept.is_err() {
                    // It cannot be remembered.
                    group.give_back(card);
                }
                return;
            }
        }
    }

    /// The card goes down: all groups are gone, and their programs are told ([pcie 5.7], R16).
    pub(crate) fn fail(&self, card: &Card) {
        let was_up = core::mem::take(&mut self.state.lock().up);
        if was_up {
            // First, while those who are told of their groups still have them.
            registry::wake_idle_files();
        }
        let (groups, ending) = {
            let mut state = self.state.lock();
            (
                core::mem::take(&mut state.groups),
                core::mem::take(&mut state.ending),
            )
        };
        for group in groups.iter() {
            group.close(Standing::Lost);
            group.give_back(card);
            group.record.raise();
        }
        for ending in ending.iter() {
            ending.group.give_back(card);
        }
        card.ports.lock().expect_nothing();
        self.notify();
    }

    /// Shows `f` the thread of each group.
    pub(super) fn for_each_thread(&self, mut f: impl FnMut(&Process)) {
        for group in self.state.lock().groups.iter() {
            f(&group.record.thread);
        }
    }

    /// How many programs have ports.
    pub(crate) fn count(&self) -> usize {
        self.state.lock().groups.len()
    }

    /// All groups.
    pub(crate) fn groups(&self) -> Result<KVec<Arc<Group>>> {
        let state = self.state.lock();
        let mut list = KVec::with_capacity(state.groups.len(), GFP_KERNEL)?;
        list.extend_from_slice(&state.groups, GFP_KERNEL)?;
        Ok(list)
    }

    /// The programs, as `AX650_QUERY_CLIENTS` shows them.
    pub(crate) fn infos(&self) -> Result<KVec<ClientInfo>> {
        let groups = self.groups()?;
        let mut list = KVec::with_capacity(groups.len(), GFP_KERNEL)?;
        for group in groups.iter() {
            let owner = &group.owner;
            let info = ClientInfo {
                pid: owner.process.number_for_caller(),
                session: group.ports.first().copied().unwrap_or(0),
                buffer_bytes: self.bytes_of(&owner.process),
                bytes_to_card: owner.bytes_to_card.get(),
                bytes_from_card: owner.bytes_from_card.get(),
                command: owner.comm,
                interface: INTERFACE_AXCL,
                ..ClientInfo::default()
            };
            list.push(info, GFP_KERNEL)?;
        }
        Ok(list)
    }

    /// Bytes of the memory that a process has allocated.
    pub(crate) fn bytes_of(&self, process: &Process) -> u64 {
        let buffers = self.buffers.lock();
        let own = buffers.iter().filter(|held| held.owner == *process);
        own.map(|held| held.buffer.size() as u64).sum()
    }

    /// Remembers memory of the calling process.
    pub(super) fn hold(&self, buffer: &Arc<Buffer>) -> Result {
        let held = Held {
            owner: Process::current()?,
            buffer: buffer.clone(),
        };
        self.buffers.lock().push(held, GFP_KERNEL)?;
        Ok(())
    }

    /// Forgets it.
    pub(super) fn let_go(&self, buffer: &Arc<Buffer>) {
        let mut buffers = self.buffers.lock();
        let at = buffers.iter().position(|h| Arc::ptr_eq(&h.buffer, buffer));
        let removed = at.and_then(|at| buffers.remove(at).ok());
        drop(buffers);
        drop(removed);
    }

    /// Lets `f` look at all memory.
    pub(super) fn with_buffers<R>(&self, f: impl FnOnce(&[Held]) -> R) -> R {
        f(&self.buffers.lock())
    }
}
