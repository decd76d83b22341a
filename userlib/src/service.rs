// SPDX-License-Identifier: MIT OR Apache-2.0

//! Services of the card that a session must start before their first use.
//!
//! They are not stopped again: the card does that when the session ends, and a stop could overtake another
//! thread's start.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::error::Result;

/// A service that has a start call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Service {
    Engine,
    Decoder,
    Encoder,
    ImageProcessor,
}

/// What a session has started.
#[derive(Debug, Default)]
pub(crate) struct Services {
    started: Mutex<HashSet<Service>>,
}

impl Services {
    /// Starts `service` unless it was; a start that failed is tried again by the next caller.
    pub(crate) fn start(&self, service: Service, start: impl FnOnce() -> Result<()>) -> Result<()> {
        // Held during the start, so that a second user waits until the service is there.
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        if !started.contains(&service) {
            start()?;
            started.insert(service);
        }
        Ok(())
    }
}
