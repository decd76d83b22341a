// SPDX-License-Identifier: GPL-2.0

//! Sessions: one serving process on the card each, with four ports [rpc 1] and [rpc 2].
//!
//! A session is a state machine that never waits.  Whatever happens (a job is submitted, a message
//! comes, time passes) takes the engine's lock, changes its state, sends what can be sent, and goes;
//! so it runs in the thread that brought the news, be it the caller's or the interrupt's.

mod answers;
pub(crate) mod base;
mod bulk;
mod busy;
pub(crate) mod claim;
mod claims;
mod credits;
mod engine;
mod grants;
mod inbound;
pub(crate) mod job;
mod names;
pub(crate) mod open;
mod staging;
pub(crate) mod table;
mod transaction;

use core::ops::Deref;

use kernel::sync::{
    CondVar,
    Mutex, //
};

use crate::{
    counters::Counter,
    glue::{
        prelude::*,
        time::{
            Delta,
            Instant, //
        },
        trace, //
    },
    link::ports::{
        Description,
        Receiver, //
    }, //
};
use base::{
    role,
    Base, //
};
use engine::{
    Engine,
    Phase,
    Refusal, //
};
use grants::Missing;
use staging::Staging;

// TIMEOUT: a session that is being closed may take so long to end its transaction.
const DRAIN: Delta = Delta::from_secs(5);

/// A session.
#[pin_data]
pub(crate) struct Session {
    base: Base,
    /// What the handshake counts from.
    number: u32,
    /// Sequence number of the last internal call.
    sequence: Counter,
    /// Taken with `Rx` locked, and locks `Tx`.
    #[pin]
    engine: Mutex<Engine>,
    /// Held by who hands over jobs that have ended; outside of the engine's.
    #[pin]
    posting: Mutex<()>,
    #[pin]
    changed: CondVar,
    /// Where the client's long frames go.
    #[pin]
    pub(crate) staging: Staging,
    /// Held by the one internal call at a time.
    #[pin]
    calling: Mutex<()>,
}

/// What does not change of a session is seen through it.
impl Deref for Session {
    type Target = Base;

    fn deref(&self) -> &Base {
        &self.base
    }
}

impl Session {
    /// Lets `f` change the engine, sends what there is to send, and tells who waits.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut Engine, &Base) -> R) -> R {
        let mut engine = self.engine.lock();
        let result = f(&mut engine, &self.base);
        engine.pump(&self.base);
        engine.meter(&self.base);
        engine.follow_chain(&self.base);
        let retire = engine.wants_retirement();
        self.link.ring();
        engine.send_last_word(&self.base);
        let ended = engine.has_ended();
        drop(engine);
        if ended {
            self.post_ended();
        }
        self.changed.notify_all();
        if retire {
            self.link.life.orders.kick();
        }
        result
    }

    /// Hands over jobs that have ended, the oldest first whoever else comes by.
    fn post_ended(&self) {
        let _posting = self.posting.lock();
        loop {
            let ended = self.engine.lock().take_ended();
            let Some(job) = ended else {
                return;
            };
            self.count(&job);
            job::Job::end(job);
        }
    }

    fn count(&self, job: &job::Job) {
        self.jobs.add(1);
        self.link.counters.jobs.add(1);
        let status = job.status();
        trace::job_done(&self.link.pdev, self.owner(), job.number, status);
        if status != 0 {
            self.link.counters.jobs_failed.add(1);
        }
    }

    /// Looks after deadlines and sends what can be sent: time has passed, or the ring has room again.  Returns
    /// whether a client has sent calls since.
    pub(crate) fn tick(&self) -> bool {
        let (has_sent, spent) = self.with(|engine, session| {
            engine.on_time(session);
            let spent = engine.spent.take();
            (engine.has_sent() && session.seat.is_some(), spent)
        });
        drop(spent);
        has_sent
    }

    /// Queues a job.
    ///
    /// # Errors
    ///
    /// The error that ended the session; `EAGAIN` if too much is queued; `EEXIST` for a call whose answer
    /// could not be told apart; `EACCES`, `EBUSY` and `ENOSPC` for what it names; `ENOMEM`.
    pub(crate) fn submit(&self, mut job: KBox<job::Job>) -> Result {
        let mut spare = None;
        loop {
            match self.with(|engine, session| engine.submit(session, job, &mut spare)) {
                Ok(()) => break,
                Err(Refusal::Error(e)) => return Err(e),
                // There is an end to it: what has got room keeps it.
                Err(Refusal::Short(back, step, missing)) => {
                    job = back;
                    match missing {
                        Missing::Table(room) => spare = Some(grants::slots(room)?),
                        Missing::Taken(room) => job.make_room(step, room)?,
                    }
                }
            }
        }
        self.link.life.orders.watch_closely();
        Ok(())
    }

    /// Ends the session for its owner.  Unfinished jobs end with `ECANCELED`; a transaction that is under
    /// way is brought to its end first, so that the card is left in order.
    pub(crate) fn close(&self) {
        self.with(|engine, session| engine.close(session, Instant::now() + DRAIN));
    }

    /// Ends the session because of `error`.
    pub(crate) fn fail(&self, error: Error) {
        self.with(|engine, session| engine.fail(session, error));
    }

    /// Returns whether jobs or transactions are under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.engine.lock().is_busy()
    }

    /// Takes the step from "over" to "its ports may be used again", once; the card is told unless
    /// it has been reset since.  If the ring has no room for that the ports stay taken: another session
    /// must not get them while the card serves this one.
    fn retire(&self) -> bool {
        if !self.engine.lock().retire() {
            return false;
        }
        let pid = self.process.number() as u32;
        let farewell = self.link.destroy_packet(pid, &self.ports);
        let told =
            self.link.life.check_serving(self.generation).is_err() || self.link.farewell(&farewell);
        if !told {
            self.engine.lock().farewell_is_due();
        }
        told
    }

    /// Returns the bytes of card memory that the session was given.
    pub(crate) fn card_memory(&self) -> u64 {
        self.grants.memory(self.owner())
    }

    /// Returns whether the session still serves.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.engine.lock().phase(), Phase::Open)
    }
}

impl Receiver for Session {
    fn receive(&self, port: u32, message: &[u8]) {
        let role = self.ports.iter().position(|&own| own == port);
        self.with(|engine, session| match role {
            // Between the end of a session and its retirement the card may still ask for room for an
            // answer.  It must not be told of memory that goes with the session.
            _ if engine.is_over() => session.link.counters.late_replies.add(1),
            Some(role::HOST_BULK) => engine.on_host_bulk(session, message),
            Some(role::CARD_BULK) => engine.on_card_bulk(session, message),
            Some(role::ANSWERS) => engine.on_answer(session, message),
            _ => session.link.counters.dropped_no_port.add(1),
        });
    }

    fn takes_long(&self) -> bool {
        false
    }

    fn describe(&self, port: u32) -> Description {
        let kind = match self.ports.iter().position(|&own| own == port) {
            Some(role::HOST_BULK) => "native-host-bulk",
            Some(role::CARD_BULK) => "native-card-bulk",
            Some(role::CALLS) => "native-calls",
            _ => "native-answers",
        };
        Description {
            kind,
            pid: self.process.number(),
            files: None,
            comm: self.comm,
        }
    }
}
