// SPDX-License-Identifier: MIT OR Apache-2.0

//! How the card's threads wait, and how a reset ends what they wait for.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use log::{info, warn};

use super::Card;
use crate::parts::{Generation, Interrupted, State};

impl Card {
    /// The card has been switched off.
    pub(crate) fn is_off(&self) -> bool {
        self.life.off.load(Ordering::SeqCst)
    }

    pub(crate) fn check(&self, generation: Generation) -> Result<(), Interrupted> {
        if self.life.generation() != generation.0 || self.is_off() {
            return Err(Interrupted(()));
        }
        Ok(())
    }

    /// Waits until `ready` gives a value.
    pub(crate) fn wait<T>(
        &self,
        generation: Generation,
        ready: impl FnMut() -> Option<T>,
    ) -> Result<T, Interrupted> {
        // Without a deadline the wait does not end without a value.
        let value = self.wait_until(generation, None, None, ready)?;
        value.ok_or(Interrupted(()))
    }

    /// Waits until `ready` gives a value, or `deadline` has passed (`None`).  Looks whenever
    /// something happens to the card, and as often as `every` says.  While the card stands still
    /// neither happens.
    pub(crate) fn wait_until<T>(
        &self,
        generation: Generation,
        deadline: Option<Instant>,
        every: Option<Duration>,
        mut ready: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, Interrupted> {
        loop {
            let seen = self.event.seen();
            self.check(generation)?;
            if self.frozen() {
                self.event.wait(seen, None);
                continue;
            }
            if let Some(value) = ready() {
                return Ok(Some(value));
            }
            let now = Instant::now();
            if deadline.is_some_and(|at| now >= at) {
                return Ok(None);
            }
            let next = every.map(|step| now + step);
            let limit = [deadline, next].into_iter().flatten().min();
            self.event.wait(seen, limit);
        }
    }

    /// Lets time pass.
    pub(crate) fn pause(&self, generation: Generation, time: Duration) -> Result<(), Interrupted> {
        let deadline = Instant::now().checked_add(time);
        self.wait_until(generation, deadline, None, || None::<()>)?;
        Ok(())
    }

    /// Waits while the card stands still.
    pub(crate) fn thaw(&self, generation: Generation) -> Result<(), Interrupted> {
        self.check(generation)?;
        if self.frozen() {
            self.wait(generation, || Some(()))?;
        }
        Ok(())
    }

    /// The card cannot go on: waits for the reset.
    pub(crate) fn hang(&self, generation: Generation) -> Interrupted {
        self.life.hung.store(true, Ordering::SeqCst);
        self.counters.hit("boot.hung");
        warn!("the card hangs in state {}", self.life.state().name());
        match self.wait(generation, || None::<Infallible>) {
            Ok(never) => match never {},
            Err(interrupted) => interrupted,
        }
    }

    pub(crate) fn enter(&self, state: State) {
        let mut now = self.life.state.lock();
        if now.0 != state || now.1.is_none() {
            info!("state: {}", state.name());
            *now = (state, Some(Instant::now()));
        }
        drop(now);
        self.event.notify();
    }

    /// The host has written the reset register: from now on nothing answers, and all work of this
    /// generation fails.  The card's thread does the rest.
    pub fn chip_reset(&self) {
        info!("chip reset");
        self.counters.hit("reset.chip");
        self.life.link_down.store(true, Ordering::SeqCst);
        self.life.generation.fetch_add(1, Ordering::SeqCst);
        *self.life.reset_at.lock() = Some(Instant::now());
        self.host.set_link(false);
        self.function_reset();
        self.enter(State::Resetting);
        self.wake();
    }
}
