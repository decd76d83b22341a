// SPDX-License-Identifier: MIT OR Apache-2.0

//! Waiting for the card: until when, how often, and who.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ax650_uapi::{ax650_telemetry, Plain, AX650_QUERY_TELEMETRY};

use super::Received;
use crate::call::Call;
use crate::error::{Error, Result};
use crate::info::Telemetry;
use crate::session::Session;
use crate::stream::Stream;

/// How long the card may sit on one call; then the library asks again, so that nothing lasts too long.
pub(super) const TURN: Duration = Duration::from_millis(1000);
/// First and longest pause between two calls that the card answers at once.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(100));

/// A point in time, or never.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// Returns the moment in `time` from now; what is too far away to be counted is never.
    pub fn after(time: Duration) -> Self {
        Self(Instant::now().checked_add(time))
    }

    /// Returns the time until then.
    pub fn left(&self) -> Duration {
        let left = |end: Instant| end.saturating_duration_since(Instant::now());
        self.0.map_or(Duration::MAX, left)
    }

    /// Asks `ask` again and again, for a turn each time, until something comes or the time is over.
    pub fn receive<T>(self, mut ask: impl FnMut(Duration) -> Result<T>) -> Result<Received<T>> {
        let mut pause = Pause::default();
        loop {
            let turn = self.left().min(TURN);
            let asked = Instant::now();
            match ask(turn) {
                Ok(something) => return Ok(Received::Some(something)),
                Err(Error::Card { code, .. }) if code.is_end() => return Ok(Received::End),
                Err(Error::Card { code, .. }) if code.is_timeout() || code.is_empty() => {}
                Err(error) => return Err(error),
            }
            // "Empty" may come at once.
            pause.after(asked, self.left());
            if self.left().is_zero() {
                return Ok(Received::Nothing);
            }
        }
    }
}

/// Pauses between calls that the card answers without having waited itself.
#[derive(Debug)]
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(PAUSE.0)
    }
}

impl Pause {
    /// Pauses after a call that was made at `asked`, for `limit` at most.
    fn after(&mut self, asked: Instant, limit: Duration) {
        if asked.elapsed() < TURN / 2 {
            std::thread::sleep(self.0.min(limit));
            self.0 = (2 * self.0).min(PAUSE.1);
        }
    }
}

/// Repeats `send` while the card has no room or no memory, for `patience` at most.
pub(super) fn send_patiently<T>(
    session: &Session,
    patience: Duration,
    mut send: impl FnMut() -> Result<T>,
) -> Result<T> {
    let deadline = Deadline::after(patience);
    let mut pause = Pause::default();
    loop {
        let asked = Instant::now();
        let (what, code) = match send() {
            Err(Error::Card { what, code }) if code.is_timeout() || code.is_no_memory() => {
                (what, code)
            }
            result => return result,
        };
        let left = deadline.left();
        if left.is_zero() {
            let what = match free_memory(session) {
                Some(free) if code.is_no_memory() => {
                    format!("{what} ({free} MiB of card memory are free)")
                }
                _ => what,
            };
            return Err(Error::Card { what, code });
        }
        pause.after(asked, left);
    }
}

/// Queues calls that give something back on the card, in order and behind what was queued on `stream` before, and does
/// not wait for them: who drops something has other things to do.
pub(super) fn give_back(stream: &Stream, calls: impl IntoIterator<Item = Call>) {
    for call in calls {
        stream.session().release(call);
    }
}

/// MiB of card memory that nobody uses, as far as the driver knows.
fn free_memory(session: &Session) -> Option<u64> {
    let mut raw = ax650_telemetry::default();
    let device = session.device();
    device
        .query(AX650_QUERY_TELEMETRY, raw.as_bytes_mut())
        .ok()?;
    let cmm = Telemetry::from(raw).cmm?;
    Some(cmm.total.saturating_sub(cmm.used) >> 20)
}

/// Something that one thread uses at a time; others wait for it as long as they like.
#[derive(Debug)]
pub(super) struct Turns<T> {
    there: Mutex<Option<T>>,
    back: Condvar,
}

impl<T> Turns<T> {
    pub fn new(thing: T) -> Self {
        Self {
            there: Mutex::new(Some(thing)),
            back: Condvar::new(),
        }
    }

    /// Waits until the others are through; `None`: the time is over.
    pub fn take(&self, deadline: Deadline) -> Option<Taken<'_, T>> {
        let there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        // Condition variables cannot wait for ever and a day.
        let left = deadline.left().min(Duration::from_secs(1 << 30));
        let (mut there, _) = self
            .back
            .wait_timeout_while(there, left, |thing| thing.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        let thing = there.take()?;
        Some(Taken {
            turns: self,
            thing: Some(thing),
        })
    }
}

/// The thing, given back when dropped.
#[derive(Debug)]
pub(super) struct Taken<'a, T> {
    turns: &'a Turns<T>,
    thing: Option<T>,
}

impl<T> Deref for Taken<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.thing.as_ref().expect("taken until dropped")
    }
}

impl<T> DerefMut for Taken<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.thing.as_mut().expect("taken until dropped")
    }
}

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        let mut there = self
            .turns
            .there
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *there = self.thing.take();
        drop(there);
        self.turns.back.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CardCode;

    fn answer<T>(code: u32) -> Result<T> {
        Err(Error::Card {
            what: "ask".into(),
            code: CardCode(code),
        })
    }

    #[test]
    fn u15_the_longest_time_is_no_panic() {
        let deadline = Deadline::after(Duration::MAX);
        assert_eq!(deadline.left(), Duration::MAX);
        assert!(Turns::new(1).take(deadline).is_some());
        let mut calls = 0;
        let received = deadline.receive(|turn| {
            assert_eq!(turn, TURN);
            calls += 1;
            if calls < 3 {
                answer(0x8007_0227)
            } else {
                Ok(calls)
            }
        });
        assert!(matches!(received, Ok(Received::Some(3))));
    }

    /// U14: an encoder that says "empty" at once is not asked without a pause.
    #[test]
    fn u14_pauses_grow() {
        let mut calls = 0;
        let time = Duration::from_millis(500);
        let received = Deadline::after(time).receive(|_| {
            calls += 1;
            answer::<()>(0x8007_0220)
        });
        assert!(matches!(received, Ok(Received::Nothing)));
        // 1, 2, 4, .. 64, 100, 100 .. ms apart.
        assert!((2..=12).contains(&calls), "{calls}");
        let mut pause = Pause::default();
        for _ in 0..10 {
            pause.after(Instant::now(), Duration::ZERO);
        }
        assert_eq!(pause.0, PAUSE.1);
        // The card has waited itself.
        let mut pause = Pause::default();
        let Some(asked) = Instant::now().checked_sub(TURN) else {
            return;
        };
        pause.after(asked, Duration::MAX);
        assert_eq!(pause.0, PAUSE.0);
    }

    #[test]
    fn one_at_a_time() {
        let turns = Turns::new(7);
        let taken = turns.take(Deadline::after(Duration::ZERO)).unwrap();
        assert!(turns
            .take(Deadline::after(Duration::from_millis(5)))
            .is_none());
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| *turns.take(Deadline::after(Duration::MAX)).unwrap());
            drop(taken);
            assert_eq!(waiter.join().unwrap(), 7);
        });
    }
}
