// SPDX-License-Identifier: GPL-2.0

//! The state machine of a session: jobs, their steps, and what is in flight.

use kernel::sync::Arc;

use super::{
    base::{
        role,
        Base,
        MAX_GIVEN_UP,
        MAX_QUEUED_STEPS,
        OWN_SEQUENCES,
        STALL,
        WINDOW, //
    },
    claim::{
        Claim,
        Lasting, //
    },
    grants::{
        Missing,
        Slots, //
    },
    inbound::Inbound,
    job::{
        Call,
        Frame,
        Job,
        Progress,
        Work, //
    },
    names::Names,
    transaction::Bulk, //
};
use crate::{
    buffer::Buffer,
    glue::{
        prelude::*,
        time::{
            self,
            Instant,
            Moment, //
        },
        trace, //
    },
    link::tx::SendError,
    wire::{
        frame,
        grants::table::Order,
        transfer::Transfer, //
    }, //
};

/// Where a session is in its life.
#[derive(Clone, Copy)]
pub(super) enum Phase {
    /// Waits for the acknowledgement of this number.
    Handshake(u32),
    /// The acknowledgement has come.
    Acknowledged,
    /// Serves.
    Open,
    /// The owner is done; a transaction may take until this time to end.
    Closing(Instant),
    /// Over.
    Closed(Error),
}

/// Who waits for an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// A step of a job.
    Step { job: u64, step: usize },
    /// A call of the driver's own.
    Internal,
    /// Nobody: the call asks for no answer.
    NoReply,
    /// Nobody any more: the time of this step of this job is over.
    Nobody { job: u64, step: usize },
    /// The driver, behind calls without an answer.
    Sync,
}

/// A call whose answer has not come.
pub(super) struct Pending {
    pub(super) header: frame::Header,
    pub(super) caller: Caller,
}

/// Messages of transactions that wait for room in the ring.  By the protocol the card cannot have a session owe
/// it more than a few.
const MAX_UNSENT: usize = 32;

/// Calls of a session whose answers may still come, with those of the driver itself.
const MAX_CALLS: usize = MAX_GIVEN_UP + 2;

/// A message that did not fit the ring.
struct Unsent {
    role: usize,
    message: KVec<u8>,
}

/// Why a job is not queued.
pub(super) enum Refusal {
    /// It may not be.
    Error(Error),
    /// This step finds room missing, which is made without the session's lock: its holder may be who delivers to all.
    Short(KBox<Job>, usize, Missing),
}

impl<E: Into<Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// The state of a session.
pub(crate) struct Engine {
    pub(super) phase: Phase,
    pub(super) jobs: KVec<KBox<Job>>,
    pub(super) pending: KVec<Pending>,
    /// The transaction on port P0.
    pub(super) bulk: Option<Bulk>,
    /// The transaction on port P1.
    pub(super) inbound: Inbound,
    /// Where the card puts long answers; made when first needed.
    pub(super) inbox: Option<Arc<Buffer>>,
    /// The answer of the internal call.
    pub(super) answer: Option<KVec<u8>>,
    /// The most the card moves in one chunk, as far as we know.
    pub(super) card_window: u32,
    /// The most that the card has said it takes at a time.
    pub(super) card_room: u32,
    /// Whether the card had more to take then.
    pub(super) is_room_limit: bool,
    /// The end of a transaction that the card is still to be told of: port and bytes taken.
    last_word: Option<(usize, u32)>,
    /// The buffer of a transaction that has outlived its job, for the next [`Session::tick`](super::Session::tick) to
    /// drop.
    pub(super) spent: Option<Arc<Buffer>>,
    /// What is used for longer than its step lasts.
    pub(super) lasting: Lasting,
    ended: KVec<KBox<Job>>,
    unsent: KVec<Unsent>,
    /// Steps of `jobs`, and the names of the calls among them.
    queued_steps: usize,
    names: Names,
    /// Calls made behind calls without an answer.
    pub(super) syncs: u64,
    /// Calls were sent since [`Self::has_sent`] was asked.
    pub(super) sent: bool,
    /// Calls that were sent since [`Self::follow_chain`] looked.
    pub(super) burst: usize,
    /// A short copy to the card was begun since then whose list went ahead.
    pub(super) short_copy: bool,
    /// Calls that run a model are under way, as the meters know.
    pub(super) runs_models: bool,
    /// Messages that a chain waits for, as counted in the link; `None`: no chain is under way.
    pub(super) chain: Option<usize>,
    /// Contexts and streams that were ended.
    pub(super) ends: u64,
    retired: bool,
    /// The card is still to be told of its end.
    farewell_due: bool,
}

impl Engine {
    /// Makes a session that waits for the acknowledgement of `number`.
    pub(super) fn new(number: u32) -> Self {
        Self {
            phase: Phase::Handshake(number),
            jobs: KVec::new(),
            pending: KVec::new(),
            bulk: None,
            inbound: Inbound::Idle,
            inbox: None,
            answer: None,
            card_window: WINDOW,
            card_room: 0,
            is_room_limit: false,
            last_word: None,
            spent: None,
            lasting: Lasting::default(),
            ended: KVec::new(),
            unsent: KVec::new(),
            queued_steps: 0,
            names: Names::new(),
            syncs: 0,
            sent: false,
            burst: 0,
            short_copy: false,
            runs_models: false,
            chain: None,
            ends: 0,
            retired: false,
            farewell_due: false,
        }
    }

    /// Returns where the session is in its life.
    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns whether the session has ended; its ports may still be known to the card.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Closed(_))
    }

    /// Fails with the error that ended the session.
    ///
    /// # Errors
    ///
    /// The error that ended the session; `ECANCELED` while it is being closed.
    pub(super) fn check_open(&self) -> Result {
        match self.phase {
            Phase::Closed(e) => Err(e),
            Phase::Closing(_) => Err(ECANCELED),
            _ => Ok(()),
        }
    }

    /// Returns whether jobs have ended that nobody has taken.
    pub(super) fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// Takes the first of the jobs that have ended.
    pub(super) fn take_ended(&mut self) -> Option<KBox<Job>> {
        if self.ended.is_empty() {
            return None;
        }
        self.ended.remove(0).ok()
    }

    /// Returns whether anything is under way.
    pub(super) fn is_busy(&self) -> bool {
        !self.jobs.is_empty() || self.has_transaction() || !self.unsent.is_empty()
    }

    fn has_transaction(&self) -> bool {
        self.bulk.is_some() || self.inbound.is_active()
    }

    /// Returns whether the end of its ports has something to do.
    pub(super) fn wants_retirement(&self) -> bool {
        self.is_over() && !self.retired
    }

    /// Returns true once, when the session is over, and once more each time that the card could not be
    /// told.
    pub(super) fn retire(&mut self) -> bool {
        let first = self.wants_retirement();
        self.retired |= first;
        first || core::mem::take(&mut self.farewell_due)
    }

    /// Notes that the card could not be told.
    pub(super) fn farewell_is_due(&mut self) {
        self.farewell_due = true;
    }

    /// Queues a job. `spare`: see [`Grants::admit`](super::grants::Grants::admit).
    ///
    /// # Errors
    ///
    /// Those of [`Self::check_open`]; `EAGAIN` if too many steps are queued; `EEXIST` for a call whose answer
    /// could not be told apart; those of [`Self::admit`].
    pub(super) fn submit(
        &mut self,
        session: &Base,
        mut job: KBox<Job>,
        spare: &mut Option<Slots>,
    ) -> Result<(), Refusal> {
        self.check_open()?;
        if self.queued_steps + job.steps.len() > MAX_QUEUED_STEPS {
            return Err(EAGAIN.into());
        }
        // Room for everything that must not fail later.
        self.jobs.reserve(1, GFP_KERNEL)?;
        self.ended.reserve(self.jobs.len() + 1, GFP_KERNEL)?;
        let calls = MAX_CALLS.saturating_sub(self.pending.len());
        self.pending.reserve(calls, GFP_KERNEL)?;
        self.names.reserve(job.steps.len())?;
        let named = self
            .name(&job)
            .and_then(|()| self.admit(session, &mut job, spare));
        match named {
            Ok(None) => {}
            refused => {
                self.names.forget(job.number);
                return Err(match refused? {
                    Some((step, missing)) => Refusal::Short(job, step, missing),
                    None => EINVAL.into(),
                });
            }
        }
        trace::job_queued(
            &session.link.pdev,
            session.owner(),
            job.number,
            job.steps.len(),
        );
        self.queued_steps += job.steps.len();
        self.jobs.push(job, GFP_KERNEL)?;
        Ok(())
    }

    /// Gives the calls of a new job their names.
    ///
    /// # Errors
    ///
    /// `EEXIST` for a call whose answer could not be told apart.
    fn name(&mut self, job: &Job) -> Result {
        for step in job.steps.iter() {
            let Work::Call(call) = &step.work else {
                continue;
            };
            let is_own = self.names.owner(&call.header) == Some(job.number);
            if is_own || self.clashes(call) {
                return Err(EEXIST);
            }
            self.names.give(&call.header, job.number);
        }
        Ok(())
    }

    /// Returns whether a call of the same name is queued or in flight, or was given up: its answer could not be
    /// told apart.
    fn clashes(&self, call: &Call) -> bool {
        let awaited = |p: &Pending| call.header.answers(&p.header);
        if call.header.sequence >= OWN_SEQUENCES || self.pending.iter().any(awaited) {
            return true;
        }
        if self.lasting.clashes(&call.header) {
            return true;
        }
        let Some(number) = self.names.owner(&call.header) else {
            return false;
        };
        let same = |other: &Work| matches!(other, Work::Call(c) if call.header.answers(&c.header));
        let mut steps = self
            .jobs
            .iter()
            .filter(|job| job.number == number)
            .flat_map(|job| job.steps.iter());
        // The job may be through with the call, and go on.
        steps.any(|step| step.progress != Progress::Done && same(&step.work))
    }

    pub(super) fn job(&mut self, number: u64) -> Option<&mut KBox<Job>> {
        self.jobs.iter_mut().find(|job| job.number == number)
    }

    /// Ends a step of a job.
    pub(super) fn end_step(&mut self, number: u64, step: usize, result: Result) {
        if let Some(job) = self.job(number) {
            job.end_step(step, result);
        }
    }

    /// Sends whatever can be sent now.
    pub(super) fn pump(&mut self, session: &Base) {
        self.flush(session);
        let mut again = true;
        while again && self.unsent.is_empty() && !matches!(self.phase, Phase::Closed(_)) {
            again = false;
            for at in 0..self.jobs.len() {
                again |= self.advance(session, at);
            }
            again |= self.bulk.is_none() && self.begin_bulk(session);
        }
        if !matches!(self.phase, Phase::Closed(_)) {
            self.ask_for_answer(session);
        }
        if !self.pending.is_empty() {
            // The card may have to be through with this before it answers.
            self.send_last_word(session);
        }
        self.collect(session);
        if matches!(self.phase, Phase::Closing(_)) && !self.has_transaction() {
            self.phase = Phase::Closed(ECANCELED);
        }
    }

    /// Begins steps of the job at `at` as far as their order allows.
    fn advance(&mut self, session: &Base, at: usize) -> bool {
        let mut begun = false;
        while self.unsent.is_empty() {
            let Some(job) = self.jobs.get_mut(at) else {
                break;
            };
            // Steps are sent in order, and what goes by DMA is not sent before its turn has come.
            if job.stopped.is_some() || job.on_p0 > 0 {
                break;
            }
            let (number, index, open) = (job.number, job.next, job.open);
            let Some(step) = job.steps.get_mut(index) else {
                break;
            };
            // Without an order among the job's calls the step waits for them.
            let ends = self.ends;
            let claim = step.claim.as_ref();
            let waits = claim.is_some_and(|claim| claim.has_lost(Order::Own, ends));
            if open > 0 && (waits || !step.pipelined) {
                break;
            }
            match &step.work {
                Work::Call(call) if matches!(call.frame, Frame::Short(_)) => {
                    if !self.send_call(session, number, index) {
                        break;
                    }
                }
                _ => {
                    step.progress = Progress::Queued;
                    job.open += 1;
                    job.on_p0 += 1;
                    job.next += 1;
                }
            }
            begun = true;
        }
        begun
    }

    /// Sends a short call; false if the ring has no room now, or the session no credit.
    fn send_call(&mut self, session: &Base, number: u64, index: usize) -> bool {
        let Some(job) = self.jobs.iter_mut().find(|job| job.number == number) else {
            return false;
        };
        let Some(step) = job.steps.get_mut(index) else {
            return false;
        };
        let Work::Call(call) = &step.work else {
            return false;
        };
        let Frame::Short(bytes) = &call.frame else {
            return false;
        };
        if !Self::has_credit(&self.pending, session, call.no_reply) {
            return false;
        }
        let is_late = |claim: &KBox<Claim>| claim.has_lost(Order::Others, self.ends);
        if step.claim.as_ref().is_some_and(is_late) {
            step.progress = Progress::Active;
            job.next += 1;
            job.open += 1;
            job.end_step(index, Err(EBUSY));
            return true;
        }
        let sent = session.publish(role::CALLS, bytes);
        if sent == Err(SendError::Full) {
            return false;
        }
        let (header, no_reply) = (call.header, call.no_reply);
        let owner = session.owner();
        self.ends += session.grants.sent(owner, &header, step.claim.as_mut());
        step.progress = Progress::Active;
        step.result.sent_ns = time::now();
        trace::step_sent(&session.link.pdev, session.step(number, index), header.kind);
        job.next += 1;
        job.open += 1;
        match sent {
            Err(SendError::Failed(e)) => job.end_step(index, Err(e)),
            _ if no_reply => {
                job.end_step(index, Ok(()));
                self.expect(header, Caller::NoReply);
            }
            _ => self.expect(
                header,
                Caller::Step {
                    job: number,
                    step: index,
                },
            ),
        }
        true
    }

    /// Notes that an answer to `header` will come.
    pub(super) fn expect(&mut self, header: frame::Header, caller: Caller) {
        let pending = Pending { header, caller };
        self.sent = true;
        self.burst += 1;
        // `submit` and `call` have made room for as many as may be under way.
        if self.pending.push_within_capacity(pending).is_err() {
            if let Caller::Step { job, step } = caller {
                self.end_step(job, step, Err(ENOMEM));
            }
        }
    }

    /// Leaves the last word of a transaction for later: it goes ahead of the next message of a transaction, and
    /// is not worth a doorbell of its own now.
    pub(super) fn send_last(&mut self, session: &Base, role: usize, bytes: u32) {
        self.send_last_word(session);
        self.last_word = Some((role, bytes));
    }

    /// Sends what [`Self::send_last`] has left.  The card learns of it with whatever rings next, or by the tick
    /// of its thread.
    pub(super) fn send_last_word(&mut self, session: &Base) {
        if let Some((role, bytes)) = self.last_word.take() {
            self.send_transfer(session, role, &Transfer::ReadDone { bytes });
        }
    }

    /// Sends a message of a transaction, now or when there is room.
    pub(super) fn send(&mut self, session: &Base, role: usize, message: &[u8]) {
        self.send_last_word(session);
        if self.unsent.is_empty() {
            match session.publish(role, message) {
                Ok(()) => return,
                Err(SendError::Full) => {}
                Err(SendError::Failed(e)) => return self.fail(session, e),
            }
        }
        if self.unsent.len() == MAX_UNSENT {
            return self.fail(session, EPROTO);
        }
        let mut copy = KVec::new();
        let kept = copy.extend_from_slice(message, GFP_KERNEL).and_then(|()| {
            self.unsent.push(
                Unsent {
                    role,
                    message: copy,
                },
                GFP_KERNEL,
            )
        });
        if kept.is_err() {
            self.fail(session, ENOMEM);
        }
    }

    /// Sends what did not fit.
    fn flush(&mut self, session: &Base) {
        while let Some(first) = self.unsent.first() {
            match session.publish(first.role, &first.message) {
                Ok(()) => {
                    let _ = self.unsent.remove(0);
                }
                Err(SendError::Full) => return,
                Err(SendError::Failed(e)) => return self.fail(session, e),
            }
        }
    }

    /// Moves jobs that have ended out of the way.
    fn collect(&mut self, session: &Base) {
        let mut at = 0;
        while let Some(job) = self.jobs.get(at) {
            if !job.has_ended() {
                at += 1;
                continue;
            }
            if let Ok(mut job) = self.jobs.remove(at) {
                self.queued_steps = self.queued_steps.saturating_sub(job.steps.len());
                self.names.forget(job.number);
                self.end_claims(session, &mut job);
                // `submit` has made room, which stays when ended jobs are taken.
                let _ = self.ended.push_within_capacity(job);
            }
        }
    }

    /// Looks after deadlines: time has passed.
    pub(super) fn on_time(&mut self, session: &Base) {
        for at in 0..self.jobs.len() {
            let expired = |job: &KBox<Job>| job.deadline.left().is_zero();
            if self.jobs.get(at).is_some_and(expired) {
                self.cancel(at, ETIME);
            }
        }
        let touched = [
            self.bulk.as_ref().map(|bulk| bulk.touched),
            self.inbound.touched(),
        ];
        let stalled = |at: &Instant| at.elapsed() > STALL;
        if touched.iter().flatten().any(stalled) {
            let was_ahead = |bulk: &Bulk| bulk.went_ahead && stalled(&bulk.touched);
            if self.bulk.as_ref().is_some_and(was_ahead) && session.link.lists_lost.add_to(1) == 1 {
                dev_warn!(
                    session.link.pdev,
                    "a list ahead of the card's word was not taken: none goes ahead any more\n"
                );
            }
            session.link.counters.session_resets.add(1);
            dev_warn_ratelimited!(
                session.link,
                "session on port {}: a transfer stands still, closing the session\n",
                session.ports[0]
            );
            self.fail(session, ETIMEDOUT);
        }
        if let Phase::Closing(until) = self.phase {
            if until.left().is_zero() {
                self.fail(session, ECANCELED);
            }
        }
    }

    /// Stops the job at `at`: it ends now and nothing more of it begins.  A transaction goes on to its end
    /// without it, with a reference to the buffer of its own.
    fn cancel(&mut self, at: usize, error: Error) {
        let Some(job) = self.jobs.get_mut(at) else {
            return;
        };
        let number = job.number;
        job.stopped.get_or_insert(error);
        let mut first = error;
        for index in 0..job.steps.len() {
            let progress = job.steps.get(index).map(|step| step.progress);
            match progress {
                Some(Progress::Queued | Progress::Active) => {
                    job.end_step(index, Err(first));
                    first = ECANCELED;
                }
                Some(Progress::Waiting) if first == error && job.open == 0 => {
                    job.end_step(index, Err(first));
                    first = ECANCELED;
                }
                _ => {}
            }
        }
        job.on_p0 = 0;
        self.give_up_calls(number);
    }

    /// Ends the session for its owner; a transaction may go on until `until`.
    pub(super) fn close(&mut self, session: &Base, until: Instant) {
        if matches!(self.phase, Phase::Closing(_) | Phase::Closed(_)) {
            return;
        }
        for at in 0..self.jobs.len() {
            self.cancel(at, ECANCELED);
        }
        if matches!(self.phase, Phase::Open) && self.has_transaction() {
            self.phase = Phase::Closing(until);
        } else {
            self.fail(session, ECANCELED);
        }
    }

    /// Ends everything.  Memory that the card may still write to goes into quarantine.
    pub(super) fn fail(&mut self, session: &Base, error: Error) {
        if matches!(self.phase, Phase::Closed(_)) {
            return;
        }
        self.phase = Phase::Closed(error);
        if let Some(bulk) = self.bulk.take() {
            self.put_away(session, bulk);
        }
        if self.inbound.is_active() {
            if let Some(inbox) = self.inbox.take() {
                session.quarantine(inbox);
            }
        }
        self.inbound = Inbound::Idle;
        self.last_word = None;
        self.pending.clear();
        self.unsent.clear();
        for job in self.jobs.iter_mut() {
            job.stopped.get_or_insert(error);
            for index in 0..job.steps.len() {
                job.end_step(index, Err(error));
            }
            job.on_p0 = 0;
        }
        self.collect(session);
    }
}
