// SPDX-License-Identifier: MIT OR Apache-2.0

//! Chains: calls that are sent together, again and again.

use std::array;
use std::time::Duration;

use ax650_uapi::ax650_step_result;

use crate::arena::Slot;
use crate::binding::Binding;
use crate::call::Call;
use crate::cleanup::Keep;
use crate::clock::deadline_ns;
use crate::engine::engine_answer;
use crate::error::{Error, Request, Result};
use crate::frame::{self, Caller, Header};
use crate::job::GRACE;
use crate::part::{Order, Part, Work};
use crate::pending::{Outstanding, Waiting};
use crate::proto::axclrpc::engine::ApiKind;
use crate::proto::axclrpc::{self, Environment, ResponseBody};
use crate::run::RUN;
use crate::stream::Stream;
use crate::transport::{Action, Place, Step, Submission, FORKED};

/// Calls of a chain: the driver's limit for one request.
const MOST: usize = 128;

/// Calls that go to the card with one request, and can be run again and again: a layered model, for one, whose layers hand
/// their tensors on in card memory.
///
/// Calls of one stream are sent together and cost one doorbell and one interrupt, however many they are.  Once the chain has
/// run, another run allocates nothing that depends on its length.
///
/// What a chain names on the card is kept until the chain is dropped.
pub struct Chain {
    stream: Stream,
    calls: Vec<Prepared>,
    keeps: Vec<Keep>,
    results: Vec<ax650_step_result>,
    order: Order,
    /// An answer that is being looked at.
    answer: Vec<u8>,
    timeout: Option<Duration>,
}

/// A call that is sent again and again, under a new number each time.
struct Prepared {
    what: String,
    header: Header,
    message: axclrpc::Request,
    frame: Vec<u8>,
    place: Place,
    pipelined: bool,
    /// Room for the answer; `None`: there is none.
    capacity: Option<usize>,
    slot: Option<Slot>,
    /// The answer is that of a model's run.
    is_run: bool,
}

impl Stream {
    /// Begins to put a chain together.
    pub fn chain(&self) -> Chain {
        Chain {
            stream: self.clone(),
            calls: Vec::new(),
            keeps: vec![self.lane().clone()],
            results: Vec::new(),
            order: Order::default(),
            answer: Vec::new(),
            timeout: None,
        }
    }
}

impl Prepared {
    /// Gives the call its next number.
    fn renew(&mut self, sequence: u64, caller: Caller) {
        self.header.sequence = sequence;
        if let Some(head) = &mut self.message.head {
            head.seq_num = sequence;
            head.timestamp = caller.timestamp;
            head.env = Some(Environment {
                pid: caller.pid,
                tid: caller.tid,
            });
        }
        frame::encode(&self.header, &self.message, &mut self.frame);
    }

    fn step(&self) -> Step<'_> {
        Step {
            pipelined: self.pipelined,
            action: Action::Call {
                frame: &self.frame,
                reply: self.slot.as_ref().map(Slot::range),
            },
        }
    }
}

impl Chain {
    /// Adds a call, behind all that the chain has.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: a call of another session, or more calls than go with one request.
    pub fn push(&mut self, call: Call) -> Result<()> {
        self.add(call, false)
    }

    /// Adds a run of a model on what lies in the binding's card memory, without copies; the chain fails if the model does.
    ///
    /// # Errors
    ///
    /// Those of [`Chain::push`].
    pub fn push_run(&mut self, binding: &Binding) -> Result<()> {
        self.add(binding.run_call(), true)
    }

    fn add(&mut self, call: Call, is_run: bool) -> Result<()> {
        let Part(work) = call.into();
        work.check(self.stream.session())?;
        let Work::Call(call) = work else {
            return Err(Error::invalid("a chain has calls only"));
        };
        if self.calls.len() == MOST {
            return Err(Error::invalid(format!("a chain of more than {MOST} calls")));
        }
        let (bytes, place) = (call.frame(), call.lane().place());
        let prepared = Prepared {
            what: call.what().to_owned(),
            header: *call.header(),
            message: frame::decode(bytes)?,
            frame: bytes.to_vec(),
            place,
            pipelined: self.order.next(false, Order::of(bytes, place)),
            capacity: call.is_answered().then(|| call.capacity()),
            slot: None,
            is_run,
        };
        self.calls.push(prepared);
        self.keeps.append(&mut call.into_keeps());
        Ok(())
    }

    /// Returns how many calls the chain has.
    #[allow(clippy::len_without_is_empty)] // whether it is empty nobody asks
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Ends runs with an error when they take longer; else the driver's default holds.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// Runs all calls and waits for their end.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: there are no calls.  [`Error::Card`]: a model could not be run.  [`Error::Driver`],
    /// [`Error::Job`]: as with a [`Job`](crate::Job); calls behind the one that failed may have been carried out.  What else
    /// the card says is in the [answers](Chain::answer).
    pub fn run(&mut self) -> Result<()> {
        let session = self.stream.session().clone();
        let Some(first) = self.calls.first() else {
            return Err(Error::invalid("a chain without calls"));
        };
        if session.device().is_inherited() {
            return Err(session.driver_error(&first.what, Request::Submit, FORKED));
        }
        session.reap();
        self.results.clear();
        let deadline = deadline_ns(self.timeout.unwrap_or(session.default_timeout()));
        let job = self.submit(deadline)?;
        self.results
            .resize(self.calls.len(), ax650_step_result::default());
        let until = deadline.saturating_add(GRACE.as_nanos() as u64);
        let end = match session.device().wait(job, until, &mut self.results) {
            Ok(end) if end.status == 0 => end,
            failed => {
                let results = std::mem::take(&mut self.results);
                let outstanding = self.give_up(job);
                return outstanding.fail(&session, failed, &results);
            }
        };
        debug_assert_eq!(end.result_count as usize, self.calls.len());
        session.health().well();
        if let Some(last) = self.calls.iter().rfind(|call| call.slot.is_some()) {
            session.cleanup().answered(job, last.place);
        }
        for at in 0..self.calls.len() {
            if self.calls[at].is_run {
                engine_answer(RUN, ApiKind::RunModel, self.read_answer(at)?)?;
            }
        }
        Ok(())
    }

    /// Reads the answer to call number `at`, from 0, of the last run.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: there is no such call, or it has no answer, or the chain has not run well.  [`Error::Answer`]: the
    /// answer cannot be read.
    pub fn answer(&mut self, at: usize) -> Result<ResponseBody> {
        self.read_answer(at)
    }

    fn read_answer(&mut self, at: usize) -> Result<ResponseBody> {
        let call = self.calls.get(at).zip(self.results.get(at));
        let answered = call.and_then(|(call, result)| Some((call, result, call.slot.as_ref()?)));
        let Some((call, result, slot)) = answered else {
            return Err(Error::invalid(format!("there is no answer to call {at}")));
        };
        slot.read(result.bytes, &mut self.answer);
        frame::answer(&call.what, &call.header, &self.answer)
    }

    fn submit(&mut self, deadline_ns: u64) -> Result<u64> {
        let session = self.stream.session();
        let caller = Caller::now();
        for call in &mut self.calls {
            call.renew(session.next_sequence(), caller);
            if let (Some(capacity), None) = (call.capacity, &call.slot) {
                let slot = session.arena().take(capacity).map_err(|errno| {
                    session.driver_error("make room for an answer", Request::Buffer, errno)
                })?;
                call.slot = Some(slot);
            }
        }
        let nothing = Step {
            pipelined: false,
            action: Action::Call {
                frame: &[],
                reply: None,
            },
        };
        let steps: [Step<'_>; MOST] =
            array::from_fn(|at| self.calls.get(at).map_or(nothing, Prepared::step));
        let submission = Submission {
            session: session.handle(),
            deadline_ns,
            eventfd: None,
            steps: &steps[..self.calls.len()],
        };
        // SAFETY: nobody but the card uses the slots until `run` has seen the end of the job, or has handed them over to
        // `Outstanding`, which does; they own their memory.
        let submitted = unsafe { session.device().submit(&submission) };
        submitted.map_err(|errno| session.driver_error(&self.calls[0].what, Request::Submit, errno))
    }

    /// Gives up the room for answers and all that a run that has failed may still use.
    fn give_up(&mut self, job: u64) -> Outstanding {
        let waiting = |call: &mut Prepared| Waiting {
            what: call.what.clone(),
            place: Some(call.place),
            reply: call.slot.take().map(|slot| (call.header, slot)),
            target: None,
        };
        Outstanding {
            job,
            holds: Vec::new(),
            steps: self.calls.iter_mut().map(waiting).collect(),
            keeps: self.keeps.clone(),
            gives_back: false,
        }
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let calls: Vec<_> = self.calls.iter().map(|call| &call.what).collect();
        f.debug_struct("Chain").field("calls", &calls).finish()
    }
}
