// SPDX-License-Identifier: MIT OR Apache-2.0

//! Waiting with the card's timeouts: -1 for ever, 0 not at all, else milliseconds.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::call::errors::Fault;

/// Locks, also after a thread has panicked with the lock held: the state is plain data.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until when a caller waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// It does not.
    Now,
    /// A point in time.
    At(Instant),
    /// Until it gets what it wants or its session ends.
    Never,
}

impl Deadline {
    /// The deadline of a timeout argument in milliseconds.
    pub fn after(ms: i32) -> Self {
        match ms {
            0 => Self::Now,
            1.. => Self::At(Instant::now() + Duration::from_millis(ms.unsigned_abs().into())),
            _ => Self::Never,
        }
    }

    /// Waits for `changed` until the deadline at most.  After it: [`Fault::TimedOut`]; if nothing
    /// is to be waited for: `at_once`.
    pub fn wait<'a, T>(
        self,
        changed: &Condvar,
        guard: MutexGuard<'a, T>,
        at_once: Fault,
    ) -> Result<MutexGuard<'a, T>, Fault> {
        match self {
            Self::Now => Err(at_once),
            Self::Never => Ok(changed.wait(guard).unwrap_or_else(PoisonError::into_inner)),
            Self::At(end) => {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Fault::TimedOut);
                }
                Ok(changed
                    .wait_timeout(guard, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0)
            }
        }
    }
}

/// Something that callers wait for across groups or channels: counts events.
#[derive(Debug, Default)]
pub struct Activity {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Activity {
    /// The number of events so far.
    pub fn count(&self) -> u64 {
        *lock(&self.count)
    }

    /// One more event.
    pub fn notify(&self) {
        *lock(&self.count) += 1;
        self.changed.notify_all();
    }

    /// Waits until there are more than `seen` events.
    pub fn wait(&self, seen: u64, deadline: Deadline, at_once: Fault) -> Result<(), Fault> {
        let mut count = lock(&self.count);
        while *count == seen {
            count = deadline.wait(&self.changed, count, at_once)?;
        }
        Ok(())
    }
}
