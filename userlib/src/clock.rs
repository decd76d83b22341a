// SPDX-License-Identifier: MIT OR Apache-2.0

//! The clock of the driver's times.

use std::time::Duration;

use nix::time::{clock_gettime, ClockId};

/// Now, in nanoseconds of CLOCK_MONOTONIC.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has CLOCK_MONOTONIC");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// The time `after` from now; never 0, which has a meaning of its own in requests.
pub(crate) fn deadline_ns(after: Duration) -> u64 {
    let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
    now_ns().saturating_add(after).max(1)
}
