// SPDX-License-Identifier: MIT OR Apache-2.0

//! The clock of the driver's times.

use std::time::{Duration, Instant};

use nix::time::{clock_gettime, ClockId};

/// Returns the present time, in nanoseconds of CLOCK_MONOTONIC.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has CLOCK_MONOTONIC");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// Returns the time `after` from now, however long that is; never 0, which has a meaning of its own in
/// requests, and never more than the kernel's own times can be.
pub(crate) fn deadline_ns(after: Duration) -> u64 {
    let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
    now_ns().saturating_add(after).clamp(1, i64::MAX as u64)
}

/// Returns the time `after` from now, however long that is.
pub(crate) fn deadline(after: Duration) -> Instant {
    /// Longer than any process lives, and short enough to be added.
    const LONG: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    Instant::now() + after.min(LONG)
}

#[cfg(test)]
#[allow(non_snake_case)] // named after the fault
mod tests {
    use super::*;

    #[test]
    fn U15_the_longest_times_are_times() {
        assert_eq!(deadline_ns(Duration::MAX), i64::MAX as u64);
        assert!(deadline_ns(Duration::ZERO) > 0);
        assert!(deadline(Duration::MAX) > deadline(Duration::from_secs(1_000_000_000)));
    }
}
