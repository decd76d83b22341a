// SPDX-License-Identifier: MIT OR Apache-2.0

//! Something happened: the one way in which threads of the card wake each other.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// A counter of happenings that can be waited for.  Take [`Event::seen`] before looking at the
/// state that the event announces; then no change between the look and the wait is missed.
#[derive(Debug, Default)]
pub struct Event {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Event {
    /// Wakes all waiters.
    pub fn notify(&self) {
        *self.count.lock() += 1;
        self.changed.notify_all();
    }

    /// The number of happenings so far.
    pub fn seen(&self) -> u64 {
        *self.count.lock()
    }

    /// Waits until something happened after `seen` was taken, at most until `deadline`
    /// (`None`: without limit).  False if the time is over.
    pub fn wait(&self, seen: u64, deadline: Option<Instant>) -> bool {
        let mut count = self.count.lock();
        while *count == seen {
            match deadline {
                None => self.changed.wait(&mut count),
                Some(at) => {
                    if self.changed.wait_until(&mut count, at).timed_out() {
                        return *count != seen;
                    }
                }
            }
        }
        true
    }

    /// Waits until `ready` gives a value, at most until `deadline`; looks again at every happening
    /// and, where `every` is given, at least that often.
    pub fn until<T>(
        &self,
        deadline: Option<Instant>,
        every: Option<Duration>,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        loop {
            let seen = self.seen();
            if let Some(value) = ready() {
                return Some(value);
            }
            let now = Instant::now();
            if deadline.is_some_and(|at| now >= at) {
                return None;
            }
            let next = every.map(|step| now + step);
            let limit = match (deadline, next) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            self.wait(seen, limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_notify_before_the_wait_is_not_lost() {
        let event = Event::default();
        let seen = event.seen();
        event.notify();
        assert!(event.wait(seen, Some(Instant::now() + Duration::from_secs(5))));
    }

    #[test]
    fn until_sees_a_change_made_by_another_thread() {
        let event = Arc::new(Event::default());
        let flag = Arc::new(Mutex::new(false));
        let (e, f) = (event.clone(), flag.clone());
        let thread = std::thread::spawn(move || {
            *f.lock() = true;
            e.notify();
        });
        let deadline = Instant::now() + Duration::from_secs(10);
        assert_eq!(
            event.until(Some(deadline), None, || flag.lock().then_some(7)),
            Some(7)
        );
        thread.join().unwrap();
        let past = Instant::now();
        assert_eq!(event.until(Some(past), None, || None::<()>), None);
    }
}
