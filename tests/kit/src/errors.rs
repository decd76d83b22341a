// SPDX-License-Identifier: MIT OR Apache-2.0

//! Requests that must fail.

use std::io;

use anyhow::{bail, Result};

/// Checks that the request has failed with this errno; `what` it was, for the message.
pub fn expect<T>(errno: i32, result: io::Result<T>, what: impl FnOnce() -> String) -> Result<()> {
    expect_any(&[errno], result, what)
}

/// Checks that the request has failed with one of these errnos.
pub fn expect_any<T>(
    errnos: &[i32],
    result: io::Result<T>,
    what: impl FnOnce() -> String,
) -> Result<()> {
    let name = |errno: i32| io::Error::from_raw_os_error(errno).to_string();
    let wanted = || {
        errnos
            .iter()
            .map(|&e| name(e))
            .collect::<Vec<_>>()
            .join(", or: ")
    };
    match result {
        Ok(_) => bail!("{}: accepted, not refused with: {}", what(), wanted()),
        Err(e)
            if e.raw_os_error()
                .is_some_and(|errno| errnos.contains(&errno)) =>
        {
            Ok(())
        }
        Err(e) => bail!("{}: {e}, not: {}", what(), wanted()),
    }
}

/// Returns the errno of a request, 0 if it went well.
pub fn errno<T>(result: io::Result<T>) -> i32 {
    result.err().map_or(0, |e| e.raw_os_error().unwrap_or(-1))
}
