// SPDX-License-Identifier: GPL-2.0

//! Times and errors as jobs know them.

use std::io;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::time::{clock_gettime, ClockId};

/// How long a job may take that does not say it.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the time that jobs are stamped with, nanoseconds of CLOCK_MONOTONIC.
pub(crate) fn now_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map(|now| Duration::from(now).as_nanos() as u64)
        .unwrap_or(0)
}

/// Returns when a job has to end.
pub(crate) fn deadline(deadline_ns: u64) -> Instant {
    /// Nobody waits longer.
    const MOST: Duration = Duration::from_secs(1 << 30);
    let left = match deadline_ns {
        0 => DEFAULT_TIMEOUT,
        until => Duration::from_nanos(until.saturating_sub(now_ns())).min(MOST),
    };
    Instant::now() + left
}

/// Makes a number of an error.
pub(crate) fn errno(error: io::Error) -> Errno {
    match error.raw_os_error() {
        Some(number) => Errno::from_raw(number),
        None if error.kind() == io::ErrorKind::OutOfMemory => Errno::ENOMEM,
        None if error.kind() == io::ErrorKind::InvalidInput => Errno::EINVAL,
        // A register that gives fewer bytes than it has.
        None => Errno::EIO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines() {
        let now = Instant::now();
        assert!(deadline(0) >= now + DEFAULT_TIMEOUT);
        assert!(deadline(1) <= Instant::now());
        assert!(deadline(u64::MAX) > now + Duration::from_secs(1 << 29));
        let soon = deadline(now_ns() + 1_000_000_000);
        assert!(soon > now && soon < now + Duration::from_secs(10));
    }

    #[test]
    fn errors() {
        assert_eq!(errno(io::Error::from(Errno::ENXIO)), Errno::ENXIO);
        assert_eq!(errno(io::ErrorKind::InvalidInput.into()), Errno::EINVAL);
        assert_eq!(errno(io::ErrorKind::UnexpectedEof.into()), Errno::EIO);
    }
}
