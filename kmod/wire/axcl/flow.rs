// SPDX-License-Identifier: GPL-2.0

//! State of the bulk transfers on a port, as a bystander sees it: P0 and P1 [rpc 2.3], and the ports that a
//! program has asked for besides, where the same messages move the data of its own programs on the
//! card [rpc 8].
//!
//! Programs run these transfers themselves; the kernel only hands the messages over. But it must know
//! when the card may be reading or writing host memory, so that the memory is not given to somebody
//! else, and whose turn it is with caches and bounce buffers. This needs little of the protocol:
//!
//! * the host lets the card move data by a list of its memory, or, after the first chunk of a push, by
//!   "taken" for the chunk before;
//! * the card says that it is through with "done" (push) or "taken" (pull).

use crate::wire::{
    bytes::u32_at,
    frame::{
        COPY,
        MAX_MESSAGE, //
    },
    transfer::{
        List,
        ListKind,
        Transfer,
        TransferError, //
    }, //
};

/// State of one port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// The card may be moving data from or to the memory last named.
    exposed: bool,
    /// The card pushes: each "taken" of the host asks for more.
    pushing: bool,
    /// What the card has yet to push, bytes.
    left: u32,
    /// The next message of the host is the record of a copy.
    record: bool,
    /// A port besides: what is no list there may be anything.
    besides: bool,
    /// There, the next message of this side is data, whatever it looks like.
    data: [bool; 2],
}

/// Indices into [`Flow::data`].
const HOST: usize = 0;
const CARD: usize = 1;

/// How the card has got through with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// The card has read so many bytes.
    Read(u32),
    /// The card has written so many bytes.
    Wrote(u32),
    /// The card has begun something else.
    Over,
}

/// What a message of the host does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromHost<'a> {
    /// Lets the card move data from or to these pieces.
    Names(List<'a>),
    /// Lets the card go on with the pieces named before.
    Again,
    /// Begins a transfer of this type and size.
    Begins(u32, u32),
    /// Says how much is to be copied.
    Copies(u32),
    /// Nothing that touches memory.
    Plain,
}

/// Kinds of the two lists.
const LISTS: [u8; 2] = [8, 9];
/// Length of the record of a copy, and where the number of bytes is in it [rpc 5.3].
const RECORD: usize = 57;
const RECORD_BYTES: usize = 53;

impl Flow {
    /// Makes the state of a port that a program has asked for besides its four.
    pub fn besides() -> Self {
        Self {
            besides: true,
            ..Self::default()
        }
    }

    /// Looks at a message of the host. One that looks like a list must be one: the card may be less
    /// strict. Not so on ports besides, where short data travels as it is.
    pub fn look<'a>(&self, message: &'a [u8]) -> Result<FromHost<'a>, TransferError> {
        if self.data[HOST] {
            return Ok(FromHost::Plain);
        }
        let is_list = message.first().is_some_and(|kind| LISTS.contains(kind));
        if self.record && message.len() == RECORD && !is_list {
            return Ok(FromHost::Copies(u32_at(message, RECORD_BYTES).unwrap_or(0)));
        }
        match Transfer::parse(message) {
            Ok(Transfer::List(list)) => Ok(FromHost::Names(list)),
            Ok(Transfer::ReadDone { .. }) if self.pushing && self.left > 0 => Ok(FromHost::Again),
            Ok(Transfer::Request { frame_type, size }) => Ok(FromHost::Begins(frame_type, size)),
            Err(error) if is_list && !self.besides => Err(error),
            _ => Ok(FromHost::Plain),
        }
    }

    /// Notes that a message of the host has been sent.
    pub fn sent(&mut self, message: &FromHost<'_>) {
        self.record = false;
        self.data[HOST] = false;
        match *message {
            FromHost::Names(list) => {
                self.exposed = true;
                self.pushing = list.kind == ListKind::Sglist;
            }
            FromHost::Again => self.exposed = true,
            FromHost::Begins(COPY, _) => self.record = true,
            FromHost::Begins(_, size) | FromHost::Copies(size) => {
                self.left = size;
                self.data[HOST] = self.is_short(size);
            }
            FromHost::Plain => {}
        }
    }

    /// Returns whether data of this size follows its announcement as it is.
    fn is_short(&self, size: u32) -> bool {
        self.besides && (size as usize) < MAX_MESSAGE
    }

    /// Notes that a message of the card has come; tells if the card has just got through with the
    /// memory.
    pub fn received(&mut self, message: &[u8]) -> Option<Through> {
        if core::mem::take(&mut self.data[CARD]) {
            return None;
        }
        let through = match Transfer::parse(message) {
            Ok(Transfer::TaskDone { bytes }) if self.pushing => {
                // 0: its DMA has failed, there is no more to come.
                self.left = match bytes {
                    0 => 0,
                    bytes => self.left.saturating_sub(bytes),
                };
                Through::Wrote(bytes)
            }
            Ok(Transfer::ReadDone { bytes }) if !self.pushing => Through::Read(bytes),
            // A new transaction: the one before is over, or the card would not begin it.
            Ok(Transfer::Request { size, .. }) => {
                self.left = size;
                self.data[CARD] = self.is_short(size);
                Through::Over
            }
            _ => return None,
        };
        core::mem::take(&mut self.exposed).then_some(through)
    }

    /// Returns whether the card may be reading or writing.
    pub fn is_exposed(&self) -> bool {
        self.exposed
    }
}
