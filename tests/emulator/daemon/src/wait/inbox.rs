// SPDX-License-Identifier: MIT OR Apache-2.0

//! A bounded queue of messages between the ring and a thread of the daemon.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Why nothing was taken from an [`Inbox`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Empty {
    /// Nothing came in time.
    Timeout,
    /// The session has ended.
    Closed,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Vec<u8>>,
    closed: bool,
}

/// Messages of one port, in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    news: Condvar,
}

impl Inbox {
    /// More waiting messages than this are refused: a sane host has a handful in flight.
    pub(crate) const LIMIT: usize = 4096;

    /// Adds a message; false if the inbox is closed or full.
    pub(crate) fn put(&self, message: Vec<u8>) -> bool {
        let mut state = self.state.lock();
        if state.closed || state.messages.len() >= Self::LIMIT {
            return false;
        }
        state.messages.push_back(message);
        self.news.notify_one();
        true
    }

    /// Puts a message back to the front.
    pub(crate) fn put_back(&self, message: Vec<u8>) {
        self.state.lock().messages.push_front(message);
        self.news.notify_one();
    }

    /// Takes the next message, waiting for it up to `patience` (`None`: until the inbox is closed).
    pub(crate) fn take(&self, patience: Option<Duration>) -> Result<Vec<u8>, Empty> {
        let deadline = patience.map(|p| Instant::now() + p);
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return Err(Empty::Closed);
            }
            if let Some(message) = state.messages.pop_front() {
                return Ok(message);
            }
            match deadline {
                None => self.news.wait(&mut state),
                Some(at) if self.news.wait_until(&mut state, at).timed_out() => {
                    if state.messages.is_empty() && !state.closed {
                        return Err(Empty::Timeout);
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// Throws away what waits; returns how many messages that were.
    pub(crate) fn drain(&self) -> usize {
        std::mem::take(&mut self.state.lock().messages).len()
    }

    /// Ends all waiting, now and later.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.messages.clear();
        self.news.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_bounds_and_end() {
        let inbox = Inbox::default();
        assert!(inbox.put(vec![1]));
        assert!(inbox.put(vec![2]));
        let first = inbox.take(None).unwrap();
        inbox.put_back(first);
        assert_eq!(inbox.take(None), Ok(vec![1]));
        assert_eq!(inbox.take(None), Ok(vec![2]));
        assert_eq!(
            inbox.take(Some(Duration::from_millis(1))),
            Err(Empty::Timeout)
        );
        for _ in 0..Inbox::LIMIT {
            assert!(inbox.put(vec![]));
        }
        assert!(!inbox.put(vec![]));
        assert_eq!(inbox.drain(), Inbox::LIMIT);
        inbox.close();
        assert!(!inbox.put(vec![]));
        assert_eq!(inbox.take(None), Err(Empty::Closed));
    }
}
