// SPDX-License-Identifier: MIT OR Apache-2.0

//! Streams: in-order queues, each with a thread of its own, so that a call that blocks holds up
//! nothing but its own stream [rpc 4.1].

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ax650_emu_api::Link;
use parking_lot::{Condvar, Mutex};

use super::events::{Event, Record, Waited};

/// A call that waits for its turn.
pub(crate) trait Call: Send {
    /// Runs it: its turn has come.
    fn run(self: Box<Self>);
    /// Answers it with `status` instead: it has got no place in the stream.
    fn refuse(self: Box<Self>, why: &str, status: u32);
}

/// Something to be done when a stream reaches it.
pub(crate) enum Work {
    /// A request of the host's.
    Call(Box<dyn Call>),
    /// Anything else that is short.
    Then(Box<dyn FnOnce() + Send>),
    /// Set the mark of an event.
    Record(Record),
    /// Wait for the mark of an event, at most this long.
    Wait(Arc<Event>, u64, Option<Duration>),
    /// The stream is destroyed here.
    Last(Box<dyn FnOnce() + Send>),
}

#[derive(Default)]
struct Queue {
    work: VecDeque<Work>,
    busy: bool,
    closed: bool,
}

/// A stream of a context.
#[derive(Default)]
pub(crate) struct Stream {
    queue: Mutex<Queue>,
    news: Condvar,
}

impl Stream {
    /// More work than this is refused: a sane host waits long before.
    pub(crate) const LIMIT: usize = 4096;

    /// Queues `work`; gives it back if the queue is full or closed.
    pub(crate) fn put(&self, work: Work) -> Result<(), Work> {
        let mut queue = self.queue.lock();
        if queue.closed || queue.work.len() >= Self::LIMIT {
            return Err(work);
        }
        queue.work.push_back(work);
        self.news.notify_one();
        Ok(())
    }

    /// Whether nothing is queued or being done.
    pub(crate) fn idle(&self) -> bool {
        let queue = self.queue.lock();
        queue.work.is_empty() && !queue.busy
    }

    /// Pieces of work not yet done.
    pub(crate) fn depth(&self) -> usize {
        let queue = self.queue.lock();
        queue.work.len() + usize::from(queue.busy)
    }

    /// Throws away what is queued; the thread ends after what it is doing.
    pub(crate) fn close(&self) {
        let dropped = {
            let mut queue = self.queue.lock();
            queue.closed = true;
            std::mem::take(&mut queue.work)
        };
        drop(dropped);
        self.news.notify_one();
    }

    fn next(&self) -> Option<Work> {
        let mut queue = self.queue.lock();
        queue.busy = false;
        loop {
            if queue.closed {
                return None;
            }
            if let Some(work) = queue.work.pop_front() {
                queue.busy = true;
                return Some(work);
            }
            self.news.wait(&mut queue);
        }
    }

    /// The loop of the stream's thread.
    pub(crate) fn serve(&self, link: &dyn Link) {
        while let Some(work) = self.next() {
            match work {
                Work::Call(call) => call.run(),
                Work::Then(job) => job(),
                Work::Record(record) => drop(record),
                Work::Wait(event, mark, patience) => match event.wait(mark, patience) {
                    Waited::Reached => {}
                    Waited::Timeout => link.count("events.timeouts", 1),
                    Waited::Gone => link.count("events.gone", 1),
                },
                Work::Last(job) => {
                    self.close();
                    job();
                }
            }
        }
    }
}
