// SPDX-License-Identifier: GPL-2.0

//! Time in nanoseconds of `CLOCK_MONOTONIC`, as in the ioctl interface.

use kernel::{
    bindings,
    sync::{lock::Backend, CondVar, CondVarTimeoutResult},
    time::{
        delay::{fsleep, udelay},
        msecs_to_jiffies, Delta,
    },
};

/// Nanoseconds in a millisecond.
pub(crate) const MS: u64 = 1_000_000;
/// Nanoseconds in a second.
pub(crate) const S: u64 = 1_000 * MS;

/// The present time.
pub(crate) fn now() -> u64 {
    // SAFETY: no preconditions.
    unsafe { bindings::ktime_get() }.max(0) as u64
}

/// The wall clock, UTC: seconds and nanoseconds.
pub(crate) fn wall_clock() -> (i64, i64) {
    let mut ts: bindings::timespec64 = pin_init::zeroed();
    // SAFETY: writes to a local.
    unsafe { bindings::ktime_get_real_ts64(&mut ts) };
    (ts.tv_sec, ts.tv_nsec as i64)
}

/// Sleeps for `us` microseconds.
pub(crate) fn sleep_us(us: u32) {
    fsleep(Delta::from_micros(us.into()));
}

/// Spins for `us` microseconds.
pub(crate) fn delay_us(us: u32) {
    udelay(Delta::from_micros(us.into()));
}

/// Why a timed wait returned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waited {
    /// Notified, or spuriously: look again.
    Woken,
    /// The time has come.
    TimedOut,
    /// The task has a signal to handle.
    Signal,
}

/// What ends a wait before its time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signals {
    /// All.
    All,
    /// Those that kill: the caller's ABI knows no waits that signals end.
    Deadly,
}

/// A wait that goes on in spite of a signal cannot be woken; it looks as often as this.
const NAP_US: u32 = 10_000;

impl Signals {
    /// After a wait that a signal has ended: false if the wait is over, true, after a nap, if it goes
    /// on.  To be called without locks.
    pub(crate) fn ignore(self) -> bool {
        if self == Self::All || super::task::must_leave() {
            return false;
        }
        sleep_us(NAP_US);
        true
    }
}

/// Waits for a notification until `deadline`.
pub(crate) fn wait_until<T: ?Sized, B: Backend>(
    condition: &CondVar,
    guard: &mut kernel::sync::lock::Guard<'_, T, B>,
    deadline: u64,
) -> Waited {
    let left = deadline.saturating_sub(now());
    if left == 0 {
        return Waited::TimedOut;
    }
    let ms = left.div_ceil(MS).min(u64::from(u32::MAX >> 1)) as u32;
    match condition.wait_interruptible_timeout(guard, msecs_to_jiffies(ms)) {
        CondVarTimeoutResult::Signal { .. } => Waited::Signal,
        CondVarTimeoutResult::Timeout if now() >= deadline => Waited::TimedOut,
        _ => Waited::Woken,
    }
}
