// SPDX-License-Identifier: MIT OR Apache-2.0

//! Jobs that are under way, and their end.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use ax650_uapi::{ax650_step_result, ax650_wait};
use nix::errno::Errno;

use crate::arena::Slot;
use crate::buffer::{Buffer, Hold};
use crate::cleanup::{Keep, Kept};
use crate::clock::deadline_ns;
use crate::error::{Error, Request, Result};
use crate::frame::{self, Header};
use crate::proto::axclrpc::ResponseBody;
use crate::session::Session;
use crate::transport::Place;

/// A step whose end has not been seen.
pub(crate) struct Waiting {
    pub(crate) what: String,
    /// A call's stream.
    pub(crate) place: Option<Place>,
    pub(crate) reply: Option<(Header, Slot)>,
    /// Where a copy from the card goes.
    pub(crate) target: Option<Buffer>,
}

/// A submitted job with all that the card may touch, and all that must stay on the card until its end.
pub(crate) struct Outstanding {
    pub(crate) job: u64,
    pub(crate) holds: Vec<Hold>,
    pub(crate) steps: Vec<Waiting>,
    pub(crate) keeps: Vec<Keep>,
    pub(crate) gives_back: bool,
}

/// How a job ended: as a whole, and each step.
type End = (ax650_wait, Vec<ax650_step_result>);

/// Returns whether the card is through with a step: one that was sent and did not end well may still go on
/// there.
fn is_sure(result: &ax650_step_result) -> bool {
    result.sent_ns == 0 || result.status == 0 || result.status == -libc::EMSGSIZE
}

impl Outstanding {
    /// Returns whether the job was made to give things back.
    pub(crate) fn gives_back(&self) -> bool {
        self.gives_back
    }

    /// Gives buffers, places and all that the ended job used back, as far as the card is through with them.
    pub(crate) fn finish(
        mut self,
        session: &Session,
        wait: ax650_wait,
        results: &[ax650_step_result],
    ) -> Result<Done> {
        for (step, result) in self.steps.iter().zip(results) {
            if let (Some(place), Some(_), 0) = (step.place, &step.reply, result.status) {
                session.cleanup().answered(self.job, place);
            }
        }
        if wait.status != 0 {
            let failed = results.iter().position(|result| result.status != 0);
            let errno = failed.map_or(wait.status, |at| results[at].status);
            let what = match failed.and_then(|at| self.steps.get(at)) {
                Some(step) => step.what.clone(),
                None => "a job".to_owned(),
            };
            if results.len() != self.steps.len() {
                self.lose(session, None);
            } else if !results.iter().all(is_sure) {
                self.lose(session, Some(results));
            }
            return Err(session.job_error(what, Errno::from_raw(-errno)));
        }
        session.health().well();
        let mut steps = Vec::with_capacity(self.steps.len());
        for (step, result) in self.steps.drain(..).zip(results) {
            let answer = match step.reply {
                None => None,
                Some((sent, slot)) => Some(frame::answer(
                    &step.what,
                    &sent,
                    &slot.contents(result.bytes),
                )?),
            };
            let (sent_ns, done_ns) = (result.sent_ns, result.done_ns);
            steps.push(DoneStep {
                what: step.what,
                sent_ns,
                done_ns,
                answer,
            });
        }
        let (queued_ns, done_ns, woken_ns) = (wait.queued_ns, wait.done_ns, wait.woken_ns);
        Ok(Done {
            steps,
            queued_ns,
            done_ns,
            woken_ns,
        })
    }

    /// Ends a job that did not end well, or whose end was not seen: as `end` says.
    pub(crate) fn fail<T>(
        self,
        session: &Session,
        end: Result<ax650_wait, Errno>,
        results: &[ax650_step_result],
    ) -> Result<T> {
        match end {
            Ok(wait) => {
                let count = results.len().min(wait.result_count as usize);
                let what = "a job that has failed went well";
                self.finish(session, wait, &results[..count])
                    .and_then(|_| Err(Error::invalid(what)))
            }
            Err(Errno::EAGAIN | Errno::ETIME) => {
                session.leave(self);
                Err(session.driver_error("wait for a job", Request::Wait, Errno::ETIME))
            }
            Err(errno) => {
                let error = session.driver_error("wait for a job", Request::Wait, errno);
                if !session.is_over() {
                    self.lose(session, None);
                }
                Err(error)
            }
        }
    }

    /// Gives the job up when nobody knows when the card is through with it.  `results`: how its steps ended,
    /// if that is known.
    pub(crate) fn lose(self, session: &Session, results: Option<&[ax650_step_result]>) {
        let doubtful = |at: usize| results.is_none_or(|results| !is_sure(&results[at]));
        let mut places = results.map(|_| Vec::new());
        let (mut slots, mut targets) = (Vec::new(), Vec::new());
        for (at, step) in self.steps.into_iter().enumerate() {
            if doubtful(at) {
                match (&mut places, step.place) {
                    (Some(places), Some(place)) => places.push(place),
                    // A copy.
                    _ => places = None,
                }
                slots.extend(step.reply.map(|(_, slot)| slot));
                targets.extend(step.target);
            }
        }
        for hold in self.holds {
            // What was not begun, and what has ended, does not write any more.
            if targets.iter().any(|target| target.is(hold.buffer())) {
                hold.lose();
            }
        }
        session.cleanup().keep(Kept {
            job: self.job,
            places,
            things: self.keeps,
            slots,
        });
    }

    /// Gives the job up at the session's end: as [`Outstanding::lose`], but nothing has to be kept.
    pub(crate) fn abandon(self) {
        self.holds.into_iter().for_each(Hold::lose);
        for (_, slot) in self.steps.into_iter().filter_map(|step| step.reply) {
            slot.lose();
        }
    }

    /// Looks whether the job has ended, until `deadline`.  `None`: it has not.
    pub(crate) fn look(&self, session: &Session, deadline: u64) -> Result<Option<End>, Errno> {
        let mut results = vec![ax650_step_result::default(); self.steps.len()];
        match session.device().wait(self.job, deadline, &mut results) {
            Ok(wait) => {
                results.truncate(wait.result_count as usize);
                Ok(Some((wait, results)))
            }
            Err(Errno::EAGAIN | Errno::ETIME) => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}

/// A job that is under way.
///
/// Dropping it does not end the job, and does not wait for it: its buffers stay busy until it has ended, and what it uses
/// on the card stays there.  A later submit of the session sees the end, or [`Session::reap`].
#[must_use = "its result tells whether it went well"]
pub struct Pending {
    session: Session,
    wait_until: u64,
    outstanding: Option<Outstanding>,
    event: OwnedFd,
}

impl Pending {
    pub(crate) fn new(
        session: Session,
        outstanding: Outstanding,
        wait_until: u64,
        event: OwnedFd,
    ) -> Self {
        Self {
            session,
            wait_until,
            outstanding: Some(outstanding),
            event,
        }
    }

    /// Waits for the end of the job; the job's own timeout bounds this.
    ///
    /// # Errors
    ///
    /// [`Error::Job`]: a step failed; no later step was begun, but for those that had been sent.  [`Error::Answer`]: the answer of a call
    /// cannot be read.  What the card says in its answers is for the caller to look at.
    pub fn wait(mut self) -> Result<Done> {
        let outstanding = self.take()?;
        wait(&self.session, outstanding, self.wait_until)
    }

    /// Looks whether the job has ended.
    ///
    /// # Errors
    ///
    /// As [`Pending::wait`]; [`Error::Invalid`] after the end was reported once.
    pub fn poll(&mut self) -> Result<Option<Done>> {
        self.look(0)
    }

    /// Waits for `timeout` at most; `None`: not ended yet.
    ///
    /// # Errors
    ///
    /// As [`Pending::poll`].
    pub fn wait_for(&mut self, timeout: Duration) -> Result<Option<Done>> {
        self.look(deadline_ns(timeout))
    }

    fn take(&mut self) -> Result<Outstanding> {
        self.outstanding
            .take()
            .ok_or_else(|| Error::invalid("the end of this job was already reported"))
    }

    fn look(&mut self, deadline: u64) -> Result<Option<Done>> {
        let outstanding = self.take()?;
        match look(&self.session, outstanding, deadline)? {
            Looked::Ended(done) => Ok(Some(done)),
            Looked::Not(outstanding) => {
                self.outstanding = Some(outstanding);
                Ok(None)
            }
        }
    }
}

enum Looked {
    Ended(Done),
    Not(Outstanding),
}

fn look(session: &Session, outstanding: Outstanding, deadline: u64) -> Result<Looked> {
    match outstanding.look(session, deadline) {
        Ok(Some((wait, results))) => outstanding
            .finish(session, wait, &results)
            .map(Looked::Ended),
        Ok(None) => Ok(Looked::Not(outstanding)),
        Err(errno) => outstanding.fail(session, Err(errno), &[]),
    }
}

/// Waits for the end of a job.
pub(crate) fn wait(session: &Session, outstanding: Outstanding, until: u64) -> Result<Done> {
    match look(session, outstanding, until)? {
        Looked::Ended(done) => Ok(done),
        Looked::Not(outstanding) => outstanding.fail(session, Err(Errno::ETIME), &[]),
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let job = self.outstanding.as_ref().map(|outstanding| outstanding.job);
        f.debug_struct("Pending")
            .field("job", &job)
            .finish_non_exhaustive()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(outstanding) = self.outstanding.take() {
            if !self.session.is_over() {
                self.session.leave(outstanding);
            }
        }
    }
}

impl AsFd for Pending {
    /// Returns an eventfd of this job alone, to poll: readable from the end of the job on.  Do not read it.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// A job that has ended well.  Times are nanoseconds of CLOCK_MONOTONIC.
#[derive(Debug)]
#[non_exhaustive]
pub struct Done {
    /// The job's steps, in order.
    pub steps: Vec<DoneStep>,
    /// Time when the job was submitted.
    pub queued_ns: u64,
    /// Time when the job ended.
    pub done_ns: u64,
    /// Time when the waiting thread went on.
    pub woken_ns: u64,
}

/// A step that has ended well.
#[derive(Debug)]
#[non_exhaustive]
pub struct DoneStep {
    what: String,
    /// Time when the step's first message was published.
    pub sent_ns: u64,
    /// Time when the step's last message had come.
    pub done_ns: u64,
    answer: Option<ResponseBody>,
}

impl Done {
    /// Takes the answer of the call that is step number `step`, from 0.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: there is no such step, or it has no answer, or it was taken already.
    pub fn answer(&mut self, step: usize) -> Result<ResponseBody> {
        let step = self
            .steps
            .get_mut(step)
            .ok_or_else(|| Error::invalid(format!("the job has no step {step}")))?;
        step.answer
            .take()
            .ok_or_else(|| Error::invalid(format!("{}: there is no answer to take", step.what)))
    }
}
