// SPDX-License-Identifier: GPL-2.0

//! The card's heartbeat: a stamp in the control page that has to change in time [pcie 6].
//!
//! One rule for firmware V2 and V3: accept whenever the u32 at [`STAMP`] differs from the one
//! accepted last, and ignore the device id next to it [pcie 10].

use super::{
    handshake::ControlPage,
    register::register, //
};

register! {
    /// The card's own idea of its device id; informative [pcie 6].
    pub DEVICE(u32) @ 0x00 in ControlPage;

    /// Written by the card: milliseconds it may stay silent [pcie 6].
    pub INTERVAL(u32) @ 0x04 in ControlPage;

    /// Written by the card: any value but the one before [pcie 6].
    pub STAMP(u32) @ 0x08 in ControlPage;

    /// Written by the host: the stamp accepted last [pcie 6].
    pub ACCEPTED(u32) @ 0x0C in ControlPage;
}

/// Grace after a boot, and the longest silence a card may ask for.
pub const GRACE_MS: u32 = 50_000;
/// The shortest silence that counts, whatever the card asks for.
pub const MIN_INTERVAL_MS: u32 = 3000;

const NS_PER_MS: u64 = 1_000_000;

/// What a look at the stamp showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// The stamp has changed.
    Accepted,
    /// The stamp has not changed, and need not yet.
    Quiet,
    /// The stamp should have changed.
    Late,
}

/// Watches one boot of one card; a new boot gets a new one, and with it the full grace (R18).
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    stamp: u32,
    since_ns: u64,
    timeout_ms: u32,
    seen: bool,
}

impl Watch {
    /// Starts at `now_ns` of a monotonic clock, when the card has cleared the control page.
    pub fn new(now_ns: u64) -> Self {
        Self {
            stamp: 0,
            since_ns: now_ns,
            timeout_ms: GRACE_MS,
            seen: false,
        }
    }

    /// Judges the stamp and interval read at `now_ns`.
    pub fn on_poll(&mut self, now_ns: u64, stamp: u32, interval_ms: u32) -> Beat {
        if stamp != self.stamp {
            self.stamp = stamp;
            self.since_ns = now_ns;
            self.seen = true;
            if interval_ms != 0 {
                self.timeout_ms = interval_ms.clamp(MIN_INTERVAL_MS, GRACE_MS);
            }
            return Beat::Accepted;
        }
        if self.age_ns(now_ns) > u64::from(self.timeout_ms).saturating_mul(NS_PER_MS) {
            return Beat::Late;
        }
        Beat::Quiet
    }

    /// Grants another interval from `now_ns` on, after the card answered in another way.
    pub fn excuse(&mut self, now_ns: u64) {
        self.since_ns = now_ns;
    }

    /// Nanoseconds since the last accepted stamp, or the start.
    pub fn age_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.since_ns)
    }

    /// Returns whether any stamp was accepted: "alive" and "has beaten" are reported apart (R11).
    pub fn seen(&self) -> bool {
        self.seen
    }

    /// Returns the silence allowed now, milliseconds.
    pub fn timeout_ms(&self) -> u32 {
        self.timeout_ms
    }

    /// Returns the stamp to store at [`ACCEPTED`].
    pub fn stamp(&self) -> u32 {
        self.stamp
    }
}
