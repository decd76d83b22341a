// SPDX-License-Identifier: MIT OR Apache-2.0

//! Runs of models, and where their time goes.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use crate::engine::engine_answer;
use crate::error::{Error, Result};
use crate::job::Job;
use crate::pending::{Done, Pending};
use crate::proto::axclrpc::engine::ApiKind;

/// What the call is named in errors.
pub(crate) const RUN: &str = "run the model";

/// Which steps of a job are a run, see [`Binding::add_to`](crate::Binding::add_to).
#[derive(Debug, Clone, Copy)]
pub struct RunSteps {
    pub(crate) first: usize,
    pub(crate) copy_in: Option<usize>,
    pub(crate) run: usize,
    pub(crate) copy_out: Option<usize>,
}

/// A run that is under way.
///
/// Dropping it does not end the run: see [`Pending`].
#[must_use = "its result tells whether it went well"]
pub struct PendingRun {
    pub(crate) pending: Pending,
    pub(crate) steps: RunSteps,
}

impl PendingRun {
    /// Waits for the end of the run.
    ///
    /// # Errors
    ///
    /// Those of [`Binding::run`](crate::Binding::run).
    pub fn wait(self) -> Result<RunTimes> {
        self.steps.finish(&mut self.pending.wait()?)
    }

    /// Looks whether the run has ended.
    ///
    /// # Errors
    ///
    /// Those of [`Binding::run`](crate::Binding::run); [`Error::Invalid`] after the end was reported once.
    pub fn poll(&mut self) -> Result<Option<RunTimes>> {
        let done = self.pending.poll()?;
        done.map(|mut done| self.steps.finish(&mut done))
            .transpose()
    }

    /// Waits for `timeout` at most; `None`: not ended yet.
    ///
    /// # Errors
    ///
    /// As [`PendingRun::poll`].
    pub fn wait_for(&mut self, timeout: Duration) -> Result<Option<RunTimes>> {
        let done = self.pending.wait_for(timeout)?;
        done.map(|mut done| self.steps.finish(&mut done))
            .transpose()
    }
}

impl AsFd for PendingRun {
    /// Returns an eventfd of this run alone, to poll: readable from the end of the run on.  Do not read it.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pending.as_fd()
    }
}

impl RunSteps {
    /// Runs the job that has these steps and no others, for `timeout` at most, and waits for its end.
    pub(crate) fn run(self, job: Job<'_>, timeout: Option<Duration>) -> Result<RunTimes> {
        self.finish(&mut job.within(timeout).run()?)
    }

    /// Starts the job that has these steps and no others; it has `timeout` at most.
    pub(crate) fn start(self, job: Job<'_>, timeout: Option<Duration>) -> Result<PendingRun> {
        let pending = job.within(timeout).submit()?;
        Ok(PendingRun {
            pending,
            steps: self,
        })
    }

    /// Tells how the run went; `done` is the end of the job that it is in.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card could not run it.  [`Error::Invalid`]: it is in another job, or was asked for already.
    pub fn finish(&self, done: &mut Done) -> Result<RunTimes> {
        engine_answer(RUN, ApiKind::RunModel, done.answer(self.run)?)?;
        let last = self.copy_out.unwrap_or(self.run);
        let (Some(first), Some(_)) = (done.steps.get(self.first), done.steps.get(last)) else {
            return Err(Error::invalid("the run is not in this job"));
        };
        let span = |from: u64, to: u64| Duration::from_nanos(to.saturating_sub(from));
        let step = |index: usize| span(done.steps[index].sent_ns, done.steps[index].done_ns);
        Ok(RunTimes {
            queue: span(done.queued_ns, first.sent_ns),
            copy_in: self.copy_in.map_or(Duration::ZERO, step),
            run: step(self.run),
            copy_out: self.copy_out.map_or(Duration::ZERO, step),
            wake: span(done.done_ns, done.woken_ns),
            total: span(done.queued_ns, done.woken_ns),
        })
    }
}

/// Times of a run's stages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunTimes {
    /// From submit until the first message was sent.
    pub queue: Duration,
    /// Inputs to the card.
    pub copy_in: Duration,
    /// The call: from its message to its answer.
    pub run: Duration,
    /// Outputs from the card.
    pub copy_out: Duration,
    /// From the end until the waiting thread went on.
    pub wake: Duration,
    /// From submit until the waiting thread went on.
    pub total: Duration,
}
