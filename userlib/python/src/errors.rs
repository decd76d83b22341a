// SPDX-License-Identifier: MIT OR Apache-2.0

//! Errors of the library as Python's exceptions: one class per kind, made in `ax650/_errors.py`.

use ax650::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Returns the exception class's name for a kind of errors.
fn class(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NoCard => "NoCardError",
        ErrorKind::Permission => "PermissionError",
        ErrorKind::Busy => "BusyError",
        ErrorKind::Timeout => "TimeoutError",
        ErrorKind::LostSession => "LostSessionError",
        ErrorKind::NoMemory => "NoMemoryError",
        ErrorKind::Card => "CardError",
        ErrorKind::Invalid => "InvalidError",
        _ => "OtherError",
    }
}

/// Makes the exception for an error.
pub fn exception(py: Python<'_>, error: Error) -> PyErr {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let made = || {
        let module =
            MODULE.get_or_try_init(py, || py.import("ax650._errors").map(Bound::unbind))?;
        let class = module.bind(py).getattr(class(error.kind()))?;
        let value = class.call1((error.to_string(),))?;
        value.setattr("card_code", error.card_code().map(|code| code.0))?;
        Ok(PyErr::from_value(value))
    };
    made().unwrap_or_else(|error: PyErr| error)
}

/// Makes the exception for something that cannot be asked for.
pub fn invalid(py: Python<'_>, text: impl Into<String>) -> PyErr {
    exception(py, Error::Invalid(text.into()))
}

/// Turns the library's results into Python's.
pub trait OrRaise<T> {
    /// Returns the value, or the exception.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for ax650::Result<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| exception(py, error))
    }
}

/// Takes the end of something that was lost with its session, or that is the parent's of this process, for as good a
/// close as any.
pub fn closed(py: Python<'_>, result: ax650::Result<()>) -> PyResult<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::LostSession => Ok(()),
        result => result.or_raise(py),
    }
}
