// SPDX-License-Identifier: MIT OR Apache-2.0

//! A channel, whatever it does, and when it ends.

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crate::args::Many;
use crate::failure::{Failure, CARD};

/// A card that is fed and gives nothing for so long is stuck.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Time at which a channel ends: when it is through with what it has begun.
#[derive(Debug, Clone, Copy)]
pub struct Until {
    deadline: Option<Instant>,
    frames: Option<u64>,
}

impl Until {
    /// Begins the time of a channel.
    pub fn begin(options: &Many) -> Self {
        Self {
            deadline: (options.frames.is_none())
                .then(|| Instant::now() + Duration::from_secs_f64(options.seconds)),
            frames: options.frames,
        }
    }

    /// Tells whether it is time after `done` pictures.
    pub fn is_over(&self, done: u64) -> bool {
        self.deadline.is_some_and(|end| Instant::now() >= end)
            || self.frames.is_some_and(|frames| done >= frames)
    }
}

/// Work in a thread of its own.
pub trait Channel: Send {
    /// Works until it is time; `done` counts what was right.
    fn work(&mut self, until: Until, done: &AtomicU64) -> Result<(), Failure>;
}

/// Says that a channel gave something else than one alone.
pub fn differs(what: &str, number: u64) -> Failure {
    Failure::new(
        CARD,
        format!("{what} {number} is not what one channel alone gave"),
    )
}
