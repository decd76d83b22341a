// SPDX-License-Identifier: MIT OR Apache-2.0

//! Things that can be closed, or be taken for the time of a wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;

use crate::errors::{closed, invalid};

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
    /// Takes the thing out and closes it; a second time does nothing.  Whether it has ended: it does with the last of those
    /// who have a handle of it.
    pub fn end(
        &self,
        py: Python<'_>,
        timeout: Duration,
        close: impl FnOnce(T, Duration) -> ax650::Result<()> + Send,
    ) -> PyResult<bool> {
        match self.take().map(Arc::try_unwrap) {
            None => Ok(true),
            Some(Ok(thing)) => closed(py, py.detach(|| close(thing, timeout))).map(|()| true),
            Some(Err(_)) => Ok(false),
        }
    }
}
