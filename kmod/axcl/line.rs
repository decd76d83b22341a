// SPDX-License-Identifier: GPL-2.0

//! A message port that a program was granted, with the files that are connected to it.

use kernel::{
    new_mutex,
    sync::{
        Arc,
        Mutex, //
    }, //
};

use super::{
    endpoint::Endpoint,
    place::{
        Held,
        Place, //
    }, //
};
use crate::{
    buffer::Buffer,
    counters::Counter,
    glue::{
        dma::{
            Owner as Turn,
            Piece, //
        },
        prelude::*,
        shim::current_comm,
        task::Process,
        time::{
            self,
            Delta, //
        }, //
    },
    link::{
        ports::{
            Description,
            Receiver, //
        },
        tx::{
            SendError,
            Sender, //
        },
    },
    wire::{
        axcl::{
            flow::{
                Flow,
                FromHost,
                Through, //
            },
            reach, //
        },
        transfer::List, //
    }, //
};

/// How often a message is tried to be sent when the ring is full, and the pause between [pcie 4.6].
const SEND_TRIES: u32 = 10;
const SEND_PAUSE: Delta = Delta::from_millis(1);

/// Memory that the card may be told of while it has not said that it is through with what it was told
/// before.
const MOST_NAMED: usize = 256;

/// Files that may be connected to a port at a time.
const MOST_FILES: usize = 64;

/// The process that ports were granted to, and what it has moved.
pub(crate) struct Owner {
    pub(crate) process: Process,
    /// Name of the process.
    pub(crate) comm: [u8; 16],
    pub(crate) bytes_to_card: Counter,
    pub(crate) bytes_from_card: Counter,
}

impl Owner {
    /// Makes an owner of the calling process.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; those of [`Process::current`].
    pub(super) fn current() -> Result<Arc<Self>> {
        let owner = Self {
            process: Process::current()?,
            comm: current_comm(),
            bytes_to_card: Counter::default(),
            bytes_from_card: Counter::default(),
        };
        Ok(Arc::new(owner, GFP_KERNEL)?)
    }
}

/// A port; as long as the table of ports, its group or a file has it.
#[pin_data]
pub(super) struct Line {
    place: Arc<Place>,
    /// The card's boot that it belongs to.
    generation: u32,
    /// Number of the port.
    pub(crate) port: u32,
    /// Who may connect.
    pub(crate) owner: Arc<Owner>,
    /// Taken with `Rx` locked, and locks `Tx`.
    #[pin]
    state: Mutex<State>,
}

/// Whether a port can be used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Granted.
    Open,
    /// The owner has given the port back.
    Returned,
    /// The port was taken from its owner: the card was reset, or is no more.
    Lost,
}

struct State {
    standing: Standing,
    /// Connected files.  The last one gets the messages.
    files: KVec<Arc<Endpoint>>,
    /// If there are bulk transfers on it: how they stand.
    flow: Option<Flow>,
    /// The memory that they use, kept from being freed,
    named: KVec<Arc<Buffer>>,
    /// and the parts of it.
    parts: KVec<Piece>,
}

impl Line {
    /// Makes a port of `owner`.  `flow`: lists of memory travel there.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(
        place: &Arc<Place>,
        generation: u32,
        port: u32,
        owner: &Arc<Owner>,
        flow: Option<Flow>,
    ) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                place: place.clone(),
                generation,
                port,
                owner: owner.clone(),
                state <- new_mutex!(State {
                    standing: Standing::Open,
                    files: KVec::new(),
                    flow,
                    named: KVec::new(),
                    parts: KVec::new(),
                }, "ax650_axcl_line"),
            }),
            GFP_KERNEL,
        )
    }

    /// Has the link deliver to the port.
    pub(super) fn connect(self: &Arc<Self>) {
        let mut table = self.place.link.ports.lock();
        table.connect(self.port, self.clone());
    }

    /// Returns whether the card has gone.
    pub(super) fn is_cut(&self) -> bool {
        self.place.link.life.is_gone()
    }

    /// Returns whether the port can still be used.
    pub(crate) fn is_open(&self) -> bool {
        self.state.lock().standing == Standing::Open
    }

    /// Returns whether the owner has lost the port, or is losing it, without having given it back.
    pub(crate) fn is_lost(&self) -> bool {
        match self.state.lock().standing {
            Standing::Open => self.is_cut(),
            Standing::Returned => false,
            Standing::Lost => true,
        }
    }

    /// Checks that the port can be used.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the card has gone, `ESTALE` if the port was given back or lost.
    pub(crate) fn check(&self) -> Result {
        if self.is_cut() {
            return Err(ENODEV);
        }
        if !self.is_open() {
            return Err(ESTALE);
        }
        Ok(())
    }

    /// Connects a file of the owner; messages go to it from now on (R34, R35).
    ///
    /// # Errors
    ///
    /// `EPERM` for another process than the owner; those of [`Self::check`]; `EMFILE`; `ENOMEM`.
    pub(crate) fn attach(&self, file: &Arc<Endpoint>) -> Result {
        if !self.owner.process.is_current()? {
            return Err(EPERM);
        }
        self.check()?;
        let mut state = self.state.lock();
        if state.files.len() >= MOST_FILES {
            return Err(EMFILE);
        }
        state.files.push(file.clone(), GFP_KERNEL)?;
        Ok(())
    }

    /// Disconnects a file.
    pub(crate) fn detach(&self, file: &Arc<Endpoint>) {
        let mut state = self.state.lock();
        let removed = take_first(&mut state.files, |other| Arc::ptr_eq(other, file));
        drop(state);
        drop(removed);
    }

    /// Counts what the card has moved.
    fn count(&self, through: Through) {
        let (owner, counters) = (&self.owner, &self.place.link.counters);
        match through {
            Through::Read(bytes) => {
                owner.bytes_to_card.add(bytes.into());
                counters.bytes_to_card.add(bytes.into());
            }
            Through::Wrote(bytes) => {
                owner.bytes_from_card.add(bytes.into());
                counters.bytes_from_card.add(bytes.into());
            }
            Through::Over => {}
        }
    }

    /// Sends a message, trying for a while if the ring is full: `ENOENT` if that was not enough, `EPERM`
    /// if it names memory that the owner does not have.
    ///
    /// # Errors
    ///
    /// `ENOENT` if the ring stays full; `EPERM` if the message names memory that the owner does not have;
    /// those of [`Self::check`].
    pub(crate) fn send(&self, message: &[u8]) -> Result {
        for attempt in 0..=SEND_TRIES {
            if attempt > 0 {
                time::fsleep(SEND_PAUSE);
            }
            match self.try_send(message) {
                Err(SendError::Full) => {}
                Err(SendError::Failed(e)) => return Err(e),
                Ok(()) => return Ok(()),
            }
        }
        Err(ENOENT)
    }

    fn try_send(&self, message: &[u8]) -> Result<(), SendError> {
        let failed = SendError::Failed;
        self.check().map_err(failed)?;
        let mut state = self.state.lock();
        if state.standing != Standing::Open {
            return Err(failed(ESTALE));
        }
        let Some(mut flow) = state.flow else {
            return self.publish(message);
        };
        let kind = flow.look(message).map_err(|error| {
            dev_dbg!(
                self.place.link.pdev,
                "list on port {}: {}\n",
                self.port,
                error
            );
            failed(EPERM)
        })?;
        let (named, parts) = match kind {
            FromHost::Names(list) => self.owned(&list, &state).map_err(failed)?,
            _ => (KVec::new(), KVec::new()),
        };
        match kind {
            FromHost::Names(_) => self.sync(&parts, Turn::Card),
            FromHost::Again => self.sync(&state.parts, Turn::Card),
            _ => {}
        }
        self.publish(message)?;
        let before = if let FromHost::Names(_) = kind {
            state.parts = parts;
            core::mem::replace(&mut state.named, named)
        } else {
            KVec::new()
        };
        flow.sent(&kind);
        state.flow = Some(flow);
        drop(state);
        // Not under the lock: the last reference to memory may be among them.
        drop(before);
        Ok(())
    }

    fn publish(&self, message: &[u8]) -> Result<(), SendError> {
        let link = &self.place.link;
        link.life
            .check_serving(self.generation)
            .map_err(|e| SendError::Failed(e.into()))?;
        link.send(Sender::Client, self.port, message)
    }

    /// Finds the owner's memory that `list` names, and the parts of it.  While the card is not through with
    /// the memory named before, that stays too.
    fn owned(&self, list: &List<'_>, state: &State) -> Result<(KVec<Arc<Buffer>>, KVec<Piece>)> {
        let mut named: KVec<Arc<Buffer>> = KVec::new();
        let mut parts = KVec::new();
        if state.flow.is_some_and(|flow| flow.is_exposed()) {
            if state.named.len() >= MOST_NAMED {
                return Err(EBUSY);
            }
            named.extend_from_slice(&state.named, GFP_KERNEL)?;
        }
        let wanted = list.entries();
        self.place.with_buffers(|buffers| {
            let own = || buffers.iter().filter(|h| h.owner == self.owner.process);
            for (address, len) in wanted {
                let pieces = || own().flat_map(Held::ranges);
                if !reach::covered(pieces, address, len) {
                    return Err(EPERM);
                }
                for held in own() {
                    let mut used = false;
                    for part in held.overlap(address, len) {
                        parts.push(part, GFP_KERNEL)?;
                        used = true;
                    }
                    let known = named.iter().any(|other| Arc::ptr_eq(other, &held.buffer));
                    if used && !known {
                        named.push(held.buffer.clone(), GFP_KERNEL)?;
                    }
                }
            }
            Ok(())
        })?;
        Ok((named, parts))
    }

    /// Hands memory to the card, or takes it back.  It fails only when the driver is being unbound.
    fn sync(&self, parts: &[Piece], turn: Turn) {
        let _ = self
            .place
            .pool
            .memory
            .space()
            .sync(parts.iter().copied(), turn);
    }

    /// Returns whether the card may be moving data.
    pub(crate) fn is_exposed(&self) -> bool {
        let state = self.state.lock();
        state.flow.is_some_and(|flow| flow.is_exposed())
    }

    /// Ends all use of the port; `standing` says why, unless it had ended before.  What comes of transfers
    /// is still watched.
    pub(crate) fn close(&self, standing: Standing) {
        let mut state = self.state.lock();
        if state.standing == Standing::Open {
            state.standing = standing;
        }
        for file in state.files.iter() {
            file.wake();
        }
    }

    /// Lets go of files and memory.  What the card may still be moving goes into quarantine.
    pub(crate) fn release(&self) {
        let mut state = self.state.lock();
        let exposed = state.flow.is_some_and(|flow| flow.is_exposed());
        let files = core::mem::take(&mut state.files);
        let named = core::mem::take(&mut state.named);
        state.parts = KVec::new();
        drop(state);
        for file in files.iter() {
            file.wake();
        }
        if exposed {
            for buffer in named {
                self.place.pool.quarantine(self.generation, buffer);
            }
        }
    }
}

impl Receiver for Line {
    fn receive(&self, _port: u32, message: &[u8]) {
        let mut state = self.state.lock();
        let through = state.flow.as_mut().and_then(|f| f.received(message));
        if let Some(through) = through {
            // Before the owner hears of it and looks.
            self.sync(&state.parts, Turn::Cpu);
            self.count(through);
        }
        let file = state.files.last().cloned();
        drop(state);
        match file {
            None => self.place.link.counters.dropped_no_port.add(1),
            Some(file) => {
                if file.push(message).is_err() {
                    self.place.link.counters.dropped_overflow.add(1);
                }
            }
        }
    }

    fn takes_long(&self) -> bool {
        true
    }

    fn describe(&self, _port: u32) -> Description {
        Description {
            kind: "axcl",
            pid: self.owner.process.number(),
            files: Some(self.state.lock().files.len()),
            comm: self.owner.comm,
        }
    }
}

// TIMEOUT: a transfer that was under way when its program ended is given so long to end too.
pub(crate) const DRAIN: Delta = Delta::from_secs(5);
