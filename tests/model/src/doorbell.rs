// SPDX-License-Identifier: MIT OR Apache-2.0

//! Models the host to card ring and its doorbell [pcie 4.6], [pcie 4.8] with bells that are lost or late.

use ax650_wire_tests::wire::mailbox::{FlowControl, OUTSTANDING_LIMIT};
use stateright::{Model, Property};

/// A ring, a mailbox, and who uses them how.
#[derive(Clone, Debug)]
pub struct Doorbell {
    /// Messages that the host sends, one after the other.
    pub messages: u8,
    /// Messages that the ring has room for.
    pub room: u8,
    /// Slots of the mailbox.
    pub slots: u8,
    /// Bells that the bus may lose.
    pub losses: u8,
    /// Bells that the host may ring; the model ends there.
    pub bells: u8,
    /// What the host does about lost bells.
    pub rule: Rule,
    /// Whether the host's write pointer is visible before it reads how many bells were handled.
    pub barrier: bool,
    /// Whether the host rings no bell while one is on its way, as the module does until that has gone wrong once.
    pub one_serves: bool,
    /// Whether the host sees that a bell is counted before the card looks into the ring.
    pub counts_first: bool,
}

/// What the host does about lost bells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// What the module does: [`FlowControl`], which writes lost bells off.
    Forgiving,
    /// The plain rule of [pcie 4.8]: no bell while more than eight are outstanding.
    Plain,
}

/// What host, bus and card are at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Messages put into the ring.
    written: u8,
    /// Those of them that the card can see.
    visible: u8,
    /// Messages that the card has read.
    read: u8,
    /// The count of bells rung, as in the control page.
    rung: u8,
    /// The count of bells handled, as in the control page.
    handled: u8,
    /// Bells handled, of which the host cannot see that yet.
    uncounted: u8,
    /// Bells on their way.
    flying: u8,
    lost: u8,
    flow: FlowControl,
    /// Messages were put into the ring since the last bell.
    unrung: bool,
    host: Host,
    /// The card has handled a bell, and reads until it finds the ring empty.
    card_reads: bool,
}

/// Where the host is in ringing a bell; it sends nothing else meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Host {
    Idle,
    /// The barrier is behind it.
    Begun,
    /// It has read this count of bells handled.
    Knows(u8),
}

/// One step of one of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The host puts a message into the ring.
    Publish,
    /// What the host has written reaches memory.
    BecomeVisible,
    /// The host begins to ring for what it has put there.
    BeginRing,
    /// It reads how many bells were handled.
    ReadHandled,
    /// It rings, or leaves it.
    Decide,
    /// The host's timer fires; for the model it may at any time.
    Timer,
    /// A bell is lost.
    Lose,
    /// The card takes a bell and counts it.
    Take,
    /// The host can see what the card has counted.
    Count,
    /// The card reads a message, or finds none and sleeps.
    Read,
}

impl Doorbell {
    /// Says whether the host may ring when it has read that `handled` bells were handled.
    fn may_ring(&self, state: &mut State, handled: u8) -> bool {
        match self.rule {
            Rule::Forgiving => state.flow.may_ring(state.rung.into(), handled.into()),
            Rule::Plain => u32::from(state.rung - handled) <= OUTSTANDING_LIMIT,
        }
    }

    /// Says whether a bell on its way serves for what the host has put into the ring since.
    fn is_served(&self, state: &mut State, handled: u8) -> bool {
        self.one_serves && state.flow.is_awaited(state.rung.into(), handled.into())
    }

    /// Writes off what is outstanding, if the host does such things.
    fn forgive(&self, state: &mut State) {
        if self.rule == Rule::Forgiving {
            state.flow.forgive(state.rung.into(), state.handled.into());
        }
    }

    /// Begins to ring.
    fn begin(&self, state: &mut State) {
        state.unrung = true;
        state.host = Host::Begun;
        if self.barrier {
            state.visible = state.written;
        }
    }
}

impl State {
    /// Says whether nothing moves unless the host does something.
    fn is_quiet(&self) -> bool {
        self.flying == 0
            && self.uncounted == 0
            && !self.card_reads
            && self.host == Host::Idle
            && self.visible == self.written
    }
}

impl Model for Doorbell {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            written: 0,
            visible: 0,
            read: 0,
            rung: 0,
            handled: 0,
            uncounted: 0,
            flying: 0,
            lost: 0,
            flow: FlowControl::default(),
            unrung: false,
            host: Host::Idle,
            card_reads: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        match state.host {
            Host::Idle => {
                if state.written < self.messages && state.written - state.read < self.room {
                    actions.push(Action::Publish);
                }
                if state.unrung {
                    actions.push(Action::BeginRing);
                }
                actions.push(Action::Timer);
            }
            Host::Begun => actions.push(Action::ReadHandled),
            Host::Knows(_) => actions.push(Action::Decide),
        }
        if state.visible < state.written {
            actions.push(Action::BecomeVisible);
        }
        if state.flying > 0 {
            if state.lost < self.losses {
                actions.push(Action::Lose);
            }
            if !state.card_reads {
                actions.push(Action::Take);
            }
        }
        if state.uncounted > 0 {
            actions.push(Action::Count);
        }
        if state.card_reads {
            actions.push(Action::Read);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Publish => {
                state.written += 1;
                state.unrung = true;
            }
            Action::BecomeVisible => state.visible = state.written,
            Action::BeginRing => self.begin(&mut state),
            Action::ReadHandled => state.host = Host::Knows(state.handled),
            Action::Decide => {
                let Host::Knows(handled) = state.host else {
                    return None;
                };
                state.host = Host::Idle;
                if self.is_served(&mut state, handled) {
                    state.unrung = false;
                } else if self.may_ring(&mut state, handled) && state.flying < self.slots {
                    state.flying += 1;
                    state.rung += 1;
                    state.unrung = false;
                }
            }
            Action::Timer if state.read == state.written => self.forgive(&mut state),
            Action::Timer => {
                self.forgive(&mut state);
                self.begin(&mut state);
            }
            Action::Lose => {
                state.flying -= 1;
                state.lost += 1;
            }
            Action::Take => {
                state.flying -= 1;
                match self.counts_first {
                    true => state.handled += 1,
                    false => state.uncounted += 1,
                }
                state.card_reads = true;
            }
            Action::Count => {
                state.uncounted -= 1;
                state.handled += 1;
            }
            Action::Read if state.read < state.visible => state.read += 1,
            Action::Read => state.card_reads = false,
        }
        (state != *last).then_some(state)
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.rung <= self.bells
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            // Without losses nobody waits for the timer: a message lies unread only while a bell flies, the
            // card reads, or the host still owes a bell that it may ring.
            Property::always("no message is forgotten", |model: &Self, state: &State| {
                !state.is_quiet()
                    || state.read == state.written
                    || state.lost > 0
                    || (state.unrung && model.may_ring(&mut state.clone(), state.handled))
            }),
            // Whatever was lost, the timer's bell is rung.
            Property::always("the timer helps", |model: &Self, state: &State| {
                if !state.is_quiet() || state.read == state.written {
                    return true;
                }
                let mut after = state.clone();
                model.forgive(&mut after);
                model.may_ring(&mut after, state.handled)
                    && !model.is_served(&mut after, state.handled)
            }),
            Property::sometimes("a bell serves for more", |_: &Self, state: &State| {
                state.read > state.rung
            }),
            Property::sometimes(
                "all is read although the most was lost",
                |model: &Self, state: &State| {
                    state.read == model.messages && state.lost == model.losses
                },
            ),
        ]
    }
}
