// SPDX-License-Identifier: MIT OR Apache-2.0

//! Jobs: copies and calls that the driver carries out in order, queued with one request.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::buffer::{Buffer, Hold};
use crate::call::Call;
use crate::cleanup::Keep;
use crate::clock::deadline_ns;
use crate::error::{Error, Request, Result};
use crate::memory::CardMemory;
use crate::part::{Order, Part, Work};
use crate::pending::{self, Done, Outstanding, Pending, Waiting};
use crate::session::Session;
use crate::stream::Stream;
use crate::transport::{Direction, Place, Step, Submission, FORKED};

/// How much longer than the driver the library waits for the end of a job, before it calls the driver stuck.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// A job that is being put together.
///
/// [`Job::then`] steps wait for all earlier steps; [`Job::along`] steps are sent right behind the one ahead,
/// which saves a round trip where the order on the card is enough.  The card carries calls of one stream out in order
/// anyway, so a call behind calls of its own stream is sent at once in either case: a chain of calls costs one
/// doorbell and one interrupt.  (Only what a failed step ahead would have kept from being sent goes out, too.)
///
/// A job owns what it uses until it has ended: buffers, [`CardMemory`], and the models and bindings it runs.  All of
/// that must belong to its session.
#[must_use = "nothing happens until it is submitted"]
pub struct Job<'a> {
    stream: &'a Stream,
    steps: Vec<Planned>,
    keeps: Vec<Keep>,
    timeout: Option<Duration>,
    eventfd: Option<BorrowedFd<'a>>,
    problem: Option<Error>,
    order: Order,
}

struct Planned {
    pipelined: bool,
    work: Work,
}

impl Stream {
    /// Begins to put a job together.  All its steps belong to this stream, but for calls that were prepared for
    /// another one.
    pub fn job(&self) -> Job<'_> {
        Job::new(self)
    }
}

impl<'a> Job<'a> {
    pub(crate) fn new(stream: &'a Stream) -> Self {
        Self {
            stream,
            steps: Vec::new(),
            keeps: Vec::new(),
            timeout: None,
            eventfd: None,
            problem: None,
            order: Order::default(),
        }
    }

    /// Adds a step that is carried out when all earlier steps have ended; it is not begun if one of them has failed
    /// before it was sent.
    pub fn then(self, part: impl Into<Part>) -> Self {
        self.add(false, part.into())
    }

    /// Adds a step that is sent without waiting for the earlier ones.
    pub fn along(self, part: impl Into<Part>) -> Self {
        self.add(true, part.into())
    }

    /// Returns how many steps the job has so far: the number of the next one.
    #[allow(clippy::len_without_is_empty)] // whether it is empty nobody asks
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Keeps `memory` until the job has ended, for calls that name its address.
    pub fn keep(self, memory: &CardMemory) -> Self {
        self.of_session(memory.session(), "card memory")
            .keep_thing(memory.keep())
    }

    /// Has the job fail unless something that it uses is of its session.
    pub(crate) fn of_session(mut self, session: &Session, what: &str) -> Self {
        if let Err(problem) = self.stream.session().same_session(session, what) {
            self.problem.get_or_insert(problem);
        }
        self
    }

    /// Keeps something of the session's until the job has ended.
    pub(crate) fn keep_thing(mut self, thing: Keep) -> Self {
        self.keeps.push(thing);
        self
    }

    /// Ends the job with an error after `timeout`, counted from submit; otherwise the driver's default
    /// holds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Ends the job with an error after `timeout`, if there is one.
    pub(crate) fn within(self, timeout: Option<Duration>) -> Self {
        Self {
            timeout: timeout.or(self.timeout),
            ..self
        }
    }

    /// Signals `eventfd` when the job has ended.
    pub fn eventfd(mut self, eventfd: BorrowedFd<'a>) -> Self {
        self.eventfd = Some(eventfd);
        self
    }

    fn add(mut self, pipelined: bool, part: Part) -> Self {
        let Part(work) = part;
        if let Err(problem) = work.check(self.stream.session()) {
            self.problem.get_or_insert(problem);
        }
        let pipelined = self.order.next(pipelined, work.ordered());
        self.steps.push(Planned { pipelined, work });
        self
    }

    /// Queues the job.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: no step, a range outside its buffer or its card memory, a buffer of another open card, card
    /// memory or a call of another session.  [`Error::BufferBusy`], [`Error::BufferLost`].  [`Error::Driver`]: what the
    /// driver says to SUBMIT.
    pub fn submit(self) -> Result<Pending> {
        let session = self.stream.session().clone();
        let event = match self.eventfd {
            Some(eventfd) => eventfd
                .try_clone_to_owned()
                .map_err(|error| error.raw_os_error().map_or(Errno::EMFILE, Errno::from_raw)),
            None => {
                EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
                    .map(OwnedFd::from)
            }
        };
        let event = event
            .map_err(|errno| session.driver_error("make an eventfd", Request::Submit, errno))?;
        let (outstanding, until) = self.start(Some(event.as_fd()))?;
        Ok(Pending::new(session, outstanding, until, event))
    }

    /// Queues the job and waits for its end.
    ///
    /// # Errors
    ///
    /// Those of [`Job::submit`] and [`Pending::wait`].
    pub fn run(self) -> Result<Done> {
        let (stream, eventfd) = (self.stream, self.eventfd);
        let (outstanding, until) = self.start(eventfd)?;
        pending::wait(stream.session(), outstanding, until)
    }

    fn start(self, eventfd: Option<BorrowedFd<'_>>) -> Result<(Outstanding, u64)> {
        let session = self.stream.session();
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        if session.device().is_inherited() {
            // Before any lock, which a thread of the parent may have held at the fork().
            return Err(session.driver_error("submit a job", Request::Submit, FORKED));
        }
        session.reap();
        let holds = take_holds(&self.steps)?;
        let what = match self.steps.first() {
            Some(first) => first.work.what(),
            None => "a job without steps".into(),
        };
        let mut waiting = Vec::with_capacity(self.steps.len());
        for planned in &self.steps {
            waiting.push(planned.work.waiting(session).map_err(|errno| {
                session.driver_error("make room for an answer", Request::Buffer, errno)
            })?);
        }
        let deadline = deadline_ns(self.timeout.unwrap_or(session.default_timeout()));
        let place = self.stream.place();
        let job = submit(session, place, &self.steps, &waiting, deadline, eventfd)
            .map_err(|errno| session.driver_error(&what, Request::Submit, errno))?;
        let mut keeps = self.keeps;
        keeps.push(self.stream.lane().clone());
        for planned in self.steps {
            match planned.work {
                Work::Call(call) => keeps.append(&mut call.into_keeps()),
                Work::Copy { place, .. } => {
                    keeps.extend(place.memory.map(|memory| memory.keep()));
                }
            }
        }
        let outstanding = Outstanding {
            job,
            holds,
            steps: waiting,
            keeps,
            gives_back: false,
        };
        Ok((
            outstanding,
            deadline.saturating_add(GRACE.as_nanos() as u64),
        ))
    }
}

impl Outstanding {
    /// Starts a job of calls that give things back; gives the calls back if that fails.
    pub(crate) fn giving_back(
        session: &Session,
        calls: Vec<Call>,
        timeout: Duration,
    ) -> Result<Self, (Errno, Vec<Call>)> {
        let place = calls.first().map(|call| call.lane().place());
        let steps: Vec<_> = calls
            .into_iter()
            .map(|call| Planned {
                pipelined: true,
                work: Work::Call(call),
            })
            .collect();
        let waiting: Result<Vec<_>, _> = steps
            .iter()
            .map(|planned| planned.work.waiting(session))
            .collect();
        let submitted = waiting.and_then(|waiting| {
            let place = place.ok_or(Errno::EINVAL)?;
            let deadline = deadline_ns(timeout);
            submit(session, place, &steps, &waiting, deadline, None).map(|job| (job, waiting))
        });
        let calls = steps.into_iter().filter_map(|planned| match planned.work {
            Work::Call(call) => Some(call),
            Work::Copy { .. } => None,
        });
        match submitted {
            Ok((job, steps)) => Ok(Self {
                job,
                holds: Vec::new(),
                steps,
                keeps: calls.flat_map(Call::into_keeps).collect(),
                gives_back: true,
            }),
            Err(errno) => Err((errno, calls.collect())),
        }
    }
}

fn submit(
    session: &Session,
    place: Place,
    steps: &[Planned],
    waiting: &[Waiting],
    deadline_ns: u64,
    eventfd: Option<BorrowedFd<'_>>,
) -> Result<u64, Errno> {
    let raw: Vec<_> = steps
        .iter()
        .zip(waiting)
        .map(|(planned, waiting)| Step {
            pipelined: planned.pipelined,
            action: planned.work.action(session, place, waiting),
        })
        .collect();
    let submission = Submission {
        session: session.handle(),
        deadline_ns,
        eventfd,
        steps: &raw,
    };
    // SAFETY: the buffers are this open card's (`Work::check`).  The caller's holds keep references to them away, and
    // nobody else uses the slots in `waiting`, until `Outstanding`, which gets both, sees the end of the job.  Both
    // own their memory.
    unsafe { session.device().submit(&submission) }
}

/// Takes each buffer once, for a writer if any step writes to it.
fn take_holds(steps: &[Planned]) -> Result<Vec<Hold>> {
    let mut uses: Vec<(&Buffer, bool)> = Vec::new();
    for planned in steps {
        if let Work::Copy {
            direction, buffer, ..
        } = &planned.work
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
