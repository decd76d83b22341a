// SPDX-License-Identifier: MIT OR Apache-2.0

//! Models the lives of sessions that get the same ports, one after the other [pcie 5.2] to [pcie 5.5], [rpc 1.2],
//! [rpc 2.2]: opened, in use, closed, killed, given up, with calls and a transaction in flight, a ring that is full when
//! the card is to hear of the end, and a reset.
//!
//! It follows `kmod/session` and `kmod/link/ports.rs`; answers to creates are told apart by the module's own code. Both
//! rings keep their order, and what the card has ended sends nothing more: that is what the driver relies on.

use ax650_wire_tests::wire::control::{Packet, CREATE, CREATE_DONE};
use stateright::{Model, Property};

/// Rules that the driver keeps; each may be left out, to see that the model would notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// None is.
    Nothing,
    /// A session is used only when the card has answered its create and its SYNC.
    WaitsForTheCard,
    /// Ports are free only when the card has been told of the end: a farewell that finds no room is due.
    KeepsPortsUntilTold,
    /// Memory that the card may still write to is kept until a reset.
    Quarantine,
    /// Jobs end with their session.
    EndsJobs,
    /// That memory is given back when the reset is done, not when it begins.
    FreesAfterTheReset,
}

/// Sessions of one card.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// Sessions that are opened at most, one after the other or at once.
    pub sessions: usize,
    /// Groups of ports.
    pub groups: usize,
    /// Messages that the ring to the card has room for.
    pub room: usize,
    /// Resets at most.
    pub resets: u8,
    /// The rule that is left out.
    pub broken: Broken,
}

/// Where a session is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Its create is on the way.
    Creating,
    /// Its SYNC is.
    Handshake,
    Open,
    /// What is under way is brought to its end first.
    Closing,
    Closed,
}

/// A call, and memory that the card is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Job {
    None,
    Pending,
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Memory {
    Unused,
    /// The card has been, or is being, told of it.
    Told,
    Quarantined,
    /// Somebody else's by now.
    Free,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Session {
    phase: Phase,
    group: usize,
    generation: u8,
    job: Job,
    memory: Memory,
    /// Its ports are free again, or the card is to hear of its end before they are.
    retired: bool,
}

/// Messages carry, for the properties only, whose they are: `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Message {
    what: What,
    group: usize,
    of: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Create,
    Created,
    /// With the random number of the session.
    Sync,
    Acknowledge,
    Call,
    Answer,
    /// Memory for a transaction.
    List,
    Done,
    Destroy,
}

/// The process on the card that serves a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    of: usize,
    call: Option<usize>,
    memory: Option<usize>,
}

/// What host, rings and card are at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    sessions: Vec<Session>,
    /// Who owns each group.
    owners: Vec<Option<usize>>,
    to_card: Vec<Message>,
    to_host: Vec<Message>,
    servers: Vec<Option<Server>>,
    generation: u8,
    /// Sessions have ended because of a reset that the card has not gone through yet.
    down: bool,
    /// What must never be.
    crossed: bool,
    given_too_early: bool,
    ended_another: bool,
    wrote_to_free_memory: bool,
}

/// One step of host, card or user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A user opens a session.
    Open,
    /// The opener loses patience, or is killed.
    GiveUp(usize),
    /// A user makes a call.
    Call(usize),
    /// A user begins a copy.
    Copy(usize),
    /// The time of a job is over.
    Timeout(usize),
    /// A user closes, or is killed.
    Close(usize),
    /// A session that closes is idle, or its time for that is over.
    Fail(usize),
    /// The driver tells the card of an end, and frees the ports.
    Retire(usize),
    /// A message of the card is received.
    Receive,
    /// All sessions end: a reset begins.
    GoDown,
    /// The card is reset.
    Reset,
    /// The card takes a message.
    Take,
    /// The card answers a call.
    Answer(usize),
    /// The card writes to memory that it was told of.
    Write(usize),
    /// The card says that it is through with that.
    Finish(usize),
}

/// The packet of a group, as it travels; all sessions are of one process, the worst that can be.
fn packet(command: u32, group: usize) -> Packet {
    let first = 21 + 4 * group as u32;
    Packet {
        command,
        pid: 77,
        count: 4,
        ports: [first, first + 1, first + 2, first + 3],
        ..Packet::default()
    }
}

impl Sessions {
    fn is(&self, rule: Broken) -> bool {
        self.broken == rule
    }

    fn publish(&self, state: &mut State, what: What, of: usize) -> bool {
        let room = state.to_card.len() < self.room;
        if room {
            let group = state.sessions[of].group;
            state.to_card.push(Message { what, group, of });
        }
        room
    }

    /// `Engine::fail`: everything ends.
    fn fail(&self, state: &mut State, at: usize) {
        let session = &mut state.sessions[at];
        if session.phase == Phase::Closed {
            return;
        }
        session.phase = Phase::Closed;
        if session.memory == Memory::Told {
            session.memory = if self.is(Broken::Quarantine) {
                Memory::Free
            } else {
                Memory::Quarantined
            };
        }
        if session.job == Job::Pending && !self.is(Broken::EndsJobs) {
            session.job = Job::Ended;
        }
    }

    /// `Session::retire` and `Sessions::retire_one`.
    fn retire(&self, state: &mut State, at: usize) {
        let group = state.sessions[at].group;
        let serving = !state.down && state.sessions[at].generation == state.generation;
        // A card that was reset since, or is about to be, knows nothing of the session.
        let told = !serving
            || self.publish(state, What::Destroy, at)
            || self.is(Broken::KeepsPortsUntilTold);
        if told {
            state.sessions[at].retired = true;
            state.owners[group] = None;
        }
    }

    fn open(&self, state: &mut State) -> Option<()> {
        let group = state.owners.iter().position(Option::is_none)?;
        let at = state.sessions.len();
        state.owners[group] = Some(at);
        state.sessions.push(Session {
            phase: Phase::Creating,
            group,
            generation: state.generation,
            job: Job::None,
            memory: Memory::Unused,
            retired: false,
        });
        if !self.publish(state, What::Create, at) {
            self.fail(state, at);
        }
        if self.is(Broken::WaitsForTheCard) {
            state.sessions[at].phase = Phase::Open;
        }
        Some(())
    }

    /// `Session::receive`.
    fn receive(&self, state: &mut State) {
        let message = state.to_host.remove(0);
        let Some(at) = state.owners[message.group] else {
            return;
        };
        let phase = state.sessions[at].phase;
        match message.what {
            What::Created if phase == Phase::Creating => {
                let request = packet(CREATE, state.sessions[at].group);
                if packet(CREATE_DONE, message.group).answers(&request) {
                    state.sessions[at].phase = Phase::Handshake;
                    // SYNC is repeated; one that finds no room is lost.
                    self.publish(state, What::Sync, at);
                }
            }
            // The number is that of this session's own SYNC.
            What::Acknowledge if phase == Phase::Handshake && message.of == at => {
                state.sessions[at].phase = Phase::Open;
            }
            What::Answer if phase != Phase::Closed && state.sessions[at].job == Job::Pending => {
                state.sessions[at].job = Job::Ended;
                state.crossed |= message.of != at;
            }
            What::Done if phase != Phase::Closed && state.sessions[at].memory == Memory::Told => {
                state.sessions[at].memory = Memory::Free;
                state.crossed |= message.of != at;
            }
            _ => {}
        }
    }

    /// The card takes a message.
    fn take(&self, state: &mut State) {
        let Message { what, group, of } = state.to_card.remove(0);
        let answer = |what| Message { what, group, of };
        match (what, &mut state.servers[group]) {
            (What::Create, server) => {
                state.given_too_early |= server.is_some();
                *server = Some(Server {
                    of,
                    call: None,
                    memory: None,
                });
                state.to_host.push(answer(What::Created));
            }
            (What::Destroy, server) => {
                // Of what it does not serve the card thinks nothing.
                state.ended_another |= server.as_ref().is_some_and(|server| server.of != of);
                *server = None;
            }
            (What::Sync, Some(_)) => state.to_host.push(answer(What::Acknowledge)),
            (What::Call, Some(server)) => server.call = Some(of),
            (What::List, Some(server)) => server.memory = Some(of),
            _ => {}
        }
    }
}

impl State {
    /// Frees what was kept because the card might have written to it.
    fn give_back(&mut self) {
        for session in &mut self.sessions {
            if session.memory == Memory::Quarantined {
                session.memory = Memory::Free;
            }
        }
    }
}

impl Model for Sessions {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            sessions: Vec::new(),
            owners: vec![None; self.groups],
            to_card: Vec::new(),
            to_host: Vec::new(),
            servers: vec![None; self.groups],
            generation: 0,
            down: false,
            crossed: false,
            given_too_early: false,
            ended_another: false,
            wrote_to_free_memory: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if !state.down && state.sessions.len() < self.sessions {
            actions.push(Action::Open);
        }
        for (at, session) in state.sessions.iter().enumerate() {
            match session.phase {
                Phase::Creating | Phase::Handshake => actions.push(Action::GiveUp(at)),
                Phase::Open => {
                    actions.extend([Action::Call(at), Action::Copy(at), Action::Close(at)]);
                }
                Phase::Closing => actions.push(Action::Fail(at)),
                Phase::Closed if !session.retired => actions.push(Action::Retire(at)),
                Phase::Closed => {}
            }
            if session.job == Job::Pending && session.phase != Phase::Closed {
                actions.push(Action::Timeout(at));
            }
        }
        if !state.to_host.is_empty() {
            actions.push(Action::Receive);
        }
        if state.down {
            actions.push(Action::Reset);
        } else if state.generation < self.resets {
            actions.push(Action::GoDown);
        }
        if !state.to_card.is_empty() {
            actions.push(Action::Take);
        }
        for (group, server) in state.servers.iter().enumerate() {
            if server.as_ref().is_some_and(|server| server.call.is_some()) {
                actions.push(Action::Answer(group));
            }
            if server
                .as_ref()
                .is_some_and(|server| server.memory.is_some())
            {
                actions.extend([Action::Write(group), Action::Finish(group)]);
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Open => self.open(&mut state)?,
            Action::GiveUp(at) => {
                self.fail(&mut state, at);
                self.retire(&mut state, at);
            }
            Action::Call(at) => {
                if state.sessions[at].job == Job::None && self.publish(&mut state, What::Call, at) {
                    state.sessions[at].job = Job::Pending;
                }
            }
            Action::Copy(at) => {
                let unused = state.sessions[at].memory == Memory::Unused;
                if unused && self.publish(&mut state, What::List, at) {
                    state.sessions[at].memory = Memory::Told;
                }
            }
            Action::Timeout(at) => state.sessions[at].job = Job::Ended,
            Action::Close(at) => state.sessions[at].phase = Phase::Closing,
            Action::Fail(at) => self.fail(&mut state, at),
            Action::Retire(at) => self.retire(&mut state, at),
            Action::Receive => self.receive(&mut state),
            Action::GoDown => {
                state.down = true;
                for at in 0..state.sessions.len() {
                    self.fail(&mut state, at);
                }
                if self.is(Broken::FreesAfterTheReset) {
                    state.give_back();
                }
            }
            Action::Reset => {
                state.down = false;
                state.generation += 1;
                state.servers.fill(None);
                state.to_card.clear();
                state.to_host.clear();
                state.give_back();
            }
            Action::Take => self.take(&mut state),
            Action::Answer(group) => {
                let of = state.servers[group].as_mut()?.call.take()?;
                let what = What::Answer;
                state.to_host.push(Message { what, group, of });
            }
            Action::Write(group) => {
                let of = state.servers[group].as_ref()?.memory?;
                state.wrote_to_free_memory |= state.sessions[of].memory == Memory::Free;
            }
            Action::Finish(group) => {
                let of = state.servers[group].as_mut()?.memory.take()?;
                let what = What::Done;
                state.to_host.push(Message { what, group, of });
            }
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(CROSSED, |_, state: &State| !state.crossed),
            Property::always(TOO_EARLY, |_, state: &State| !state.given_too_early),
            Property::always(ANOTHER, |_, state: &State| !state.ended_another),
            Property::always(FREED, |_, state: &State| !state.wrote_to_free_memory),
            Property::always(JOBS, |_, state: &State| {
                let mut over = state.sessions.iter().filter(|s| s.phase == Phase::Closed);
                over.all(|session| session.job != Job::Pending)
            }),
            Property::always(PORTS, |model: &Self, state: &State| {
                // When nothing moves any more, nothing is kept.
                let mut left = Vec::new();
                model.actions(state, &mut left);
                left.retain(|&action| model.next_state(state, action).is_some());
                !left.is_empty() || state.owners.iter().all(Option::is_none)
            }),
            Property::sometimes("ports are used again", |_, state: &State| {
                state.sessions.iter().any(|s| s.phase == Phase::Open)
                    && state
                        .sessions
                        .iter()
                        .any(|s| s.retired && s.job == Job::Ended)
            }),
            Property::sometimes("an end waits for room", |model: &Self, state: &State| {
                let mut over = state.sessions.iter().filter(|s| s.phase == Phase::Closed);
                over.any(|s| !s.retired) && state.to_card.len() == model.room
            }),
            Property::sometimes("a late answer finds another owner", |_, state: &State| {
                state.to_host.first().is_some_and(|message| {
                    let owner = state.owners[message.group];
                    message.what == What::Answer && owner.is_some_and(|at| at != message.of)
                })
            }),
        ]
    }
}

/// A late answer is never delivered to another session's call.
pub const CROSSED: &str = "an answer goes to the session that asked";
/// Ports are not used again while the card may still serve the old owner.
pub const TOO_EARLY: &str = "the card serves nobody on ports that are given";
/// The card is never told to end what another session uses.
pub const ANOTHER: &str = "an end is that of the session that has ended";
/// Memory is not freed while the card may write to it.
pub const FREED: &str = "the card writes to nobody else's memory";
/// Every job ends, at the latest with its session.
pub const JOBS: &str = "jobs end with their session";
/// All ports come back.
pub const PORTS: &str = "ports come back";
