// SPDX-License-Identifier: MIT OR Apache-2.0

//! The thread of a codec that waits for what comes out of it, so that its element need not.

use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use ax650::media::Received;
use ax650::Error;

use crate::card::lock;

/// How long one question to the card lasts.
const SLICE: Duration = Duration::from_millis(100);
/// The same where something waits to be delivered.
const SHORT: Duration = Duration::from_millis(5);

/// What a [`Worker`] waits for.
pub trait Source: Send + 'static {
    /// What comes.
    type Item: Send + 'static;
    /// Waits for something, for `timeout` at most.
    fn receive(&mut self, timeout: Duration) -> ax650::Result<Received<Self::Item>>;
    /// Tells whether nothing can come at the moment.
    fn is_idle(&self) -> bool;
}

/// A thread that receives, and what it has received.
#[derive(Debug)]
pub struct Worker<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    ready: VecDeque<T>,
    count: u64,
    failure: Option<Error>,
    has_ended: bool,
    stop: bool,
    is_gone: bool,
}

impl<T: Send + 'static> Worker<T> {
    /// Starts the thread.  It calls `deliver` while there is something to be taken and nobody takes it.
    pub fn start<S: Source<Item = T>>(
        mut source: S,
        mut deliver: impl FnMut() + Send + 'static,
    ) -> ax650::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                ready: VecDeque::new(),
                count: 0,
                failure: None,
                has_ended: false,
                stop: false,
                is_gone: false,
            }),
            changed: Condvar::new(),
        });
        let mine = shared.clone();
        let run = move || {
            let run = AssertUnwindSafe(|| mine.run(&mut source, &mut deliver));
            if catch_unwind(run).is_err() {
                mine.change(|state| {
                    state.failure = Some(Error::Invalid("the receiving thread failed".into()));
                });
            }
            drop(source);
            mine.change(|state| state.is_gone = true);
        };
        std::thread::Builder::new()
            .name("ax650-receive".into())
            .spawn(run)
            .map_err(|error| Error::Invalid(format!("a thread cannot be started: {error}")))?;
        Ok(Self { shared })
    }

    /// Takes the next of what has come.
    pub fn take(&self) -> Option<T> {
        lock(&self.shared.state).ready.pop_front()
    }

    /// Takes the error that has ended the thread.
    pub fn failure(&self) -> Option<Error> {
        lock(&self.shared.state).failure.take()
    }

    /// Tells whether all has come and was taken.
    pub fn has_ended(&self) -> bool {
        let state = lock(&self.shared.state);
        state.has_ended && state.ready.is_empty()
    }

    /// How much has come so far.
    pub fn count(&self) -> u64 {
        lock(&self.shared.state).count
    }

    /// Waits until there is something to take or to tell, for `timeout` at most.
    pub fn wait(&self, timeout: Duration) {
        let nothing = |state: &mut State<T>| {
            state.ready.is_empty() && state.failure.is_none() && !state.has_ended && !state.is_gone
        };
        self.shared.wait_while(timeout, nothing);
    }

    /// Tells the thread that it need not be idle any more.
    pub fn wake(&self) {
        self.shared.changed.notify_all();
    }

    /// Tells the thread to end, and waits for that for `timeout` at most: it may be waiting for the card.
    pub fn stop(self, timeout: Duration) {
        self.shared.change(|state| state.stop = true);
        self.shared.wait_while(timeout, |state| !state.is_gone);
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        self.shared.change(|state| state.stop = true);
    }
}

impl<T> Shared<T> {
    fn change(&self, change: impl FnOnce(&mut State<T>)) {
        change(&mut lock(&self.state));
        self.changed.notify_all();
    }

    fn wait_while(&self, timeout: Duration, condition: impl FnMut(&mut State<T>) -> bool) {
        let waited = self
            .changed
            .wait_timeout_while(lock(&self.state), timeout, condition);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn run<S: Source<Item = T>>(&self, source: &mut S, deliver: &mut dyn FnMut()) {
        loop {
            let (stop, done, waiting) = {
                let state = lock(&self.state);
                let done = state.has_ended || state.failure.is_some();
                (state.stop, done, done || !state.ready.is_empty())
            };
            if stop {
                return;
            }
            if waiting {
                deliver();
            }
            if done {
                // Somebody has to hear of it.
                self.wait_while(SHORT, |state| !state.stop);
                let state = lock(&self.state);
                if state.ready.is_empty() && state.failure.is_none() {
                    return;
                }
                continue;
            }
            if source.is_idle() {
                self.wait_while(SLICE, |state| !state.stop && source.is_idle());
                continue;
            }
            let left = !lock(&self.state).ready.is_empty();
            match source.receive(if left { SHORT } else { SLICE }) {
                Ok(Received::Some(item)) => self.change(|state| {
                    state.count += 1;
                    state.ready.push_back(item);
                }),
                Ok(Received::Nothing) => {}
                Ok(Received::End) => self.change(|state| state.has_ended = true),
                Err(error) => self.change(|state| state.failure = Some(error)),
            }
        }
    }
}
