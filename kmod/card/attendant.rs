// SPDX-License-Identifier: GPL-2.0

//! The attendant: a second thread of the card, for what takes the card's service to answer.  It keeps the
//! driver's own session, asks who the card is until it knows, and finds out what of a card still works
//! whose heartbeat is late.  So the card's own thread never waits for the service: deadlines, lost
//! doorbells and the heartbeat are seen to meanwhile.
//!
//! To the card the attendant is a client like others: whatever it waits for ends with the session.

use kernel::sync::Arc;

use super::{
    service::Verdict,
    telemetry::Identity,
    Card, //
};
use crate::{
    glue::{
        prelude::*,
        thread::{
            Main,
            Running, //
        },
        time::{
            Delta,
            Instant,
            Moment,
            MS,
            S, //
        }, //
    },
    wire::{
        bytes::Text,
        rpc, //
    }, //
};

// TIMEOUT: an echo takes well under a millisecond on a card in order.
const PING: Delta = Delta::from_secs(2);

// TIMEOUT: a new serving process is made within a few hundred milliseconds.
const SESSION: Delta = Delta::from_secs(5);

// TIMEOUT: the driver's own session may take as long as Axera's driver allows, if shorter attempts have come to
// nothing.
const SLOW_SESSION: Delta = Delta::from_secs(50);

/// Between attempts to make the driver's own session, and to ask what was not answered.
const RETRY: Delta = Delta::from_secs(5);

/// Between looks.
const LOOK: Delta = Delta::from_secs(1);

/// The thread.
pub(crate) struct Attendant {
    card: Arc<Card>,
}

impl Attendant {
    /// Makes the attendant of `card`.
    pub(crate) fn new(card: &Arc<Card>) -> Self {
        Self { card: card.clone() }
    }
}

/// What the attendant knows of the present boot.
#[derive(Default)]
struct Notes {
    generation: u32,
    /// The log has a line about this boot.
    said: bool,
    /// What has been answered.
    identity: Identity,
    /// When to try again, if not at once.
    next: Option<Instant>,
    /// Attempts to make the driver's own session that have come to nothing.
    attempts: u32,
}

impl Main for Attendant {
    fn main(self: &Arc<Self>, me: &Running) {
        let mut notes = Notes::default();
        while !me.should_stop() {
            self.card.attend(&mut notes);
            self.card.service.rest(LOOK);
        }
    }

    fn wake(&self) {
        self.card.service.call();
    }
}

impl Card {
    fn attend(&self, notes: &mut Notes) {
        if !self.state().serves_sessions() || self.is_gone() {
            return;
        }
        let generation = self.generation();
        if notes.generation != generation {
            *notes = Notes {
                generation,
                ..Notes::default()
            };
        }
        if self.service.take_question(generation) {
            let verdict = self.probe();
            self.service.answer(generation, verdict);
            self.link.life.orders.kick();
            return;
        }
        if notes.next.is_none_or(|next| next.left().is_zero()) {
            self.keep_management_session(notes);
            let complete = notes.identity.is_complete() && self.management.session().is_some();
            notes.next = (!complete).then(|| Instant::now() + RETRY);
        }
    }

    /// Finds out what of the card still works, and mends the least.
    fn probe(&self) -> Verdict {
        if self.ping() {
            Verdict::Answers
        } else if self.canary() {
            Verdict::Replaced
        } else {
            Verdict::Silent
        }
    }

    /// Sends an echo on the driver's own session, and returns whether it comes back.
    fn ping(&self) -> bool {
        let Some(session) = self.management.session() else {
            return false;
        };
        self.link.counters.pings.add(1);
        let start = Instant::now();
        let token = start.nanos().to_le_bytes();
        let deadline = start + PING;
        let echo = session.call(deadline, |call, out| call.latency(out, &token));
        echo.is_ok_and(|answer| rpc::latency_answer(&answer).is_ok_and(|data| data == token))
    }

    /// Opens a new session instead of the one that does not answer, with a call of its own.
    fn canary(&self) -> bool {
        self.link.counters.canaries.add(1);
        if let Some(session) = self.management.take() {
            self.link.counters.session_resets.add(1);
            session.fail(ETIMEDOUT);
        }
        self.sessions.retire();
        self.management
            .open(&self.sessions, Instant::now() + SESSION)
            .is_ok()
            && self.ping()
    }

    /// Makes the driver's own session if there is none, and asks what is not known yet.
    fn keep_management_session(&self, notes: &mut Notes) {
        if self.management.session().is_none() {
            let patience = match notes.attempts {
                0..2 => SESSION,
                _ => SLOW_SESSION,
            };
            let opened = self
                .management
                .open(&self.sessions, Instant::now() + patience);
            if let Err(e) = opened {
                notes.attempts = notes.attempts.saturating_add(1);
                // Else nobody wonders.
                if self.check_serving(notes.generation).is_ok() {
                    dev_warn_ratelimited!(
                        self.link,
                        "the card's service does not answer: {:?}\n",
                        e
                    );
                    self.say(notes);
                }
                return;
            }
        }
        if notes.identity.is_complete() {
            return;
        }
        self.management
            .ask_identity(&mut notes.identity, &self.status);
        if notes.identity.is_complete() {
            notes.said = false;
        }
        self.say(notes);
    }

    /// Says in the log that the card is up, with what is known of it; once, and once more when all is.
    fn say(&self, notes: &mut Notes) {
        if core::mem::replace(&mut notes.said, true) || self.generation() != notes.generation {
            return;
        }
        let info = self.info();
        let identity = &notes.identity;
        let firmware = Text::new(&info.firmware_version);
        let unnamed = firmware.as_bytes().is_empty();
        dev_info!(
            self.pdev,
            "{}: {}{}{}link {}.{} GT/s x{}, {}boot {}.{:03} s\n",
            if identity.is_complete() {
                "ready"
            } else {
                "up"
            },
            if unnamed { "" } else { "fw " },
            firmware,
            if unnamed { "" } else { ", " },
            info.link_speed_mtps / 1000,
            info.link_speed_mtps % 1000 / 100,
            info.link_width,
            Memory(identity.memory),
            info.boot_time_ns / S,
            info.boot_time_ns % S / MS
        );
    }
}

/// The part of the line that tells of memory.
struct Memory(Option<u64>);

impl kernel::fmt::Display for Memory {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(bytes) => write!(f, "memory {} MiB, ", bytes >> 20),
            None => Ok(()),
        }
    }
}
