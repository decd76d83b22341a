// SPDX-License-Identifier: GPL-2.0

//! The sessions of one card.

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
    buffer::pool::Pool,
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
        }))
    }

    /// Opens a session for the calling process: ports, serving process, handshake, context.
    /// `held` counts the bytes of the caller's buffers; `None`: it is the driver's own session.
    ///
    /// # Errors
    ///
    /// Why the card does not serve; `ENOSPC` if no ports are free; `ENOMEM`; `ETIMEDOUT`; `ERESTARTSYS` for
    /// a signal; `EPROTO` for an answer that makes no sense; `EREMOTEIO` if the card refuses.
    pub(crate) fn open(
        &self,
        held: Option<Arc<Counter>>,
        log_level: u32,
        deadline: Instant,
    ) -> Result<Arc<Session>> {
        let session = Session::new(&self.link, &self.pool, &self.grants, held)?;
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

    /// Returns all sessions.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn all(&self) -> Result<KVec<Arc<Session>>> {
        let list = self.list.lock();
        let mut all = KVec::with_capacity(list.len(), GFP_KERNEL)?;
        all.extend_from_slice(&list, GFP_KERNEL)?;
        Ok(all)
    }

    /// Returns the sessions of clients.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn of_clients(&self) -> Result<KVec<Arc<Session>>> {
        let mut list = self.all()?;
        list.retain(|session| session.held.is_some());
        Ok(list)
    }

    /// Ends all sessions because of `error`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn fail(&self, error: Error) -> Result {
        for session in self.all()?.iter() {
            session.fail(error);
            self.retire_one(session);
        }
        Ok(())
    }

    /// Gives the ports of sessions that are over back.
    pub(crate) fn retire(&self) {
        if let Ok(all) = self.all() {
            for session in all.iter() {
                self.retire_one(session);
            }
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

    /// Looks after all sessions: time has passed, or the ring has room again.
    pub(crate) fn tick(&self) {
        if let Ok(all) = self.all() {
            for session in all.iter() {
                session.tick();
            }
        }
    }

    /// Returns whether one of the sessions has jobs or transactions under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.all()
            .is_ok_and(|all| all.iter().any(|session| session.is_busy()))
    }
}
