// SPDX-License-Identifier: MIT OR Apache-2.0

//! Parts of jobs: copies and calls.

use std::ops::Range;

use nix::errno::Errno;

use crate::buffer::Buffer;
use crate::call::Call;
use crate::error::{Error, Result};
use crate::memory::CardMemory;
use crate::pending::Waiting;
use crate::session::Session;
use crate::transport::{Action, Direction, Place};

/// Longest frame that goes as one message; a longer one is fetched by DMA.
const MAX_MESSAGE: usize = 1024;

/// What a step is about: a copy, or a [`Call`].
#[derive(Debug)]
pub struct Part(pub(crate) Work);

/// What a [`Part`] is about, for the library.
#[derive(Debug)]
pub(crate) enum Work {
    Copy {
        direction: Direction,
        buffer: Buffer,
        range: Range<usize>,
        place: CardRange,
    },
    Call(Call),
}

/// Where in card memory a copy begins: a [`CardMemory`], which the job then keeps, or an address.
///
/// An address is as good as the program's knowledge of it.  The driver sees to it that it is in the card's memory; whose it
/// is there is the program's care, and that it is not freed before the job has ended.
#[derive(Debug, Clone)]
pub struct CardRange {
    address: u64,
    pub(crate) memory: Option<CardMemory>,
}

impl From<u64> for CardRange {
    fn from(address: u64) -> Self {
        let memory = None;
        Self { address, memory }
    }
}

impl From<&CardMemory> for CardRange {
    fn from(memory: &CardMemory) -> Self {
        Self {
            address: memory.address(),
            memory: Some(memory.clone()),
        }
    }
}

impl Part {
    /// Copies the bytes at `range` of `buffer` to the beginning of `target`.
    pub fn to_card(buffer: &Buffer, range: Range<usize>, target: impl Into<CardRange>) -> Self {
        Self::copy(Direction::ToCard, buffer, range, target.into())
    }

    /// Copies from the beginning of `source` to the bytes at `range` of `buffer`.
    pub fn from_card(buffer: &Buffer, range: Range<usize>, source: impl Into<CardRange>) -> Self {
        Self::copy(Direction::FromCard, buffer, range, source.into())
    }

    fn copy(direction: Direction, buffer: &Buffer, range: Range<usize>, place: CardRange) -> Self {
        let buffer = buffer.clone();
        Self(Work::Copy {
            direction,
            buffer,
            range,
            place,
        })
    }
}

impl From<Call> for Part {
    fn from(call: Call) -> Self {
        Self(Work::Call(call))
    }
}

/// Finds out which steps of a job are carried out in order though they do not wait for the earlier ones.
#[derive(Debug, Default)]
pub(crate) struct Order {
    is_begun: bool,
    /// The stream of all steps since the last one that waits, if they are short calls of one stream.
    chain: Option<Place>,
}

impl Order {
    /// Returns the stream in whose order the card carries a call out, if nothing but its message is needed for that.
    pub(crate) fn of(frame: &[u8], place: Place) -> Option<Place> {
        (frame.len() <= MAX_MESSAGE).then_some(place)
    }

    /// Returns whether the next step may be sent behind the one ahead: as `along` says, or because the card keeps the
    /// order of both.
    pub(crate) fn next(&mut self, along: bool, call: Option<Place>) -> bool {
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        let in_order = !is_first && call.is_some() && call == self.chain;
        if !in_order {
            // What waits begins a chain; what does not may be sent while anything else goes on.
            self.chain = call.filter(|_| is_first || !along);
        }
        along || in_order
    }
}

impl Work {
    pub(crate) fn what(&self) -> String {
        match self {
            Work::Copy {
                direction,
                range,
                place,
                ..
            } => {
                let way = match direction {
                    Direction::ToCard => "to",
                    Direction::FromCard => "from",
                };
                let (count, address) = (range.len(), place.address);
                format!("copy {count} bytes {way} the card at {address:#x}")
            }
            Work::Call(call) => call.what().to_owned(),
        }
    }

    /// Returns the stream in whose order the card carries this out, if nothing but its message is needed for that.
    pub(crate) fn ordered(&self) -> Option<Place> {
        match self {
            Work::Call(call) => Order::of(call.frame(), call.lane().place()),
            Work::Copy { .. } => None,
        }
    }

    /// Checks whether a job of `session` can do this.
    pub(crate) fn check(&self, session: &Session) -> Result<()> {
        match self {
            Work::Copy {
                buffer,
                range,
                place,
                ..
            } => {
                session.same_device(buffer)?;
                let len = buffer.len();
                if range.start >= range.end || range.end > len {
                    return Err(Error::invalid(format!(
                        "bytes {range:?} of a buffer of {len} cannot be copied"
                    )));
                }
                match &place.memory {
                    Some(memory) => {
                        session.same_session(memory.session(), "card memory")?;
                        memory.at(0, range.len() as u64).map(drop)
                    }
                    None => Ok(()),
                }
            }
            Work::Call(call) => {
                let what = format!("a call ({})", call.what());
                session.same_session(call.lane().session(), &what)?;
                let (room, most) = (call.capacity(), session.limits().max_frame_bytes);
                if call.is_answered() && room > most as usize {
                    return Err(Error::invalid(format!(
                        "{}: room for an answer of {room} bytes, but none is longer than {most}",
                        call.what()
                    )));
                }
                Ok(())
            }
        }
    }
}

impl Work {
    /// Makes room for the answer, if there will be one.
    pub(crate) fn waiting(&self, session: &Session) -> Result<Waiting, Errno> {
        let (place, reply, target) = match self {
            Work::Call(call) => {
                let slot = match call.is_answered() {
                    true => Some(session.arena().take(call.capacity())?),
                    false => None,
                };
                let place = call.lane().place();
                (Some(place), slot.map(|slot| (*call.header(), slot)), None)
            }
            Work::Copy {
                direction, buffer, ..
            } => {
                let is_target = *direction == Direction::FromCard;
                (None, None, is_target.then(|| buffer.clone()))
            }
        };
        Ok(Waiting {
            what: self.what(),
            place,
            reply,
            target,
        })
    }

    /// Makes the step for the driver, whose answer goes to where `waiting` has room for it.
    pub(crate) fn action<'a>(
        &'a self,
        session: &Session,
        place: Place,
        waiting: &Waiting,
    ) -> Action<'a> {
        match self {
            Work::Copy {
                direction,
                buffer,
                range,
                place: card,
            } => Action::Copy {
                direction: *direction,
                sequence: session.next_sequence(),
                place,
                card_address: card.address,
                buffer: buffer.handle(),
                offset: range.start as u64,
                size: range.len() as u64,
            },
            Work::Call(call) => Action::Call {
                frame: call.frame(),
                reply: waiting.reply.as_ref().map(|(_, slot)| slot.range()),
            },
        }
    }
}
