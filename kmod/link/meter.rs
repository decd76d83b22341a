// SPDX-License-Identifier: GPL-2.0

//! How long something was in use.

use core::pin::Pin;

use kernel::{
    new_mutex,
    sync::Mutex, //
};

use crate::glue::{
    prelude::*,
    time, //
};

#[derive(Default)]
struct Use {
    /// How many use it now.
    users: u32,
    /// Since when anybody does, nanoseconds.
    since: u64,
    /// Time of earlier uses, nanoseconds.
    before: u64,
}

/// The time in which at least one user was there.  It never goes back.
pub(crate) struct Meter(
    /// A leaf.
    Pin<KBox<Mutex<Use>>>,
);

impl Meter {
    /// Makes the meter of something that nobody uses.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let meter = KBox::pin_init(new_mutex!(Use::default(), "ax650_meter"), GFP_KERNEL)?;
        Ok(Self(meter))
    }

    /// Counts one more user.
    pub(crate) fn begin(&self) {
        let mut meter = self.0.lock();
        if meter.users == 0 {
            meter.since = time::now();
        }
        meter.users = meter.users.saturating_add(1);
    }

    /// Counts one user less.
    pub(crate) fn end(&self) {
        let mut meter = self.0.lock();
        meter.users = meter.users.saturating_sub(1);
        if meter.users == 0 {
            meter.before = meter
                .before
                .wrapping_add(time::now().wrapping_sub(meter.since));
        }
    }

    /// Returns the time of all uses so far, nanoseconds.
    pub(crate) fn total_ns(&self) -> u64 {
        let meter = self.0.lock();
        match meter.users {
            0 => meter.before,
            _ => meter
                .before
                .wrapping_add(time::now().wrapping_sub(meter.since)),
        }
    }
}
