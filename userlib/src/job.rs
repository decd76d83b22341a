// SPDX-License-Identifier: MIT OR Apache-2.0

//! Jobs: copies and calls that the driver carries out in order, queued with one request.

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use ax650_uapi::{ax650_step_result, ax650_wait};
use nix::errno::Errno;

use crate::arena::Slot;
use crate::buffer::{Buffer, Hold};
use crate::call::Call;
use crate::clock::deadline_ns;
use crate::error::{Error, Request, Result};
use crate::frame::{self, Header};
use crate::proto::axclrpc::ResponseBody;
use crate::session::{Session, Stream};
use crate::transport::{Action, Direction, Step, Submission};

/// How much longer than the driver the library waits for the end of a job, before it calls the driver stuck.
const GRACE: Duration = Duration::from_secs(10);

/// A job that is being put together.
///
/// [`Job::then`] steps wait for all earlier steps; [`Job::along`] steps are sent right behind the one ahead,
/// which saves a round trip where the order on the card is enough: calls of one stream are carried out in
/// order anyway, and copies among themselves too.
#[must_use = "nothing happens until it is submitted"]
pub struct Job<'a> {
    stream: &'a Stream,
    steps: Vec<Planned>,
    timeout: Option<Duration>,
    eventfd: Option<BorrowedFd<'a>>,
    problem: Option<Error>,
}

struct Planned {
    pipelined: bool,
    part: Part,
}

/// What a step is about.
#[derive(Debug)]
pub enum Part {
    /// A copy between a buffer and card memory.
    Copy {
        /// Which way.
        direction: Direction,
        /// The buffer.
        buffer: Buffer,
        /// Bytes in the buffer.
        range: Range<usize>,
        /// Address in card memory.
        card_address: u64,
    },
    /// A call.
    Call(Call),
}

impl Part {
    /// Copies the bytes at `range` of `buffer` to `card_address`.
    pub fn to_card(buffer: &Buffer, range: Range<usize>, card_address: u64) -> Self {
        let direction = Direction::ToCard;
        Part::Copy {
            direction,
            buffer: buffer.clone(),
            range,
            card_address,
        }
    }

    /// Copies from `card_address` to the bytes at `range` of `buffer`.
    pub fn from_card(buffer: &Buffer, range: Range<usize>, card_address: u64) -> Self {
        let direction = Direction::FromCard;
        Part::Copy {
            direction,
            buffer: buffer.clone(),
            range,
            card_address,
        }
    }

    fn what(&self) -> String {
        match self {
            Part::Copy {
                direction,
                range,
                card_address,
                ..
            } => {
                let (count, way) = match direction {
                    Direction::ToCard => (range.len(), "to"),
                    Direction::FromCard => (range.len(), "from"),
                };
                format!("copy {count} bytes {way} the card at {card_address:#x}")
            }
            Part::Call(call) => call.what().to_owned(),
        }
    }
}

impl From<Call> for Part {
    fn from(call: Call) -> Self {
        Part::Call(call)
    }
}

impl<'a> Job<'a> {
    pub(crate) fn new(stream: &'a Stream) -> Self {
        Self {
            stream,
            steps: Vec::new(),
            timeout: None,
            eventfd: None,
            problem: None,
        }
    }

    /// Adds a step that begins when all earlier steps have ended well.
    pub fn then(self, part: impl Into<Part>) -> Self {
        self.add(false, part.into())
    }

    /// Adds a step that is sent without waiting for the earlier ones.
    pub fn along(self, part: impl Into<Part>) -> Self {
        self.add(true, part.into())
    }

    /// Ends the job with an error after `timeout`, counted from submit; otherwise the driver's default
    /// holds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Signals `eventfd` when the job has ended.
    pub fn eventfd(mut self, eventfd: BorrowedFd<'a>) -> Self {
        self.eventfd = Some(eventfd);
        self
    }

    fn add(mut self, pipelined: bool, part: Part) -> Self {
        if let Part::Copy { buffer, range, .. } = &part {
            if range.start >= range.end || range.end > buffer.len() {
                let len = buffer.len();
                self.problem.get_or_insert_with(|| {
                    Error::invalid(format!(
                        "bytes {range:?} of a buffer of {len} cannot be copied"
                    ))
                });
            }
        }
        self.steps.push(Planned { pipelined, part });
        self
    }

    /// Queues the job.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: no step, or a range outside its buffer.  [`Error::BufferBusy`],
    /// [`Error::BufferLost`].  [`Error::Driver`]: what the driver says to SUBMIT.
    pub fn submit(self) -> Result<Pending> {
        let Job {
            stream,
            steps,
            timeout,
            eventfd,
            problem,
        } = self;
        if let Some(problem) = problem {
            return Err(problem);
        }
        let session = stream.session();
        session.reap();
        let holds = take_holds(&steps)?;
        let mut waiting = Vec::with_capacity(steps.len());
        for planned in &steps {
            let reply = match &planned.part {
                Part::Call(call) if call.is_answered() => {
                    let slot = session.arena().take(call.capacity()).map_err(|errno| {
                        session.driver_error("make room for an answer", Request::Buffer, errno)
                    })?;
                    Some((*call.header(), slot))
                }
                _ => None,
            };
            waiting.push(Waiting {
                what: planned.part.what(),
                reply,
            });
        }
        let raw: Vec<_> = steps
            .iter()
            .zip(&waiting)
            .map(|(planned, waiting)| raw_step(stream, planned, waiting))
            .collect();
        let timeout = timeout.unwrap_or(session.default_timeout());
        let submission = Submission {
            session: session.handle(),
            deadline_ns: deadline_ns(timeout),
            eventfd,
            steps: &raw,
        };
        // SAFETY: the holds keep references to the buffers away, and nobody else uses the slots, until
        // `Outstanding` sees the end of the job.  Both own their memory.
        let job = unsafe { session.device().submit(&submission) }.map_err(|errno| {
            let what = waiting
                .first()
                .map_or("a job without steps", |step| &step.what);
            session.driver_error(what, Request::Submit, errno)
        })?;
        Ok(Pending {
            session: session.clone(),
            wait_until: submission
                .deadline_ns
                .saturating_add(GRACE.as_nanos() as u64),
            outstanding: Some(Outstanding {
                job,
                holds,
                steps: waiting,
            }),
        })
    }

    /// Queues the job and waits for its end.
    pub fn run(self) -> Result<Done> {
        self.submit()?.wait()
    }
}

/// Takes each buffer once, for a writer if any step writes to it.
fn take_holds(steps: &[Planned]) -> Result<Vec<Hold>> {
    let mut uses: Vec<(&Buffer, bool)> = Vec::new();
    for planned in steps {
        if let Part::Copy {
            direction, buffer, ..
        } = &planned.part
        {
            let writes = *direction == Direction::FromCard;
            match uses.iter_mut().find(|(known, _)| known.is(buffer)) {
                Some((_, exclusive)) => *exclusive |= writes,
                None => uses.push((buffer, writes)),
            }
        }
    }
    uses.into_iter()
        .map(|(buffer, writes)| {
            if writes {
                buffer.hold_exclusive()
            } else {
                buffer.hold_shared()
            }
        })
        .collect()
}

fn raw_step<'a>(stream: &Stream, planned: &'a Planned, waiting: &Waiting) -> Step<'a> {
    let action = match &planned.part {
        Part::Copy {
            direction,
            buffer,
            range,
            card_address,
        } => Action::Copy {
            direction: *direction,
            sequence: stream.session().next_sequence(),
            place: stream.place(),
            card_address: *card_address,
            buffer: buffer.handle(),
            offset: range.start as u64,
            size: range.len() as u64,
        },
        Part::Call(call) => Action::Call {
            frame: call.frame(),
            reply: waiting.reply.as_ref().map(|(_, slot)| slot.range()),
        },
    };
    Step {
        pipelined: planned.pipelined,
        action,
    }
}

/// A step whose end has not been seen.
struct Waiting {
    what: String,
    reply: Option<(Header, Slot)>,
}

/// A submitted job with all that the card may touch.
pub(crate) struct Outstanding {
    job: u64,
    holds: Vec<Hold>,
    steps: Vec<Waiting>,
}

impl Outstanding {
    /// The job has ended: gives buffers and places back, as far as the card is through with them.
    fn finish(
        self,
        session: &Session,
        wait: ax650_wait,
        results: &[ax650_step_result],
    ) -> Result<Done> {
        let failed = results.iter().position(|result| result.status != 0);
        if wait.status != 0 {
            // A step that was sent and did not end well may still be going on at the card.
            let sure = results.len() == self.steps.len()
                && results.iter().all(|result| {
                    result.sent_ns == 0 || result.status == 0 || result.status == -libc::EMSGSIZE
                });
            let errno = failed.map_or(wait.status, |at| results[at].status);
            let what = match failed.and_then(|at| self.steps.get(at)) {
                Some(step) => step.what.clone(),
                None => "a job".to_owned(),
            };
            if !sure {
                self.lose();
            }
            return Err(session.job_error(what, Errno::from_raw(-errno)));
        }
        session.health().well();
        let mut steps = Vec::with_capacity(self.steps.len());
        for (step, result) in self.steps.into_iter().zip(results) {
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

    /// Nobody knows when the card is through with the buffers.
    pub(crate) fn lose(self) {
        for hold in self.holds {
            if hold.is_exclusive() {
                log::warn!(
                    "lost a buffer of {} bytes to a failed job",
                    hold.buffer().len()
                );
            }
            hold.lose();
        }
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

type End = (ax650_wait, Vec<ax650_step_result>);

/// A job that is under way.
///
/// Dropping it does not end the job, and does not wait for it: its buffers stay busy until it has ended, which a
/// later submit of the session sees.
#[must_use = "its result tells whether it went well"]
pub struct Pending {
    session: Session,
    wait_until: u64,
    outstanding: Option<Outstanding>,
}

impl Pending {
    /// Waits for the end of the job; the job's own timeout bounds this.
    ///
    /// # Errors
    ///
    /// [`Error::Job`]: a step failed; no later step was begun.  [`Error::Answer`]: the answer of a call
    /// cannot be read.  What the card says in its answers is for the caller to look at.
    pub fn wait(mut self) -> Result<Done> {
        match self.look(self.wait_until)? {
            Some(done) => Ok(done),
            None => Err(self
                .session
                .driver_error("wait for a job", Request::Wait, Errno::ETIME)),
        }
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
    pub fn wait_for(&mut self, timeout: Duration) -> Result<Option<Done>> {
        self.look(deadline_ns(timeout))
    }

    fn look(&mut self, deadline: u64) -> Result<Option<Done>> {
        let outstanding = self
            .outstanding
            .take()
            .ok_or_else(|| Error::invalid("the end of this job was already reported"))?;
        match outstanding.look(&self.session, deadline) {
            Ok(Some((wait, results))) => {
                outstanding.finish(&self.session, wait, &results).map(Some)
            }
            Ok(None) => {
                self.outstanding = Some(outstanding);
                Ok(None)
            }
            Err(errno) => {
                outstanding.lose();
                Err(self
                    .session
                    .driver_error("wait for a job", Request::Wait, errno))
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(outstanding) = self.outstanding.take() {
            self.session.leave(outstanding);
        }
    }
}

impl AsFd for Pending {
    /// The card's node: readable while ended jobs wait to be looked at.
    ///
    /// # Panics
    ///
    /// With a card of the feature `fake`.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.session
            .device()
            .poll_fd()
            .expect("the kernel's cards can be polled")
    }
}

/// A job that has ended well.  Times are nanoseconds of CLOCK_MONOTONIC.
#[derive(Debug)]
pub struct Done {
    /// Its steps, in order.
    pub steps: Vec<DoneStep>,
    /// When it was submitted.
    pub queued_ns: u64,
    /// When it ended.
    pub done_ns: u64,
    /// When the waiting thread went on.
    pub woken_ns: u64,
}

/// A step that has ended well.
#[derive(Debug)]
pub struct DoneStep {
    what: String,
    /// When its first message was published.
    pub sent_ns: u64,
    /// When its last message had come.
    pub done_ns: u64,
    answer: Option<ResponseBody>,
}

impl Done {
    /// Takes the answer of the call that is step number `step`, from 0.
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
