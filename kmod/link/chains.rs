// SPDX-License-Identifier: GPL-2.0

//! Chains: many messages of the card that are known to come, of which only the last is urgent.
//!
//! The card sends an interrupt for each message [pcie 4.9], and knows no other way.  So the vector is
//! masked before the doorbell of a chain is rung, and a thread looks into the ring until all messages have
//! come.  A masked vector keeps one interrupt for later, which comes when the mask goes: a chain of any
//! length costs one.
//!
//! A chain begins with calls that are sent at once, or with a copy to the card whose list went ahead, of which the
//! card says first how much it takes and then that it has it.  It goes on while its session waits for anything.
//!
//! Interrupts come back when nothing was heard for [`SILENCE`]: then they are few anyway.  Cards on which
//! that happens time after time before much was heard, be it that their calls or copies take long or that sending a masked
//! interrupt holds them up, are left to interrupts, but for a trial now and then.  (The head of a language model takes long
//! behind many layers that do not: such a chain has saved what there is to save.)

use kernel::{
    new_condvar,
    new_mutex,
    sync::{
        Arc,
        CondVar,
        Mutex, //
    }, //
};

use super::Link;
use crate::{
    counters::Counter,
    glue::{
        pci::Vector,
        prelude::*,
        task,
        thread::{
            Main,
            Running, //
        },
        time::{
            self,
            fsleep,
            Delta,
            Instant,
            Signals, //
        }, //
    }, //
};

/// Calls that are sent at once make a chain from this number on: masking and its end cost about as much as
/// two interrupts.
pub(crate) const CHAIN: usize = 4;

/// A copy to the card of at most so many bytes begins a chain.
pub(crate) const COPY: u32 = 4 << 20;

/// Between looks into the ring: after a message, and at most.
const SHORTEST: Delta = Delta::from_micros(20);
const LONGEST: Delta = Delta::from_micros(200);

// TIMEOUT: whoever sends so seldom may interrupt.  A small call takes 0.1 ms, a layer of a model 0.3 ms.
const SILENCE: Delta = Delta::from_millis(4);

/// Chains in a row that fell silent, after which interrupts are left on.
const MOST_SILENT: u32 = 8;
/// How many chains they are left on for.  A trial costs little, and the chains of others may be quick.
const LEFT_ON: u32 = 16;

/// Between looks of the thread while there is no chain; it is woken for one.
const IDLE: Delta = Delta::from_secs(3600);

/// The chains of one card.
#[pin_data]
pub(crate) struct Chains {
    /// Messages that chains wait for.
    due: Counter,
    /// A leaf.
    #[pin]
    state: Mutex<State>,
    /// The thread sleeps here.
    #[pin]
    wake: CondVar,
}

/// What a chain begins with.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum First {
    /// Calls.
    #[default]
    Calls,
    /// A copy.
    Copy,
}

/// What is known of chains that began alike.
#[derive(Default)]
struct Habit {
    /// Chains in a row that fell silent.
    silent: u32,
    /// Chains to be left to interrupts.
    left: u32,
}

impl Habit {
    /// Returns whether the next chain is to be left to interrupts.
    fn leaves(&mut self) -> bool {
        let leaves = self.left > 0;
        self.left = self.left.saturating_sub(1);
        leaves
    }

    /// Notes how a chain has ended.
    fn learn(&mut self, silent: bool) {
        self.silent = if silent {
            self.silent.saturating_add(1)
        } else {
            0
        };
        if self.silent >= MOST_SILENT {
            self.left = LEFT_ON;
        }
    }
}

#[derive(Default)]
struct State {
    /// The card's vector, while there is a thread to stand in for it.
    vector: Option<Vector>,
    /// The vector is masked, and the thread looks into the ring.
    polling: bool,
    /// One more chain has begun meanwhile.
    renewed: bool,
    /// What the chain that is under way began with.
    first: First,
    /// Of calls, and of copies.
    calls: Habit,
    copies: Habit,
    /// The driver is being unbound.
    stop: bool,
}

impl State {
    fn habit(&mut self, first: First) -> &mut Habit {
        match first {
            First::Calls => &mut self.calls,
            First::Copy => &mut self.copies,
        }
    }
}

impl Chains {
    /// Makes the chains of a card: none.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            due: Counter::default(),
            state <- new_mutex!(State::default(), "ax650_chains"),
            wake <- new_condvar!("ax650_chains"),
        })
    }

    /// Notes that a chain waits for `now` messages instead of `before`.
    pub(crate) fn change(&self, before: usize, now: usize) {
        self.due.add(now as u64);
        self.due.sub(before as u64);
    }

    /// Begins to look into the ring instead of being interrupted: a chain is about to be rung for, and
    /// counted already.
    pub(crate) fn begin(&self, first: First) {
        let mut state = self.state.lock();
        if state.stop {
            return;
        }
        if state.polling {
            state.renewed = true;
            return;
        }
        if state.habit(first).leaves() {
            return;
        }
        let Some(vector) = &mut state.vector else {
            return;
        };
        vector.mask();
        state.polling = true;
        state.first = first;
        drop(state);
        self.wake.notify_all();
    }

    /// Ends looking into the ring, where `taken` messages were found, unless another chain has begun.
    fn end(&self, silent: bool, taken: usize) -> bool {
        let mut state = self.state.lock();
        let renewed = core::mem::take(&mut state.renewed);
        if !state.stop && (renewed || (!silent && self.due.get() > 0)) {
            return false;
        }
        if let Some(vector) = &mut state.vector {
            vector.unmask();
        }
        state.polling = false;
        let first = state.first;
        state.habit(first).learn(silent && taken < CHAIN);
        true
    }

    /// Waits for a chain; false: there will be none.
    fn wait(&self, me: &Running) -> bool {
        // However it ends, the thread looks again.
        let _ = time::wait_for(
            &self.state,
            &self.wake,
            Instant::now() + IDLE,
            Signals::All,
            |state| Ok((state.polling || state.stop).then_some(())),
        );
        !me.should_stop() && !self.state.lock().stop
    }

    /// Returns whether a chain is under way that is not left to interrupts.
    pub(crate) fn is_polling(&self) -> bool {
        let state = self.state.lock();
        state.polling && !state.stop
    }
}

/// The thread that looks into the ring.
pub(crate) struct Poller(Arc<Link>);

impl Poller {
    /// Makes the thread's work for one card, whose vector is there until the thread has ended.
    pub(crate) fn new(link: &Arc<Link>) -> Self {
        Self(link.clone())
    }

    /// Takes messages until all chains have ended, or nothing was heard for long.
    fn poll(&self) {
        let chains = &self.0.chains;
        let mut heard = Instant::now();
        let mut taken = 0_usize;
        let mut pause = SHORTEST;
        loop {
            let silent = heard.elapsed() >= SILENCE;
            if silent || chains.due.get() == 0 || !chains.is_polling() {
                if chains.end(silent, taken) {
                    break;
                }
                heard = Instant::now();
                taken = 0;
            }
            fsleep(pause);
            let nanos = pause.as_nanos();
            let new = self.0.drain_promptly();
            taken = taken.saturating_add(new as usize);
            pause = if new > 0 {
                heard = Instant::now();
                Delta::from_nanos(nanos / 2).max(SHORTEST)
            } else {
                Delta::from_nanos(nanos * 2).min(LONGEST)
            };
        }
        // What came before the mask went has no interrupt of its own.
        self.0.drain_promptly();
    }
}

impl Main for Poller {
    fn main(self: &Arc<Self>, me: &Running) {
        let chains = &self.0.chains;
        match Vector::new(&self.0.pdev) {
            Ok(vector) => chains.state.lock().vector = Some(vector),
            Err(e) => return dev_warn!(self.0.pdev, "the interrupt cannot be masked: {:?}\n", e),
        }
        // As the interrupt's thread, which it stands in for.
        task::be_prompt();
        while chains.wait(me) {
            if chains.is_polling() {
                self.poll();
            }
        }
        let vector = chains.state.lock().vector.take();
        drop(vector);
    }

    fn wake(&self) {
        self.0.chains.state.lock().stop = true;
        self.0.chains.wake.notify_all();
    }
}
