// SPDX-License-Identifier: MIT OR Apache-2.0

//! Things that can be closed, or be taken for the time of a wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::errors::{closed, invalid};

/// Between looks whether others have let go of what is to be closed.
const LOOK: Duration = Duration::from_millis(5);

/// Holds a thing until it is closed.  The lock is held for moments only, and with Python's.
pub struct Slot<T> {
    thing: Mutex<Option<T>>,
    /// What the thing is called in errors.
    what: &'static str,
}

impl<T> Slot<T> {
    /// Fills a slot.
    pub fn new(what: &'static str, thing: T) -> Self {
        Self {
            thing: Mutex::new(Some(thing)),
            what,
        }
    }

    /// Makes an empty slot.
    pub fn empty(what: &'static str) -> Self {
        Self {
            thing: Mutex::new(None),
            what,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        self.thing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the thing out; `None`: it is closed.
    pub fn take(&self) -> Option<T> {
        self.lock().take()
    }

    /// Puts the thing back.
    pub fn put(&self, thing: T) {
        *self.lock() = Some(thing);
    }

    /// Returns the error for a thing that is not there.
    pub fn missing(&self, py: Python<'_>) -> PyErr {
        invalid(py, format!("the {} is closed", self.what))
    }
}

impl<T: Clone> Slot<T> {
    /// Returns a handle of the thing.
    pub fn get(&self, py: Python<'_>) -> PyResult<T> {
        self.lock().clone().ok_or_else(|| self.missing(py))
    }
}

impl<T: Send + Sync> Slot<Arc<T>> {
    /// Takes the thing out and closes it, after threads in the middle of something with it have let go; a second time does
    /// nothing.  Whether it has ended: one of which somebody has not let go within `timeout` ends with that.
    pub fn end(
        &self,
        py: Python<'_>,
        timeout: Duration,
        close: impl FnOnce(T, Duration) -> ax650::Result<()> + Send,
    ) -> PyResult<bool> {
        let begin = Instant::now();
        let Some(mut thing) = self.take() else {
            return Ok(true);
        };
        loop {
            thing = match Arc::try_unwrap(thing) {
                Ok(thing) => {
                    let rest = timeout.saturating_sub(begin.elapsed());
                    return closed(py, py.detach(|| close(thing, rest))).map(|()| true);
                }
                Err(thing) if begin.elapsed() < timeout => thing,
                Err(_) => return Ok(false),
            };
            py.detach(|| std::thread::sleep(LOOK));
            py.check_signals()?;
        }
    }
}
