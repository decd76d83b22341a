// SPDX-License-Identifier: GPL-2.0

//! Time of `CLOCK_MONOTONIC`, and waiting for it to pass.

use kernel::{
    bindings,
    prelude::*,
    sync::{
        lock::Backend,
        CondVar,
        CondVarTimeoutResult,
        Mutex, //
    },
    time::{
        msecs_to_jiffies,
        Monotonic, //
    }, //
};

pub(crate) use kernel::{
    io::poll::{
        read_poll_timeout,
        read_poll_timeout_atomic, //
    },
    time::{
        delay::{
            fsleep,
            udelay, //
        },
        Delta, //
    }, //
};

/// A point in time.  Adding one of the driver's bounds to the present does not overflow: the clock has room
/// for 292 years.
pub(crate) type Instant = kernel::time::Instant<Monotonic>;

/// Nanoseconds in a millisecond.
pub(crate) const MS: u64 = 1_000_000;
/// Nanoseconds in a second.
pub(crate) const S: u64 = 1_000 * MS;

/// When the clock began: before everything.
// SAFETY: an `Instant` is a transparent wrapper of nanoseconds since then, which may be 0.
pub(crate) const EPOCH: Instant = unsafe { core::mem::transmute::<bindings::ktime_t, Instant>(0) };

/// A point in time as an [`Instant`], or in nanoseconds as in the ioctl interface.
pub(crate) trait Moment: Copy {
    /// Returns the point in time as an instant.
    fn instant(self) -> Instant;

    /// Returns the point in time in nanoseconds.
    fn nanos(self) -> u64 {
        // By the invariant of `Instant` the difference is not negative.
        (self.instant() - EPOCH).as_nanos() as u64
    }

    /// Returns how long it is until then, 0 if that is over.
    fn left(self) -> Delta {
        Delta::ZERO.max(self.instant() - Instant::now())
    }
}

impl Moment for Instant {
    fn instant(self) -> Instant {
        self
    }
}

/// What the clock cannot count to is the last moment it can.
impl Moment for u64 {
    fn instant(self) -> Instant {
        // PANIC: 0 and at most `i64::MAX` are not more than that.
        EPOCH + Delta::from_nanos(i64::try_from(self).unwrap_or(i64::MAX))
    }
}

/// Returns the present time in nanoseconds, for the ioctl interface.
pub(crate) fn now() -> u64 {
    Instant::now().nanos()
}

/// Returns the wall clock, UTC: seconds and nanoseconds.
pub(crate) fn wall_clock() -> (i64, i64) {
    let mut ts: bindings::timespec64 = pin_init::zeroed();
    // SAFETY: writes to a local.
    unsafe { bindings::ktime_get_real_ts64(&mut ts) };
    (ts.tv_sec, ts.tv_nsec as i64)
}

/// Calls `look` until it finds something, with a `pause` after each time, for `timeout`; `None` if it has
/// found nothing by then.
///
/// For what has more to look at than a condition, such as a card that may go or a thread that may be
/// stopped: `look` fails then, and that ends it.
///
/// # Errors
///
/// Those of `look`.
pub(crate) fn poll<R, E>(
    pause: Delta,
    timeout: Delta,
    mut look: impl FnMut() -> Result<Option<R>, E>,
) -> Result<Option<R>, E> {
    let found = read_poll_timeout(|| Ok(look().transpose()), Option::is_some, pause, timeout);
    // The only error is that of time.
    found.ok().flatten().transpose()
}

/// Pauses between looks at what nobody tells of: a part of the time that was waited so far, so that looks
/// are few and still late by no more than that part.
pub(crate) struct Pauses {
    /// The time waited is divided by this.
    pub(crate) part: i64,
    /// The shortest pause.
    pub(crate) least: Delta,
    /// The longest pause.
    pub(crate) most: Delta,
}

/// Calls `look` like [`poll`], with `pauses` that grow from `since` on.
///
/// # Errors
///
/// Those of `look`.
pub(crate) fn poll_less_often<R, E>(
    pauses: &Pauses,
    since: Instant,
    timeout: Delta,
    mut look: impl FnMut() -> Result<Option<R>, E>,
) -> Result<Option<R>, E> {
    loop {
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        let waited = since.elapsed();
        if waited >= timeout {
            return Ok(None);
        }
        let pause = Delta::from_nanos(waited.as_nanos() / pauses.part);
        fsleep(pause.clamp(pauses.least, pauses.most));
    }
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
    /// Signals that kill: the caller's ABI knows no waits that signals end.
    Deadly,
}

/// A wait that goes on in spite of a signal cannot be woken; it looks as often as this.
const NAP: Delta = Delta::from_millis(10);

impl Signals {
    /// Decides after a wait that a signal has ended: false if the wait is over, true, after a nap, if it
    /// goes on.  To be called without locks.
    pub(crate) fn ignore(self) -> bool {
        if self == Self::All || super::task::must_leave() {
            return false;
        }
        fsleep(NAP);
        true
    }
}

/// Waits for a notification until `deadline`.
pub(crate) fn wait_until<T: ?Sized, B: Backend>(
    condition: &CondVar,
    guard: &mut kernel::sync::lock::Guard<'_, T, B>,
    deadline: Instant,
) -> Waited {
    let left = deadline.left();
    if left.is_zero() {
        return Waited::TimedOut;
    }
    let ms = (left.as_nanos() as u64)
        .div_ceil(MS)
        .min(u64::from(u32::MAX >> 1)) as u32;
    match condition.wait_interruptible_timeout(guard, msecs_to_jiffies(ms)) {
        CondVarTimeoutResult::Signal { .. } => Waited::Signal,
        CondVarTimeoutResult::Timeout if deadline.left().is_zero() => Waited::TimedOut,
        _ => Waited::Woken,
    }
}

/// Waits until `look`, called with the lock held and again after each notification, finds something.
///
/// # Errors
///
/// Those of `look`; `ETIMEDOUT` at `deadline`; `ERESTARTSYS` for a signal of those that end the wait.
pub(crate) fn wait_for<T: Unpin, R>(
    lock: &Mutex<T>,
    condition: &CondVar,
    deadline: Instant,
    signals: Signals,
    mut look: impl FnMut(&mut T) -> Result<Option<R>>,
) -> Result<R> {
    let mut guard = lock.lock();
    loop {
        if let Some(found) = look(&mut guard)? {
            return Ok(found);
        }
        match wait_until(condition, &mut guard, deadline) {
            Waited::Woken => {}
            Waited::TimedOut => return Err(ETIMEDOUT),
            Waited::Signal => {
                drop(guard);
                if !signals.ignore() {
                    return Err(ERESTARTSYS);
                }
                guard = lock.lock();
            }
        }
    }
}
