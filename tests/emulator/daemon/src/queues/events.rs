// SPDX-License-Identifier: MIT OR Apache-2.0

//! Events: marks that one stream sets and others wait for [rpc 4.1].

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

#[derive(Debug, Default)]
struct State {
    /// Records asked for so far.
    asked: u64,
    /// The latest of them that its stream has reached.
    reached: u64,
    /// No further record is asked for: the host has destroyed the event.
    destroyed: bool,
    /// Nothing is reached any more: the session has ended.
    gone: bool,
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The mark is set.
    Reached,
    /// It was not in time.
    Timeout,
    /// It never will be: the event was destroyed without such a record, or the session has ended.
    Gone,
}

/// A record on its way through a stream.  The mark is set when this is dropped: when the stream
/// reaches it, or when the stream ends before and nothing ahead of the record is done any more.
pub(crate) struct Record {
    event: Arc<Event>,
    mark: u64,
}

impl Record {
    /// A record of `event` that is to be queued.
    pub(crate) fn new(event: Arc<Event>) -> Self {
        let mark = event.ask();
        Self { event, mark }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.event.reach(self.mark);
    }
}

/// An event.
#[derive(Debug, Default)]
pub(crate) struct Event {
    state: Mutex<State>,
    news: Condvar,
}

impl Event {
    /// A record is going to be queued; the result is given to [`Self::reach`].
    fn ask(&self) -> u64 {
        let mut state = self.state.lock();
        state.asked += 1;
        state.asked
    }

    /// The mark that a wait queued now is for: the last record asked for, or the first to come.
    pub(crate) fn mark(&self) -> u64 {
        self.state.lock().asked.max(1)
    }

    /// A stream has reached the record `mark`.
    fn reach(&self, mark: u64) {
        let mut state = self.state.lock();
        state.reached = state.reached.max(mark);
        self.news.notify_all();
    }

    /// The host has no more use for the event.  What has been queued keeps its order: waits for
    /// records that have been asked for go on.
    pub(crate) fn destroy(&self) {
        self.state.lock().destroyed = true;
        self.news.notify_all();
    }

    /// Ends all waits: the session has ended.
    pub(crate) fn end(&self) {
        self.state.lock().gone = true;
        self.news.notify_all();
    }

    /// Waits until `mark` is reached.
    pub(crate) fn wait(&self, mark: u64, patience: Option<Duration>) -> Waited {
        let deadline = patience.map(|p| Instant::now() + p);
        let mut state = self.state.lock();
        loop {
            if state.reached >= mark {
                return Waited::Reached;
            }
            if state.gone || (state.destroyed && mark > state.asked) {
                return Waited::Gone;
            }
            match deadline {
                None => self.news.wait(&mut state),
                Some(at) if Instant::now() >= at => return Waited::Timeout,
                Some(at) => {
                    self.news.wait_until(&mut state, at);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_the_last_record_asked_for() {
        let event = Event::default();
        let soon = Some(Duration::from_millis(5));
        assert_eq!(event.wait(event.mark(), soon), Waited::Timeout);
        let first = event.ask();
        event.reach(first);
        assert_eq!(event.wait(event.mark(), None), Waited::Reached);
        let second = event.ask();
        assert_eq!(event.wait(event.mark(), soon), Waited::Timeout);
        event.reach(second);
        assert_eq!(event.wait(event.mark(), None), Waited::Reached);
        event.ask();
        event.destroy();
        assert_eq!(event.wait(event.mark(), soon), Waited::Timeout);
        event.end();
        assert_eq!(event.wait(event.mark(), None), Waited::Gone);
        let never = Event::default();
        never.destroy();
        assert_eq!(never.wait(never.mark(), None), Waited::Gone);
    }

    #[test]
    fn a_record_that_is_lost_holds_up_nobody() {
        let event = Arc::new(Event::default());
        let record = Record::new(event.clone());
        let mark = event.mark();
        assert_eq!(event.wait(mark, Some(Duration::ZERO)), Waited::Timeout);
        drop(record);
        assert_eq!(event.wait(mark, None), Waited::Reached);
    }
}
