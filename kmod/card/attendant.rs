// SPDX-License-Identifier: GPL-2.0

//! The attendant: a second thread of the card, for what takes the card's service to answer.  It keeps the
//! driver's own session, asks who the card is until it knows, and finds out what of a card still works
//! whose heartbeat is late.  So the card's own thread never waits for the service: deadlines, lost
//! doorbells and the heartbeat are seen to meanwhile.
//!
//! To the card the attendant is a client like others: whatever it waits for ends with the session.

use kernel::{prelude::*, sync::Arc};

use super::{telemetry::Identity, Card};
use crate::{
    glue::{
        thread::{Main, Running},
        time::{self, Delta, Instant, Moment, Signals, MS, S},
    },
    session::Session,
    wire::{bytes::Text, rpc},
};

// TIMEOUT: an echo takes well under a millisecond on a card in order.
const PING: Delta = Delta::from_secs(2);

// TIMEOUT: a new serving process is made within a few hundred milliseconds.
const SESSION: Delta = Delta::from_secs(5);

/// Between attempts to make the driver's own session, and to ask what was not answered.
const RETRY: Delta = Delta::from_secs(5);

/// Between looks.
const LOOK: Delta = Delta::from_secs(1);

/// What still works of a card whose heartbeat is late.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answers.
    Answers,
    /// It makes new sessions; the driver's own was lost.
    Replaced,
    /// Nothing.
    Silent,
}

/// What the card's thread and the attendant have to tell each other.
#[derive(Default)]
pub(crate) struct Service {
    /// A boot whose heartbeat is late.
    probe: Option<u32>,
    /// What was found out, and of which boot.
    verdict: Option<(u32, Verdict)>,
    /// Look at everything now.
    called: bool,
}

/// The thread.
pub(crate) struct Attendant {
    card: Arc<Card>,
}

impl Attendant {
    /// For `card`.
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
}

impl Main for Attendant {
    fn main(self: &Arc<Self>, me: &Running) {
        let mut notes = Notes::default();
        while !me.should_stop() {
            self.card.attend(&mut notes);
            self.card.rest_attendant();
        }
    }

    fn wake(&self) {
        self.card.call_attendant();
    }
}

impl Card {
    /// Has the attendant look at everything now.
    pub(super) fn call_attendant(&self) {
        self.service.lock().called = true;
        self.service_wake.notify_all();
    }

    /// Asks the attendant what of the card still works.
    pub(super) fn ask_attendant(&self) {
        self.service.lock().probe = Some(self.generation());
        self.call_attendant();
    }

    /// Takes what the attendant has found out about the present boot.
    pub(super) fn take_verdict(&self) -> Option<Verdict> {
        let (generation, verdict) = self.service.lock().verdict.take()?;
        (generation == self.generation()).then_some(verdict)
    }

    fn rest_attendant(&self) {
        let deadline = Instant::now() + LOOK;
        let (service, wake) = (&self.service, &self.service_wake);
        // However it ends, the attendant looks at everything next.
        let _ = time::wait_for(service, wake, deadline, Signals::All, |service| {
            Ok(core::mem::take(&mut service.called).then_some(()))
        });
    }

    fn attend(self: &Arc<Self>, notes: &mut Notes) {
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
        let wanted = self.service.lock().probe.take();
        if wanted == Some(generation) {
            let verdict = self.probe();
            self.service.lock().verdict = Some((generation, verdict));
            self.kick();
            return;
        }
        if notes.next.is_none_or(|next| next.left().is_zero()) {
            self.keep_management_session(notes);
            notes.next = match notes.identity.is_complete() && self.management().is_some() {
                true => None,
                false => Some(Instant::now() + RETRY),
            };
        }
    }

    /// Finds out what of the card still works, and mends the least.
    fn probe(self: &Arc<Self>) -> Verdict {
        if self.ping() {
            Verdict::Answers
        } else if self.canary() {
            Verdict::Replaced
        } else {
            Verdict::Silent
        }
    }

    /// An echo on the driver's own session.
    fn ping(&self) -> bool {
        let Some(session) = self.management() else {
            return false;
        };
        self.counters.pings.add(1);
        let start = Instant::now();
        let token = start.nanos().to_le_bytes();
        let deadline = (start + PING).nanos();
        let echo = session.call(deadline, |call, out| call.latency(out, &token));
        echo.is_ok_and(|answer| rpc::latency_answer(&answer).is_ok_and(|data| data == token))
    }

    /// A new session instead of the one that does not answer, with a call of its own.
    fn canary(self: &Arc<Self>) -> bool {
        self.counters.canaries.add(1);
        if let Some(session) = self.management.lock().take() {
            self.counters.session_resets.add(1);
            session.fail(ETIMEDOUT);
        }
        self.retire_sessions();
        self.open_management(Instant::now() + SESSION).is_ok() && self.ping()
    }

    /// The driver's own session.
    pub(super) fn management(&self) -> Option<Arc<Session>> {
        self.management
            .lock()
            .clone()
            .filter(|session| session.is_open())
    }

    /// Makes the driver's own session if there is none, and asks what is not known yet.
    fn keep_management_session(self: &Arc<Self>, notes: &mut Notes) {
        if self.management().is_none() {
            let opened = self.open_management(Instant::now() + SESSION);
            if let Err(e) = opened {
                // Else nobody wonders.
                if self.check_serving(notes.generation).is_ok() {
                    dev_warn_ratelimited!(self, "the card's service does not answer: {:?}\n", e);
                    self.say(notes);
                }
                return;
            }
        }
        if notes.identity.is_complete() {
            return;
        }
        self.ask_identity(&mut notes.identity);
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
