// SPDX-License-Identifier: GPL-2.0

//! Jobs: arrays of steps, and the board where a file finds those that have ended.

use kernel::{
    new_condvar,
    new_mutex,
    new_poll_condvar,
    sync::{
        poll::PollCondVar,
        Arc,
        CondVar,
        Mutex, //
    }, //
};

use super::{
    claim::Claim,
    staging::Staged, //
};
use crate::{
    buffer::Buffer,
    glue::{
        eventfd::EventFd,
        prelude::*,
        time::{
            self,
            Instant,
            Waited, //
        }, //
    },
    uapi::StepResult,
    wire::frame, //
};

/// What a step does.
pub(crate) enum Work {
    /// Moves bytes between a buffer and card memory.
    Copy(Copy),
    /// Sends a frame, and takes its answer.
    Call(Call),
}

/// A copy.
pub(crate) struct Copy {
    pub(crate) to_card: bool,
    pub(crate) buffer: Arc<Buffer>,
    pub(crate) offset: usize,
    pub(crate) size: u32,
    pub(crate) address: u64,
    pub(crate) sequence: u64,
    pub(crate) context: u32,
    pub(crate) stream: u32,
}

/// A call.
pub(crate) struct Call {
    pub(crate) header: frame::Header,
    pub(crate) frame: Frame,
    /// `None`: the answer, if there is one, is dropped.
    pub(crate) reply: Option<Reply>,
    /// The frame asks the card not to answer.
    pub(crate) no_reply: bool,
}

impl Call {
    /// Returns whether the frame goes as one message.
    pub(super) fn is_short(&self) -> bool {
        matches!(self.frame, Frame::Short(_))
    }
}

/// A request frame.
pub(crate) enum Frame {
    /// Goes as one message.
    Short(KVec<u8>),
    /// Goes by DMA.
    Long(Staged),
}

/// Where an answer goes.
pub(crate) struct Reply {
    pub(crate) buffer: Arc<Buffer>,
    pub(crate) offset: usize,
    pub(crate) capacity: u32,
}

/// How far a step is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Not begun.
    Waiting,
    /// The turn of the step on port P0 will come.
    Queued,
    /// Sent.
    Active,
    /// Ended.
    Done,
}

/// One step of a job.
pub(crate) struct Step {
    pub(super) work: Work,
    pub(super) pipelined: bool,
    /// What it names of that which the card has given.
    pub(super) claim: Option<KBox<Claim>>,
    pub(super) progress: Progress,
    pub(super) result: StepResult,
    /// COPY: bytes moved by earlier transactions of this step.
    pub(super) moved: u32,
}

impl Step {
    /// Makes a step that has not begun.
    pub(crate) fn new(work: Work, pipelined: bool, claim: Option<KBox<Claim>>) -> Self {
        Self {
            work,
            pipelined,
            claim,
            progress: Progress::Waiting,
            result: StepResult::default(),
            moved: 0,
        }
    }
}

/// A queued job.
pub(crate) struct Job {
    pub(crate) number: u64,
    pub(crate) user_data: u64,
    /// Steps in order; none if the job has ended and [`Board::take_spent`] has taken them.
    pub(crate) steps: KVec<Step>,
    /// Results of the steps that were taken.
    left: KVec<StepResult>,
    pub(crate) deadline: Instant,
    pub(crate) queued_at: Instant,
    /// When the job ended; when it was queued if it has not.
    pub(crate) done_at: Instant,
    pub(crate) board: Arc<Board>,
    pub(crate) eventfd: Option<EventFd>,
    /// The first step that has not begun.
    pub(super) next: usize,
    /// Begun and not ended.
    pub(super) open: usize,
    /// How many of the open steps wait for port P0 or use it.
    pub(super) on_p0: usize,
    /// No more steps are to be begun, because of this.
    pub(super) stopped: Option<Error>,
}

impl Job {
    /// Makes a job that has not begun.
    pub(crate) fn new(
        number: u64,
        user_data: u64,
        steps: KVec<Step>,
        deadline: Instant,
        board: Arc<Board>,
        eventfd: Option<EventFd>,
    ) -> Self {
        let now = Instant::now();
        Self {
            number,
            user_data,
            steps,
            left: KVec::new(),
            deadline,
            queued_at: now,
            done_at: now,
            board,
            eventfd,
            next: 0,
            open: 0,
            on_p0: 0,
            stopped: None,
        }
    }

    /// Makes room for what a step is to give back.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn make_room(&mut self, step: usize, room: usize) -> Result {
        let claim = self
            .steps
            .get_mut(step)
            .and_then(|step| step.claim.as_mut());
        if let Some(claim) = claim {
            claim.taken.reserve(room, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(())
    }

    /// Returns whether nothing more will happen.
    pub(super) fn has_ended(&self) -> bool {
        self.open == 0 && (self.stopped.is_some() || self.next == self.steps.len())
    }

    /// Returns the negative errno of the first step that failed, 0 if none did.
    pub(crate) fn status(&self) -> i32 {
        let mut failed = self.results().map(|result| result.status);
        failed.find(|&status| status != 0).unwrap_or(0)
    }

    /// Results of the steps, in order.
    pub(crate) fn results(&self) -> impl Iterator<Item = &StepResult> {
        let steps = self.steps.iter().map(|step| &step.result);
        Iterator::chain(self.left.iter(), steps)
    }

    /// Takes what the steps have worked with out of a job that has ended.
    fn take_steps(&mut self) -> Option<KVec<Step>> {
        if self.steps.is_empty() {
            return None;
        }
        self.left.reserve(self.steps.len(), GFP_KERNEL).ok()?;
        for step in self.steps.iter() {
            let _ = self.left.push_within_capacity(step.result);
        }
        Some(core::mem::take(&mut self.steps))
    }

    /// Marks a step as ended.
    pub(super) fn end_step(&mut self, index: usize, result: Result) {
        let Some(step) = self.steps.get_mut(index) else {
            return;
        };
        match step.progress {
            Progress::Done => return,
            Progress::Waiting => {}
            Progress::Queued | Progress::Active => self.open = self.open.saturating_sub(1),
        }
        step.progress = Progress::Done;
        step.result.done_ns = time::now();
        if let Err(e) = result {
            step.result.status = e.to_errno();
            self.stopped.get_or_insert(e);
        }
    }

    /// Tells whoever waits.  Who takes the job gives up the steps' references to buffers and frames, or
    /// [`Board::take_spent`] if nobody does: this may be the interrupt's thread.
    pub(super) fn end(mut job: KBox<Self>) {
        job.done_at = Instant::now();
        for step in job.steps.iter_mut() {
            if step.progress != Progress::Done {
                step.progress = Progress::Done;
                step.result.status = ECANCELED.to_errno();
            }
        }
        let eventfd = job.eventfd.take();
        job.board.clone().post(job);
        if let Some(eventfd) = eventfd {
            eventfd.signal();
        }
    }
}

struct Entries {
    /// Numbers of jobs that have not ended.
    running: KVec<u64>,
    /// Jobs that have ended, oldest first.
    ended: KVec<KBox<Job>>,
    last_number: u64,
    /// Why nothing more will come, once that is so.
    closed: Option<Error>,
}

/// The jobs of one open file.
#[pin_data]
pub(crate) struct Board {
    #[pin]
    entries: Mutex<Entries>,
    #[pin]
    changed: CondVar,
    #[pin]
    poll: PollCondVar,
}

impl Board {
    /// Makes a board without jobs.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            entries <- new_mutex!(Entries {
                running: KVec::new(),
                ended: KVec::new(),
                last_number: 0,
                closed: None,
            }, "ax650_board"),
            changed <- new_condvar!("ax650_board"),
            poll <- new_poll_condvar!("ax650_board"),
        })
    }

    /// Returns a number for a new job, with room for it everywhere until it has been waited for.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if `limit` jobs are outstanding; `ENOMEM`.
    pub(crate) fn admit(&self, limit: usize) -> Result<u64> {
        let mut entries = self.entries.lock();
        let outstanding = entries.running.len() + entries.ended.len();
        if outstanding >= limit {
            return Err(EAGAIN);
        }
        entries.ended.reserve(outstanding + 1, GFP_KERNEL)?;
        let number = entries.last_number + 1;
        entries.running.push(number, GFP_KERNEL)?;
        entries.last_number = number;
        Ok(number)
    }

    /// Takes back a number whose job was never queued.
    pub(crate) fn revoke(&self, number: u64) {
        self.entries.lock().running.retain(|&mut n| n != number);
    }

    fn post(&self, job: KBox<Job>) {
        let mut entries = self.entries.lock();
        let number = job.number;
        entries.running.retain(|&mut n| n != number);
        // `admit` has made room; a file that is closed takes no more.
        let dropped = if entries.closed.is_some() {
            Some(job)
        } else {
            entries.ended.push_within_capacity(job).err().map(|e| e.0)
        };
        drop(entries);
        drop(dropped);
        self.changed.notify_all();
        self.poll.notify_all();
    }

    /// Waits until job `number` (0: any) has ended, or until `deadline`; `None`: not at all.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is no such job; `EAGAIN` or `ETIME` if it has not ended; `EBADF` if the file is
    /// closed; `ERESTARTSYS` for a signal.
    pub(crate) fn wait(&self, number: u64, deadline: Option<Instant>) -> Result<KBox<Job>> {
        let mut entries = self.entries.lock();
        loop {
            let found = entries
                .ended
                .iter()
                .position(|job| number == 0 || job.number == number);
            if let Some(at) = found {
                return entries.ended.remove(at).map_err(|_| EINVAL);
            }
            if let Some(e) = entries.closed {
                return Err(e);
            }
            let running = if number == 0 {
                !entries.running.is_empty()
            } else {
                entries.running.contains(&number)
            };
            if !running {
                return Err(ENOENT);
            }
            let deadline = deadline.ok_or(EAGAIN)?;
            match time::wait_until(&self.changed, &mut entries, deadline) {
                Waited::Woken => {}
                Waited::TimedOut => return Err(ETIME),
                Waited::Signal => return Err(ERESTARTSYS),
            }
        }
    }

    /// Returns whether job `number` (0: every job) has not ended.
    pub(crate) fn is_running(&self, number: u64) -> bool {
        let entries = self.entries.lock();
        match number {
            0 => entries.ended.is_empty() && !entries.running.is_empty(),
            _ => entries.running.contains(&number),
        }
    }

    /// Takes what a job that has ended has worked with, although nobody has waited for it.
    pub(crate) fn take_spent(&self) -> Option<KVec<Step>> {
        let mut entries = self.entries.lock();
        entries.ended.iter_mut().find_map(|job| job.take_steps())
    }

    /// Puts a job back whose results could not be handed over.
    pub(crate) fn put_back(&self, job: KBox<Job>) {
        let mut entries = self.entries.lock();
        // The room from which it was taken may have been given to another meanwhile.
        let room = entries.running.len() + 1;
        let _ = entries.ended.reserve(room, GFP_KERNEL);
        let dropped = entries.ended.insert_within_capacity(0, job).err();
        drop(entries);
        drop(dropped);
        self.changed.notify_all();
    }

    /// Drops what ends from now on: the file is closed.
    pub(crate) fn close(&self) {
        let mut entries = self.entries.lock();
        entries.closed = Some(EBADF);
        let ended = core::mem::take(&mut entries.ended);
        drop(entries);
        drop(ended);
    }

    /// Wakes waiters and pollers: the card is gone.
    pub(crate) fn wake(&self) {
        self.changed.notify_all();
        self.poll.notify_all();
    }

    /// Returns whether a job has ended that was not waited for.
    pub(crate) fn has_ended(&self) -> bool {
        !self.entries.lock().ended.is_empty()
    }

    /// Returns where pollers wait.
    pub(crate) fn poll_queue(&self) -> &PollCondVar {
        &self.poll
    }
}
