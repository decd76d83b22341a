// SPDX-License-Identifier: GPL-2.0

//! The AXCL programs of one card: their groups of ports.

use kernel::{
    new_condvar,
    new_mutex,
    sync::{
        Arc,
        CondVar,
        Mutex, //
    }, //
};

use super::{
    group::Group,
    line::{
        Line,
        Standing,
        DRAIN, //
    },
    place::Place,
    record::Record,
    rules::{
        ended,
        LOOK, //
    }, //
};
use crate::{
    buffer::pool::Pool,
    glue::{
        prelude::*,
        task::Process,
        time::{
            self,
            Instant,
            Moment, //
        }, //
    },
    link::{
        life::NotServing,
        Link, //
    },
    uapi::{
        ClientInfo,
        INTERFACE_AXCL, //
    },
    wire::control::Packet, //
};

/// A group whose program is done with it, while the card may still be moving its data.
struct Ending {
    group: Arc<Group>,
    farewell: Packet,
    deadline: Instant,
}

impl Ending {
    fn is_due(&self) -> bool {
        self.deadline.left().is_zero() || !self.group.is_exposed()
    }
}

struct State {
    groups: KVec<Arc<Group>>,
    ending: KVec<Ending>,
    /// The card has come up since its programs were last told that it is down.
    up: bool,
}

/// The programs of one card; as long as it is listed, or one of them needs it.
#[pin_data]
pub(crate) struct Clients {
    pub(crate) place: Arc<Place>,
    /// Outside of what locks a group has; nobody sends with it held.
    #[pin]
    state: Mutex<State>,
    /// For the condition only; what is waited for is the card's.
    #[pin]
    looking: Mutex<()>,
    #[pin]
    changed: CondVar,
}

impl Clients {
    /// Makes the table of a card's programs, with nobody in it.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(link: &Arc<Link>, pool: &Arc<Pool>) -> Result<Arc<Self>> {
        let place = Place::new(link, pool)?;
        let clients = pin_init!(Self {
            place,
            state <- new_mutex!(State {
                groups: KVec::new(),
                ending: KVec::new(),
                up: false,
            }, "ax650_axcl_clients"),
            looking <- new_mutex!((), "ax650_axcl_looking"),
            changed <- new_condvar!("ax650_axcl_changed"),
        });
        Arc::pin_init(clients, GFP_KERNEL)
    }

    /// Wakes whoever waits for the card: it runs.
    pub(super) fn up(&self) {
        self.state.lock().up = true;
        self.notify();
    }

    /// Returns whether the card has come up since this was last asked.
    pub(super) fn was_up(&self) -> bool {
        core::mem::take(&mut self.state.lock().up)
    }

    /// Tells the programs that something about the card has changed.
    fn notify(&self) {
        self.changed.notify_all();
    }

    /// Waits until `look` finds what it looks for.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`; `ERESTARTSYS` for a caller that is being killed.
    pub(super) fn wait<R>(
        &self,
        deadline: Instant,
        mut look: impl FnMut() -> Option<R>,
    ) -> Result<R> {
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            let mut looking = self.looking.lock();
            let until = Instant::now() + deadline.left().min(LOOK);
            let waited = time::wait_until(&self.changed, &mut looking, until);
            drop(looking);
            ended(waited, deadline)?;
        }
    }

    /// Waits until the card can be talked to, and returns its generation.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`; `ERESTARTSYS`; why the card will not come up ([`NotServing`]).
    pub(super) fn wait_until_up(&self, deadline: Instant) -> Result<u32> {
        let life = &self.place.link.life;
        self.wait(deadline, || {
            let generation = life.generation();
            match life.check_serving(generation) {
                Ok(()) => Some(Ok(generation)),
                Err(NotServing::NotYet | NotServing::Stale) => None,
                Err(e) => Some(Err(e.into())),
            }
        })?
    }

    /// Returns the group of `record`.
    pub(super) fn group_of(&self, record: &Arc<Record>) -> Option<Arc<Group>> {
        let state = self.state.lock();
        let mut groups = state.groups.iter();
        groups.find(|group| group.is_of(record)).cloned()
    }

    /// Returns whether `record` has a group.
    pub(super) fn has_group_of(&self, record: &Arc<Record>) -> bool {
        let state = self.state.lock();
        state.groups.iter().any(|group| group.is_of(record))
    }

    /// Remembers a group.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn add(&self, group: &Arc<Group>) -> Result {
        self.state.lock().groups.push(group.clone(), GFP_KERNEL)?;
        Ok(())
    }

    /// Forgets a group.  False if somebody else has: then it is theirs to take its ports back.
    pub(super) fn remove(&self, group: &Arc<Group>) -> bool {
        let mut state = self.state.lock();
        let removed = take_first(&mut state.groups, |other| Arc::ptr_eq(other, group));
        drop(state);
        removed.is_some()
    }

    /// Ends a group that the program is done with.  `farewell` goes to the card, and the ports are free
    /// again; if data is being moved then when it has been, or after a few seconds.
    pub(super) fn end(&self, group: &Arc<Group>, farewell: Packet) {
        if !self.remove(group) {
            return;
        }
        group.close(Standing::Returned);
        if !group.is_exposed() && group.finish(&farewell) {
            return;
        }
        let ending = Ending {
            group: group.clone(),
            farewell,
            deadline: Instant::now() + DRAIN,
        };
        if self.state.lock().ending.push(ending, GFP_KERNEL).is_ok() {
            self.place.link.life.orders.kick();
        } else if !group.finish(&farewell) {
            // It cannot be remembered.
            group.give_back();
        }
    }

    /// Ends a group when the card has been told, and nothing is being moved as far as is known.
    pub(super) fn end_told(&self, group: &Arc<Group>) {
        if self.remove(group) {
            group.close(Standing::Returned);
            group.give_back();
        }
    }

    /// Returns whether there is something to watch.
    pub(crate) fn is_busy(&self) -> bool {
        !self.state.lock().ending.is_empty()
    }

    /// Looks after groups that are ending: time has passed.
    pub(super) fn tick(&self) {
        self.finish_due();
        self.notify();
    }

    /// Ends the groups whose time has come.
    fn finish_due(&self) {
        loop {
            let mut state = self.state.lock();
            let due = state.ending.iter().position(Ending::is_due);
            let Some(Ok(ending)) = due.map(|at| state.ending.remove(at)) else {
                return;
            };
            drop(state);
            if !ending.group.finish(&ending.farewell) {
                let group = ending.group.clone();
                let kept = self.state.lock().ending.push(ending, GFP_KERNEL);
                if kept.is_err() {
                    // It cannot be remembered.
                    group.give_back();
                }
                return;
            }
        }
    }

    /// Ends all groups, as the card goes down, and tells their programs ([pcie 5.7], R16).
    pub(super) fn fail(&self) {
        let (groups, ending) = {
            let mut state = self.state.lock();
            (
                core::mem::take(&mut state.groups),
                core::mem::take(&mut state.ending),
            )
        };
        for group in groups.iter() {
            group.close(Standing::Lost);
            group.give_back();
            group.record.raise();
        }
        for ending in ending.iter() {
            ending.group.give_back();
        }
        self.notify();
    }

    /// Returns the line of the program that `port` was granted to.
    pub(super) fn line(&self, port: u32) -> Option<Arc<Line>> {
        let state = self.state.lock();
        state.groups.iter().find_map(|group| group.line(port))
    }

    /// Shows `f` the thread of each group.
    pub(super) fn for_each_thread(&self, mut f: impl FnMut(&Process)) {
        for group in self.state.lock().groups.iter() {
            f(&group.record.thread);
        }
    }

    /// Returns how many programs have ports.
    pub(crate) fn count(&self) -> usize {
        self.state.lock().groups.len()
    }

    /// Returns all groups.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn groups(&self) -> Result<KVec<Arc<Group>>> {
        let state = self.state.lock();
        let mut list = KVec::with_capacity(state.groups.len(), GFP_KERNEL)?;
        list.extend_from_slice(&state.groups, GFP_KERNEL)?;
        Ok(list)
    }

    /// Returns the programs, as `AX650_QUERY_CLIENTS` shows them.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn infos(&self) -> Result<KVec<ClientInfo>> {
        let groups = self.groups()?;
        let mut list = KVec::with_capacity(groups.len(), GFP_KERNEL)?;
        for group in groups.iter() {
            let owner = &group.owner;
            let (pid, command) = owner.process.shown_to_caller(owner.comm);
            let info = ClientInfo {
                pid,
                session: group.ports.first().copied().unwrap_or(0),
                buffer_bytes: self.place.bytes_of(&owner.process),
                bytes_to_card: owner.bytes_to_card.get(),
                bytes_from_card: owner.bytes_from_card.get(),
                command,
                interface: INTERFACE_AXCL,
                ..ClientInfo::default()
            };
            list.push(info, GFP_KERNEL)?;
        }
        Ok(list)
    }
}
