// SPDX-License-Identifier: MIT OR Apache-2.0

//! A flag that is raised once, and that threads can sleep on.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Raised once, at the end of a session or of the daemon.
#[derive(Debug, Default)]
pub(crate) struct Latch {
    raised: Mutex<bool>,
    news: Condvar,
}

impl Latch {
    /// Raises the flag; false if it was up before.
    pub(crate) fn raise(&self) -> bool {
        let before = std::mem::replace(&mut *self.raised.lock(), true);
        self.news.notify_all();
        !before
    }

    /// Whether the flag is up.
    pub(crate) fn is_raised(&self) -> bool {
        *self.raised.lock()
    }

    /// Sleeps for `time`, or until the flag goes up; returns whether it is up.
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        let mut raised = self.raised.lock();
        self.news
            .wait_while_for(&mut raised, |raised| !*raised, time);
        *raised
    }
}
