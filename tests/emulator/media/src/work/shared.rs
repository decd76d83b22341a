// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the calls to a group or channel share with each other and with its thread.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{Builder, JoinHandle};

use super::priority::give_way;
use super::wait::{lock, Activity, Deadline};
use crate::call::errors::Fault;

/// A state, those who wait for its changes, and the thread that works on it, if there is one.
#[derive(Default)]
pub struct Shared<S> {
    state: Mutex<S>,
    changed: Condvar,
    /// No call finds it any more; its thread ends.  Changes with the state's lock.
    gone: AtomicBool,
    /// Counts what makes the thread drop what it has in hand: reset and destruction.
    epoch: AtomicU64,
    /// Told of what SelectGrp waits for.
    activity: Arc<Activity>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<S> Shared<S> {
    /// Without a thread.
    pub fn new(state: S, activity: Arc<Activity>) -> Self {
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            gone: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
            activity,
            thread: Mutex::default(),
        }
    }

    /// The state.
    pub fn state(&self) -> MutexGuard<'_, S> {
        lock(&self.state)
    }

    /// Whether it has been destroyed.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }

    /// The state of what has not been destroyed.
    pub fn alive(&self) -> Result<MutexGuard<'_, S>, Fault> {
        self.unless_gone(self.state())
    }

    fn unless_gone<'a>(&self, state: MutexGuard<'a, S>) -> Result<MutexGuard<'a, S>, Fault> {
        match self.is_gone() {
            true => Err(Fault::Unexist),
            false => Ok(state),
        }
    }

    /// Waits for a change of the state; fails with `at_once` if nothing is to be waited for.
    pub fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, S>,
        deadline: Deadline,
        at_once: Fault,
    ) -> Result<MutexGuard<'a, S>, Fault> {
        self.unless_gone(deadline.wait(&self.changed, state, at_once)?)
    }

    /// Wakes all who wait for a change.
    pub fn notify(&self) {
        self.changed.notify_all();
    }

    /// Wakes those in SelectGrp.
    pub fn notify_select(&self) {
        self.activity.notify();
    }

    /// Wakes all who wait for a change, also those in SelectGrp.
    pub fn notify_all(&self) {
        self.notify();
        self.notify_select();
    }

    /// Changes when what the thread has in hand is to be dropped.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Makes the thread drop what it has in hand.
    pub fn next_epoch(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Lets no call find it any more.
    pub fn close(&self) -> MutexGuard<'_, S> {
        let state = self.state();
        self.gone.store(true, Ordering::SeqCst);
        state
    }

    /// Waits for the end of the thread, after [`Self::close`].
    pub fn join(&self) {
        let Some(thread) = lock(&self.thread).take() else {
            return;
        };
        let name = thread.thread().name().unwrap_or_default().to_owned();
        if thread.join().is_err() {
            log::error!("the thread {name} panicked");
        }
    }

    /// What `take` finds for the thread, waiting for it; none once it is to end.  `forget` is called
    /// first if what was done so far is to be dropped: all since `epoch`.
    pub fn next<T>(
        &self,
        epoch: &mut u64,
        mut forget: impl FnMut(),
        mut take: impl FnMut(&mut S) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.alive().ok()?;
        loop {
            let now = self.epoch();
            if std::mem::replace(epoch, now) != now {
                forget();
            }
            if let Some(input) = take(&mut state) {
                drop(state);
                self.notify();
                return Some(input);
            }
            state = self.wait(state, Deadline::Never, Fault::Empty).ok()?;
        }
    }
}

impl<S: Send + 'static> Shared<S> {
    /// Starts the thread.  Should it panic, nothing more can be had of what it works on.
    pub fn start_thread(
        self: &Arc<Self>,
        name: String,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let guard = Panicking(self.clone());
        let thread = Builder::new().name(name).spawn(move || {
            let _guard = guard;
            give_way();
            work();
        })?;
        *lock(&self.thread) = Some(thread);
        Ok(())
    }
}

struct Panicking<S>(Arc<Shared<S>>);

impl<S> Drop for Panicking<S> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(self.0.close());
            self.0.notify_all();
        }
    }
}
