// SPDX-License-Identifier: GPL-2.0

//! The sessions of one card.

use core::array;

use kernel::{
    new_mutex,
    sync::{
        Arc,
        Mutex, //
    }, //
};

use super::{
    grants::Grants,
    Session, //
};
use crate::{
    buffer::{
        account::Account,
        pool::Pool, //
    },
    counters::Counter,
    glue::{
        prelude::*,
        time::Instant, //
    },
    link::{
        ports::MAX_SESSIONS,
        Link, //
    }, //
};

/// All sessions whose ports are not free again, the driver's own among them.
#[pin_data]
pub(crate) struct Sessions {
    link: Arc<Link>,
    pool: Arc<Pool>,
    grants: Arc<Grants>,
    /// With room for as many as there are ports for.  A leaf.
    #[pin]
    list: Mutex<KVec<Arc<Session>>>,
    /// Whose turn it is to be the first to send when there is room.
    turn: Counter,
}

impl Sessions {
    /// Makes a table without sessions.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(link: &Arc<Link>, pool: &Arc<Pool>) -> Result<impl PinInit<Self>> {
        let list = KVec::with_capacity(MAX_SESSIONS as usize, GFP_KERNEL)?;
        let (link, pool) = (link.clone(), pool.clone());
        let grants = Arc::pin_init(Grants::new()?, GFP_KERNEL)?;
        Ok(pin_init!(Self {
            link,
            pool,
            grants,
            list <- new_mutex!(list, "ax650_sessions"),
            turn: Counter::default(),
        }))
    }

    /// Opens a session for the calling process: ports, serving process, handshake, context.
    /// `account` is the caller's; `None`: it is the driver's own session.
    ///
    /// # Errors
    ///
    /// Why the card does not serve; `ENOSPC` if no ports are free; `ENOMEM`; `ETIMEDOUT`; `ERESTARTSYS` for
    /// a signal; `EPROTO` for an answer that makes no sense; `EREMOTEIO` if the card refuses.
    pub(crate) fn open(
        &self,
        account: Option<&Arc<Account>>,
        log_level: u32,
        deadline: Instant,
    ) -> Result<Arc<Session>> {
        let session = Session::new(&self.link, &self.pool, &self.grants, account)?;
        session.connect();
        let listed = self.list.lock().push_within_capacity(session.clone());
        let opened = match listed {
            Ok(()) => session.bring_up(log_level, deadline),
            // There are no more sessions than ports.
            Err(_) => Err(ENOSPC),
        };
        if let Err(e) = opened {
            session.fail(e);
            // The card may still act on what it has got: end it there before the ports are free.
            self.retire_one(&session);
            return Err(e);
        }
        Ok(session)
    }

    /// Returns all sessions.  Memory is not needed for it: what ends them must not fail.
    pub(crate) fn all(&self) -> impl Iterator<Item = Arc<Session>> {
        self.beginning_with(0)
    }

    /// Returns all sessions, the one at `first` modulo their number as the first.
    fn beginning_with(&self, first: usize) -> impl Iterator<Item = Arc<Session>> {
        let list = self.list.lock();
        let count = list.len();
        let all: [_; MAX_SESSIONS as usize] = array::from_fn(|at| match at < count {
            true => list.get(first.wrapping_add(at) % count).cloned(),
            false => None,
        });
        all.into_iter().flatten()
    }

    /// Returns the sessions of clients.
    pub(crate) fn of_clients(&self) -> impl Iterator<Item = Arc<Session>> {
        self.all().filter(|session| session.seat.is_some())
    }

    /// Ends all sessions because of `error`.
    pub(crate) fn fail(&self, error: Error) {
        for session in self.all() {
            session.fail(error);
            self.retire_one(&session);
        }
    }

    /// Gives the ports of sessions that are over back.
    pub(crate) fn retire(&self) {
        for session in self.all() {
            self.retire_one(&session);
        }
    }

    fn retire_one(&self, session: &Arc<Session>) {
        if session.retire() {
            // The last reference may be this, so not under the lock.
            let mut list = self.list.lock();
            let removed = take_first(&mut list, |other| Arc::ptr_eq(other, session));
            drop(list);
            drop(removed);
            self.grants.close(session.owner());
            self.link.free(&session.ports);
        }
    }

    /// Looks after all sessions: time has passed, or the ring has room again.  Each time another one is
    /// the first, or room that does for some of them only would always be for the same.
    pub(crate) fn tick(&self) {
        let first = self.turn.add_to(1) as usize;
        let senders = self
            .beginning_with(first)
            .filter(|session| session.tick())
            .count();
        self.link.senders.set(senders as u64);
    }

    /// Returns whether one of the sessions has jobs or transactions under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.all().any(|session| session.is_busy())
    }
}
