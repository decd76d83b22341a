// SPDX-License-Identifier: MIT OR Apache-2.0

//! What becomes of jobs that nobody waits for, and of what they and the program no longer need.
//!
//! * A job whose [`Pending`](crate::Pending) was dropped is **left** here until it has ended; so are the jobs that give
//!   things back.
//! * Calls that give something back **wait** here while many others are under way.
//! * What a job used that did not end properly is **kept** here: the card may still be at it.  It is let go when a
//!   later call of the same stream was answered, as the card carries out the calls of a stream in order, or with the
//!   session.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::arena::Slot;
use crate::call::Call;
use crate::clock;
use crate::error::{Error, ErrorKind, Request, Result};
use crate::pending::Outstanding;
use crate::session::Session;
use crate::transport::Place;

/// Something that a job uses: it is let go when the job has ended.
pub(crate) type Keep = Arc<dyn Any + Send + Sync>;

/// Jobs that give things back, at a time: the driver's limit is the user's too.
const MOST_JOBS: usize = 4;
/// Calls in one of them.
const MOST_CALLS: usize = 16;

/// Places for answers that are kept; further ones are lost, as room is made for new ones.
const MOST_SLOTS: usize = 16;

/// The list of a session.
#[derive(Default)]
pub(crate) struct Cleanup {
    state: Mutex<State>,
    /// Entries of `kept` that a later call may free; spares the lock where there are none.
    recoverable: AtomicUsize,
}

#[derive(Default)]
struct State {
    left: Vec<Outstanding>,
    waiting: VecDeque<Call>,
    kept: Vec<Kept>,
    /// Jobs under way that give things back.
    giving_back: usize,
    /// One of those that wait names what is still used: they are sent one by one.
    one_by_one: bool,
}

/// What a job used that did not end properly.
pub(crate) struct Kept {
    /// The job.
    pub(crate) job: u64,
    /// Streams whose calls may still be carried out; `None`: copies were broken off, which are not in any stream's order.
    pub(crate) places: Option<Vec<Place>>,
    /// What is kept.
    pub(crate) things: Vec<Keep>,
    /// Places for answers.
    pub(crate) slots: Vec<Slot>,
}

impl Cleanup {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all that is to be given back: the session ends, and with it everything on the card.
    pub(crate) fn forget(&self) {
        let State {
            left,
            waiting,
            kept,
            ..
        } = std::mem::take(&mut *self.state());
        // The card may go on for a moment, so places and buffers are not used again.
        for job in left {
            job.abandon();
        }
        for slot in kept.into_iter().flat_map(|kept| kept.slots) {
            slot.lose();
        }
        drop(waiting);
    }

    /// Keeps what the card may still be at.
    pub(crate) fn keep(&self, mut kept: Kept) {
        let mut state = self.state();
        let slots: usize = state.kept.iter().map(|kept| kept.slots.len()).sum();
        if kept.places.is_none() || slots >= MOST_SLOTS {
            kept.slots.drain(..).for_each(Slot::lose);
        }
        if kept.things.is_empty() && kept.slots.is_empty() {
            return;
        }
        if kept.places.is_some() {
            self.recoverable.fetch_add(1, Ordering::Relaxed);
        }
        state.kept.push(kept);
    }

    /// Notes that a call of `job` was answered at `place`: all that the card had to do there before is done.
    pub(crate) fn answered(&self, job: u64, place: Place) {
        if self.recoverable.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut state = self.state();
        for kept in state.kept.iter_mut().filter(|kept| kept.job < job) {
            if let Some(places) = &mut kept.places {
                places.retain(|other| *other != place);
            }
        }
        let is_done = |kept: &Kept| kept.places.as_ref().is_some_and(Vec::is_empty);
        let (done, rest) = std::mem::take(&mut state.kept)
            .into_iter()
            .partition(is_done);
        state.kept = rest;
        drop(state);
        let done: Vec<Kept> = done;
        self.recoverable.fetch_sub(done.len(), Ordering::Relaxed);
        // Dropped without the lock: that may give things back.
        drop(done);
    }
}

impl Session {
    /// Keeps a job whose owner lost interest until it has ended.
    pub(crate) fn leave(&self, job: Outstanding) {
        self.cleanup().state().left.push(job);
        self.reap();
    }

    /// Gives back what jobs held that nobody waits for and that have ended, and returns how many have not.
    ///
    /// Every submit of the session does this too.  A program that polls the card's node ([`Card`](crate::Card)) should
    /// call it whenever the node is readable, as it stays readable until all ended jobs were looked at.
    pub fn reap(&self) -> usize {
        if self.is_over() {
            return 0;
        }
        let left = std::mem::take(&mut self.cleanup().state().left);
        for job in left {
            self.look_after(job, 0);
        }
        self.flush();
        self.cleanup().state().left.len()
    }

    /// Looks whether a job that was left has ended, until `deadline`.
    fn look_after(&self, job: Outstanding, deadline: u64) -> bool {
        let gives_back = job.gives_back();
        match job.look(self, deadline) {
            Ok(None) => {
                self.cleanup().state().left.push(job);
                return false;
            }
            Ok(Some((wait, results))) => {
                if let Err(error) = job.finish(self, wait, &results) {
                    log::debug!("{error}");
                }
            }
            Err(errno) => {
                let error = self.driver_error("look after a job", Request::Wait, errno);
                log::debug!("{error}");
                job.lose(self, None);
            }
        }
        if gives_back {
            let mut state = self.cleanup().state();
            state.giving_back = state.giving_back.saturating_sub(1);
        }
        true
    }

    /// Queues a call that gives something back.
    pub(crate) fn release(&self, call: Call) {
        // Held until the end of this, so that the session's handle cannot become another's meanwhile.
        let Some(alive) = self.with_life() else {
            return;
        };
        if alive.health().cleanup_timeout().is_none() {
            return;
        }
        let mut state = alive.cleanup().state();
        state.waiting.push_back(call);
        let is_full = state.giving_back >= MOST_JOBS;
        drop(state);
        if is_full {
            // Some of them may have ended.
            alive.reap();
        } else {
            alive.flush();
        }
    }

    /// Sends what waits, as far as there is room for it.
    fn flush(&self) {
        let Some(timeout) = self.health().cleanup_timeout() else {
            // The session is over on the card, and so is all that it had there.
            let waiting = std::mem::take(&mut self.cleanup().state().waiting);
            drop(waiting); // without the lock
            return;
        };
        loop {
            let mut state = self.cleanup().state();
            if state.waiting.is_empty() || state.giving_back >= MOST_JOBS {
                return;
            }
            state.giving_back += 1;
            let most = if state.one_by_one { 1 } else { MOST_CALLS };
            let count = state.waiting.len().min(most);
            state.one_by_one &= count < state.waiting.len();
            let calls: Vec<_> = state.waiting.drain(..count).collect();
            drop(state);
            let result = Outstanding::giving_back(self, calls, timeout);
            let mut state = self.cleanup().state();
            match result {
                Ok(job) => state.left.push(job),
                Err((error, calls)) => {
                    state.giving_back -= 1;
                    match error {
                        // Too many jobs of the user's: later.
                        Errno::EAGAIN => {
                            for call in calls.into_iter().rev() {
                                state.waiting.push_front(call);
                            }
                        }
                        // Something of it is still used: later too, and the others before it.
                        Errno::EBUSY => {
                            state.one_by_one = true;
                            state.waiting.extend(calls);
                        }
                        _ => {}
                    }
                    drop(state);
                    log::debug!("give something back: {error}");
                    return;
                }
            }
        }
    }

    /// Waits until everything that was dropped has been given back on the card, and until all jobs have ended whose
    /// [`Pending`](crate::Pending) was dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`] with [`ErrorKind::Timeout`](crate::ErrorKind::Timeout): not within `timeout`.
    pub fn settle(&self, timeout: Duration) -> Result<()> {
        self.settle_some(timeout, |_| true)
    }

    /// Asks the card for something that takes up room there.  Where there is none, what was dropped may be on its way back
    /// only now: that is waited for, and the card asked once more.
    ///
    /// # Errors
    ///
    /// Those of `ask`.
    pub(crate) fn with_room<T>(&self, ask: impl Fn() -> Result<T>) -> Result<T> {
        match ask() {
            Err(error) if error.kind() == ErrorKind::NoMemory && self.make_room() => ask(),
            result => result,
        }
    }

    /// Waits for what was dropped.  Whether there was any.
    fn make_room(&self) -> bool {
        let state = self.cleanup().state();
        let any = state.giving_back > 0 || !state.waiting.is_empty();
        drop(state);
        let timeout = self.health().cleanup_timeout().unwrap_or_default();
        any && self.settle_some(timeout, Outstanding::gives_back).is_ok()
    }

    fn settle_some(&self, timeout: Duration, which: impl Fn(&Outstanding) -> bool) -> Result<()> {
        let (until, until_ns) = (clock::deadline(timeout), clock::deadline_ns(timeout));
        loop {
            self.reap();
            let mut state = self.cleanup().state();
            let next = state.left.iter().position(&which);
            if next.is_none() && state.giving_back == 0 && state.waiting.is_empty() {
                return Ok(());
            }
            let job = next.map(|at| state.left.swap_remove(at));
            drop(state);
            match job {
                Some(job) => drop(self.look_after(job, until_ns)),
                // Another thread is looking after it, or the user's own jobs leave no room.
                None => std::thread::sleep(Duration::from_millis(1)),
            }
            if self.is_over() {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(Error::Driver {
                    card: self.card_name().into(),
                    what: "wait until everything is given back".into(),
                    request: Request::Job,
                    errno: Errno::ETIME,
                });
            }
        }
    }
}
