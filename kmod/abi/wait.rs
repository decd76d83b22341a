// SPDX-License-Identifier: GPL-2.0

//! `AX650_IOC_WAIT`.  While the jobs of a file take microseconds, who waits looks into the ring before it sleeps:
//! an interrupt and two threads that are woken one after the other take longer than the card does for a small call.

use kernel::{
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

use super::client::Client;
use crate::{
    glue::{
        plain,
        prelude::*,
        task,
        time::{
            self,
            Delta,
            Instant,
            Moment, //
        }, //
    },
    session::job::Job,
    uapi::{
        Wait,
        WAIT_NO_POLL, //
    }, //
};

/// For how long a thread looks before it sleeps, and how long a job takes of late, on the average and at most, if it looks
/// at all.
const LOOK: Delta = Delta::from_micros(100);

/// The part of a job in the average.
const WEIGHT: i64 = 4;

/// How long jobs of a file have taken of late.
pub(super) struct Waits {
    nanos: Atomic<i64>,
}

impl Waits {
    /// Makes the waits of a file that has had none.
    pub(super) fn new() -> Self {
        Self {
            nanos: Atomic::new(0),
        }
    }

    fn are_short(&self) -> bool {
        self.nanos.load(Relaxed) <= LOOK.as_nanos()
    }

    /// Notes how long a job has taken; one that was far too long counts as one that was too long.
    fn note(&self, lasted: Delta) {
        let before = self.nanos.load(Relaxed);
        let now = lasted.as_nanos().min(LOOK.as_nanos() * 4);
        self.nanos.store(before + (now - before) / WEIGHT, Relaxed);
    }
}

impl Client {
    /// Waits for the end of a job.
    ///
    /// # Errors
    ///
    /// `EINVAL` for flags that are unknown; `EFAULT`; those of [`Board::wait`](crate::session::job::Board::wait).
    pub(super) fn wait(&self, user: impl Fn() -> UserSlice) -> Result {
        let mut args: Wait = plain::read(user())?;
        if args.flags & !WAIT_NO_POLL != 0 || (args.results != 0 && args.result_size == 0) {
            return Err(EINVAL);
        }
        let deadline = (args.timeout_ns != 0).then(|| args.timeout_ns.instant());
        if let Some(deadline) = deadline {
            // Whoever takes messages holds a lock that the interrupt's thread wants.
            let may_look = args.flags & WAIT_NO_POLL == 0 && task::is_urgent();
            if may_look && self.waits.are_short() {
                self.look_for_end(args.job, deadline);
            }
        }
        let job = self.board.wait(args.job, deadline)?;
        let written = self
            .hand_over(&mut args, &job)
            .and_then(|()| plain::write(user(), &args));
        if written.is_err() {
            self.board.put_back(job);
        }
        written
    }

    /// Takes messages out of the ring until a job has ended, unless that takes long, or somebody else wants the CPU.
    fn look_for_end(&self, number: u64, deadline: Instant) {
        let link = &self.card.link;
        let end = Instant::now() + LOOK.min(deadline.left());
        // The thread that looks for a chain's answers is not in a hurry.
        while !link.chains.is_polling()
            && self.board.is_running(number)
            && task::relax()
            && !end.left().is_zero()
        {
            link.take_news();
        }
    }

    fn hand_over(&self, args: &mut Wait, job: &Job) -> Result {
        if args.results != 0 {
            let size = args.result_size as usize;
            let mut at = usize::try_from(args.results).map_err(|_| EFAULT)?;
            for result in job.results().take(args.result_count as usize) {
                plain::write(UserSlice::new(UserPtr::from_addr(at), size), result)?;
                at = at.checked_add(size).ok_or(EFAULT)?;
            }
        }
        args.job = job.number;
        args.result_count = job.results().count() as u32;
        args.status = job.status();
        args.user_data = job.user_data;
        args.queued_ns = job.queued_at.nanos();
        args.done_ns = job.done_at.nanos();
        args.woken_ns = time::now();
        // Not the wait: whoever comes late has not waited for long.
        self.waits.note(job.done_at - job.queued_at);
        Ok(())
    }
}
