// SPDX-License-Identifier: MIT OR Apache-2.0

//! Things that can be closed, or be taken for the time of a wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;

use crate::errors::invalid;

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
