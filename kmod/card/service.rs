// SPDX-License-Identifier: GPL-2.0

//! What the card's thread and the attendant have to tell each other.

use kernel::{
    new_condvar,
    new_mutex,
    sync::{
        CondVar,
        Mutex, //
    }, //
};

use crate::glue::{
    prelude::*,
    time::{
        self,
        Delta,
        Instant,
        Signals, //
    }, //
};

/// What still works of a card whose heartbeat is late.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The card answers.
    Answers,
    /// The card makes new sessions; the driver's own was lost.
    Replaced,
    /// Nothing.
    Silent,
}

#[derive(Default)]
struct Notes {
    /// A boot whose heartbeat is late.
    probe: Option<u32>,
    /// What was found out, and of which boot.
    verdict: Option<(u32, Verdict)>,
    /// Look at everything now.
    called: bool,
}

/// Notes that one leaves for the other.
#[pin_data]
pub(super) struct Service {
    /// A leaf.
    #[pin]
    notes: Mutex<Notes>,
    /// The attendant sleeps here.
    #[pin]
    wake: CondVar,
}

impl Service {
    /// Makes an empty set of notes.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            notes <- new_mutex!(Notes::default(), "ax650_service"),
            wake <- new_condvar!("ax650_service"),
        })
    }

    /// Has the attendant look at everything now.
    pub(super) fn call(&self) {
        self.notes.lock().called = true;
        self.wake.notify_all();
    }

    /// Asks the attendant what of the card still works in boot `generation`.
    pub(super) fn ask(&self, generation: u32) {
        self.notes.lock().probe = Some(generation);
        self.call();
    }

    /// Takes the question; whether it was about boot `generation`.
    pub(super) fn take_question(&self, generation: u32) -> bool {
        self.notes.lock().probe.take() == Some(generation)
    }

    /// Answers the question about boot `generation`.
    pub(super) fn answer(&self, generation: u32, verdict: Verdict) {
        self.notes.lock().verdict = Some((generation, verdict));
    }

    /// Takes what the attendant has found out about boot `generation`.
    pub(super) fn take_verdict(&self, generation: u32) -> Option<Verdict> {
        let (of, verdict) = self.notes.lock().verdict.take()?;
        (of == generation).then_some(verdict)
    }

    /// Sleeps for `pause`, or until the attendant is called.
    pub(super) fn rest(&self, pause: Delta) {
        let deadline = Instant::now() + pause;
        // However it ends, the attendant looks at everything next.
        let _ = time::wait_for(&self.notes, &self.wake, deadline, Signals::All, |notes| {
            Ok(core::mem::take(&mut notes.called).then_some(()))
        });
    }
}
