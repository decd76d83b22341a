// SPDX-License-Identifier: MIT OR Apache-2.0

//! Waiting without Python's lock, until Ctrl-C.

use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::errors::{invalid, OrRaise};

/// Signals are looked for so often; the driver wakes a wait at once when there is something.
const SLICE: Duration = Duration::from_millis(50);

/// Longest time that a caller may name: larger ones mean for ever.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Reads a time that a caller gave in seconds.
pub fn seconds(py: Python<'_>, what: &str, value: f64) -> PyResult<Duration> {
    if value.is_nan() || value < 0.0 {
        return Err(invalid(py, format!("{what}: {value} seconds")));
    }
    Ok(Duration::try_from_secs_f64(value)
        .unwrap_or(FOR_EVER)
        .min(FOR_EVER))
}

/// Reads a timeout that a caller gave in seconds, or did not.
pub fn limit(py: Python<'_>, value: Option<f64>) -> PyResult<Option<Duration>> {
    value.map(|value| seconds(py, "timeout", value)).transpose()
}

/// Asks `look`, which waits for as long as it is told, until there is something; `None`: not within `timeout`.
///
/// # Errors
///
/// Those of `look`, and what a handler of signals raises: KeyboardInterrupt.
pub fn patiently<T: Send>(
    py: Python<'_>,
    timeout: Option<Duration>,
    mut look: impl FnMut(Duration) -> ax650::Result<Option<T>> + Send,
) -> PyResult<Option<T>> {
    let end = timeout.map(|timeout| Instant::now() + timeout);
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let slice = left.map_or(SLICE, |left| left.min(SLICE));
        let found = py.detach(|| look(slice)).or_raise(py)?;
        if found.is_some() {
            return Ok(found);
        }
        py.check_signals()?;
        if left.is_some_and(|left| left <= slice) {
            return Ok(None);
        }
    }
}
