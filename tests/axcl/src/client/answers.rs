// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who waits for which answer.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};

use crate::wire::header::{Header, Key};

/// The calls that are under way.
#[derive(Debug, Default)]
pub struct Answers {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<Key, Option<Vec<u8>>>,
    strays: Vec<Header>,
    failed: Option<String>,
}

impl Answers {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There will be an answer to this one.
    pub fn expect(&self, header: &Header) {
        self.lock().waiting.insert(header.key(), None);
    }

    /// There is one.
    pub fn deliver(&self, frame: Vec<u8>) -> Result<()> {
        let header = Header::from_frame(&frame).context("a frame without a header")?;
        let mut state = self.lock();
        match state.waiting.get_mut(&header.key()) {
            Some(place @ None) => *place = Some(frame),
            // Answered twice, or nobody's.
            _ => state.strays.push(header),
        }
        self.arrived.notify_all();
        Ok(())
    }

    /// There will be no more.
    pub fn fail(&self, why: String) {
        self.lock().failed.get_or_insert(why);
        self.arrived.notify_all();
    }

    /// Waits for the answer to this one.
    pub fn wait(&self, header: &Header, limit: Duration) -> Result<Vec<u8>> {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            if let Some(Some(_)) = state.waiting.get(&header.key()) {
                let frame = state.waiting.remove(&header.key()).flatten();
                return frame.context("no answer");
            }
            if let Some(why) = &state.failed {
                bail!("{why}");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.waiting.remove(&header.key());
                bail!("no answer to {header:x?} in {limit:?}");
            }
            state = self
                .arrived
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Answers that nobody was waiting for.
    pub fn strays(&self) -> Vec<Header> {
        self.lock().strays.clone()
    }
}
