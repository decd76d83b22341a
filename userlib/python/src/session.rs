// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sessions.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::closed;
use crate::model::{self, Model};
use crate::slot::Slot;
use crate::wait::seconds;

/// A serving process on a card.
#[pyclass(frozen, module = "ax650._ax650")]
pub struct Session {
    slot: Slot<ax650::Session>,
}

impl Session {
    /// Wraps a session.
    pub fn new(session: ax650::Session) -> Self {
        Self {
            slot: Slot::new("session", session),
        }
    }

    /// Returns a handle of the session.
    pub fn get(&self, py: Python<'_>) -> PyResult<ax650::Session> {
        self.slot.get(py)
    }
}

#[pymethods]
impl Session {
    #[getter]
    fn card_name(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.get(py)?.card_name().to_owned())
    }

    /// Loads the model in a file.
    fn load_file(&self, py: Python<'_>, path: &str) -> PyResult<Model> {
        model::load_file(py, &self.get(py)?, path)
    }

    /// Loads a model that is in memory.
    fn load_bytes(&self, py: Python<'_>, image: &Bound<'_, PyBytes>) -> PyResult<Model> {
        model::load_bytes(py, &self.get(py)?, image.as_bytes())
    }

    /// Ends the session; a second time does nothing.
    fn close(&self, py: Python<'_>, timeout: f64) -> PyResult<()> {
        let timeout = seconds(py, "timeout", timeout)?;
        let Some(session) = self.slot.take() else {
            return Ok(());
        };
        closed(py, py.detach(|| session.close(timeout)))
    }
}
