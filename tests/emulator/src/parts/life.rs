// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the card knows of its life from reset to reset [pcie 2.1].

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

/// The host's wall clock as it told the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallClock {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds.
    pub nanoseconds: i64,
}

/// Where the card is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// L0 and L10: the link is down.
    #[default]
    Resetting,
    /// L1: the first-stage loader waits for U-Boot.
    Loader,
    /// L2: U-Boot takes images.
    UBoot,
    /// L3: Linux boots.
    Kernel,
    /// L4: handshake step 0.
    Handshake0,
    /// L5: ring set-up.
    Rings,
    /// L6: handshake step 1.
    Handshake1,
    /// L7: time sync.
    TimeSync,
    /// L8: alive.
    Alive,
}

impl State {
    /// All states, in order.
    pub const ALL: [Self; 9] = [
        Self::Resetting,
        Self::Loader,
        Self::UBoot,
        Self::Kernel,
        Self::Handshake0,
        Self::Rings,
        Self::Handshake1,
        Self::TimeSync,
        Self::Alive,
    ];

    /// Its name on the control socket.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resetting => "resetting",
            Self::Loader => "loader",
            Self::UBoot => "u-boot",
            Self::Kernel => "kernel",
            Self::Handshake0 => "handshake0",
            Self::Rings => "rings",
            Self::Handshake1 => "handshake1",
            Self::TimeSync => "timesync",
            Self::Alive => "alive",
        }
    }
}

/// Number of the time between two resets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation(pub(crate) u64);

/// The chip was reset, or the card switched off: what was going on is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted(pub(crate) ());

/// What the rest of the card and the control socket see of its life.
#[derive(Debug, Default)]
pub struct Life {
    pub(crate) generation: AtomicU64,
    pub(crate) off: AtomicBool,
    pub(crate) link_down: AtomicBool,
    pub(crate) state: Mutex<(State, Option<Instant>)>,
    pub(crate) hung: AtomicBool,
    pub(crate) boots: AtomicU64,
    pub(crate) reset_at: Mutex<Option<Instant>>,
    pub(crate) clock: Mutex<Option<WallClock>>,
}

impl Life {
    /// The present state.
    pub fn state(&self) -> State {
        self.state.lock().0
    }

    /// Milliseconds since the state was entered.
    pub fn in_state_ms(&self) -> u64 {
        let since = self.state.lock().1;
        since.map_or(0, |at| at.elapsed().as_millis() as u64)
    }

    /// The link is down for a chip reset.
    pub fn link_down(&self) -> bool {
        self.link_down.load(Ordering::SeqCst)
    }

    /// The card has met something it cannot go on from; only a reset helps.
    pub fn hung(&self) -> bool {
        self.hung.load(Ordering::SeqCst)
    }

    /// How often the card has become alive.
    pub fn boots(&self) -> u64 {
        self.boots.load(Ordering::SeqCst)
    }

    /// The number of the present time between two resets.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// The time that the host told the card at the last boot.
    pub fn clock(&self) -> Option<WallClock> {
        *self.clock.lock()
    }
}
