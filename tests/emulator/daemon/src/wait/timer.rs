// SPDX-License-Identifier: MIT OR Apache-2.0

//! Things to be done later: late answers and the ends of bounded waits, all in one thread.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

type Job = Box<dyn FnOnce() + Send>;

struct Entry {
    at: Instant,
    /// Keeps the order of entries of the same instant.
    number: u64,
    job: Job,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

#[derive(Default)]
struct State {
    heap: BinaryHeap<Reverse<Entry>>,
    next: u64,
    stopped: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    news: Condvar,
}

/// One thread that runs jobs at their times.
pub(crate) struct Timer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Timer {
    /// Starts the thread.
    pub(crate) fn new() -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = {
            let shared = shared.clone();
            std::thread::Builder::new()
                .name("card-timer".into())
                .spawn(move || run(&shared))?
        };
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Runs `job` after `delay`.  It is dropped unrun if the timer is stopped before.
    pub(crate) fn after(&self, delay: Duration, job: impl FnOnce() + Send + 'static) {
        let mut state = self.shared.state.lock();
        if state.stopped {
            return;
        }
        let number = state.next;
        state.next += 1;
        state.heap.push(Reverse(Entry {
            at: Instant::now() + delay,
            number,
            job: Box::new(job),
        }));
        self.shared.news.notify_one();
    }

    /// Drops what has not been run and ends the thread.
    pub(crate) fn stop(&self) {
        let dropped = {
            let mut state = self.shared.state.lock();
            state.stopped = true;
            std::mem::take(&mut state.heap)
        };
        // Jobs hold references to sessions: dropped without the lock.
        drop(dropped);
        self.shared.news.notify_one();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared) {
    ax650_emu_api::priority::urgent();
    let mut state = shared.state.lock();
    while !state.stopped {
        let due = match state.heap.peek() {
            None => {
                shared.news.wait(&mut state);
                continue;
            }
            Some(Reverse(entry)) => entry.at,
        };
        if due > Instant::now() {
            shared.news.wait_until(&mut state, due);
            continue;
        }
        if let Some(Reverse(entry)) = state.heap.pop() {
            parking_lot::MutexGuard::unlocked(&mut state, entry.job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn runs_in_order_of_time_and_stops() {
        let timer = Timer::new().unwrap();
        let (tell, told) = mpsc::channel();
        for (delay, what) in [(30, "late"), (1, "early"), (100_000, "never")] {
            let tell = tell.clone();
            timer.after(Duration::from_millis(delay), move || {
                let _ = tell.send(what);
            });
        }
        drop(tell);
        assert_eq!(told.recv(), Ok("early"));
        assert_eq!(told.recv(), Ok("late"));
        timer.stop();
        assert!(told.recv().is_err());
    }
}
