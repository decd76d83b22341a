// SPDX-License-Identifier: GPL-2.0

//! Sessions: one serving process on the card each, with four ports [rpc 1] and [rpc 2].
//!
//! A session is a state machine that never waits.  Whatever happens (a job is submitted, a message
//! comes, time passes) takes the engine's lock, changes its state, sends what can be sent, and goes;
//! so it runs in the thread that brought the news, be it the caller's or the interrupt's.

pub(crate) mod answers;
pub(crate) mod bulk;
pub(crate) mod engine;
pub(crate) mod inbound;
pub(crate) mod job;
pub(crate) mod open;

use kernel::{
    prelude::*,
    sync::{Arc, CondVar, Mutex},
};

use crate::{
    card::Card,
    counters::Counter,
    glue::{task::Process, time},
    transport::ports::Group,
};
use engine::{Engine, Phase};

/// The card's DMA buffer for a session, hence the most one chunk of a copy moves [rpc 2.3].
pub(crate) const WINDOW: u32 = 0x40_0000;

/// Roles of the four ports, as indices into [`Session::ports`] [rpc 1.1].
pub(crate) mod role {
    /// Transactions begun by the host.
    pub(crate) const HOST_BULK: usize = 0;
    /// Transactions begun by the card.
    pub(crate) const CARD_BULK: usize = 1;
    /// Calls.
    pub(crate) const CALLS: usize = 2;
    /// Answers.
    pub(crate) const ANSWERS: usize = 3;
}

/// A transaction that has not moved for so long never will.
const STALL_NS: u64 = 10 * time::S;

/// A session that is being closed may take so long to end its transaction.
const DRAIN_NS: u64 = 5 * time::S;

/// A session.
#[pin_data]
pub(crate) struct Session {
    pub(crate) card: Arc<Card>,
    pub(crate) generation: u32,
    pub(crate) ports: Group,
    pub(crate) process: Process,
    pub(crate) comm: [u8; 16],
    /// Bytes of its client's buffers.  None: the driver's own session, for telemetry and health.
    pub(crate) held: Option<Arc<Counter>>,
    pub(crate) jobs: Counter,
    pub(crate) bytes_to_card: Counter,
    pub(crate) bytes_from_card: Counter,
    /// Sequence number of the last internal call.
    sequence: Counter,
    #[pin]
    engine: Mutex<Engine>,
    #[pin]
    changed: CondVar,
    /// Held by the one internal call at a time.
    #[pin]
    calling: Mutex<()>,
}

impl Session {
    /// Lets `f` change the engine, sends what there is to send, and tells who waits.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut Engine, &Self) -> R) -> R {
        let mut engine = self.engine.lock();
        let result = f(&mut engine, self);
        engine.pump(self);
        let retire = engine.wants_retirement();
        self.card.tx.lock().ring(&self.card);
        let ended = engine.take_ended();
        drop(engine);
        for job in ended {
            self.count(&job);
            job::Job::end(job);
        }
        self.changed.notify_all();
        if retire {
            self.card.kick();
        }
        result
    }

    fn count(&self, job: &job::Job) {
        self.jobs.add(1);
        self.card.counters.jobs.add(1);
        if job.status() != 0 {
            self.card.counters.jobs_failed.add(1);
        }
    }

    /// A message has come on the port of `role`.
    pub(crate) fn on_message(&self, role: usize, message: &[u8]) {
        self.with(|engine, session| match role {
            // Between the end of a session and its retirement the card may still ask for room for an
            // answer.  It must not be told of memory that goes with the session.
            _ if engine.is_over() => session.card.counters.late_replies.add(1),
            role::HOST_BULK => engine.on_host_bulk(session, message),
            role::CARD_BULK => engine.on_card_bulk(session, message),
            role::ANSWERS => engine.on_answer(session, message),
            _ => session.card.counters.dropped_no_port.add(1),
        });
    }

    /// Time has passed, or the ring has room again.
    pub(crate) fn tick(&self, now: u64) {
        self.with(|engine, session| engine.on_time(session, now));
    }

    /// Queues a job.
    pub(crate) fn submit(&self, job: KBox<job::Job>) -> Result {
        self.with(|engine, _| engine.submit(job))?;
        self.card.watch_closely();
        Ok(())
    }

    /// The owner is done with the session.  Unfinished jobs end with `ECANCELED`; a transaction that
    /// is under way is brought to its end first, so that the card is left in order.
    pub(crate) fn close(&self) {
        self.with(|engine, session| engine.close(session, time::now() + DRAIN_NS));
    }

    /// The session is over, because of `error`.
    pub(crate) fn fail(&self, error: Error) {
        self.with(|engine, session| engine.fail(session, error));
    }

    /// Whether jobs or transactions are under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.engine.lock().is_busy()
    }

    /// Takes the step from "over" to "its ports may be used again", once; the card is told unless
    /// it has been reset since.  If the ring has no room for that the ports stay taken: another session
    /// must not get them while the card serves this one.
    pub(crate) fn retire(&self) {
        if !self.engine.lock().retire() {
            return;
        }
        let (card, pid) = (&self.card, self.process.number());
        if card.check_serving(self.generation).is_ok()
            && !crate::transport::control::destroy(card, pid, &self.ports)
        {
            self.engine.lock().farewell_is_due();
            return;
        }
        let listener = self.card.ports.lock().free(&self.ports);
        // The table's reference; the last one may be this, so not under the table's lock.
        drop(listener);
    }

    /// Whether it still serves.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.engine.lock().phase(), Phase::Open)
    }
}
