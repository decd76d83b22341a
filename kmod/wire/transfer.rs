// SPDX-License-Identifier: GPL-2.0

//! Messages that start and move transactions on a session's ports P0 and P1 [rpc 2.1] to [rpc 2.4].

use super::bytes::{
    u32_at,
    u64_at,
    Writer, //
};

use core::fmt;

/// Length of a message that is not a list.
pub const MESSAGE_SIZE: usize = 17;
/// Most entries of a list.
pub const MAX_ENTRIES: usize = 64;
/// Length of the longest list.
pub const MAX_LIST: usize = 2 + 12 * MAX_ENTRIES;

const ENTRY: usize = 12;

/// The two kinds of list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ListKind {
    /// List of the places where the receiver wants the data.
    Sglist = 8,
    /// List of the places where the sender has the data.
    Linked = 9,
}

/// Pieces of memory, 1 to [`MAX_ENTRIES`], none at address 0 or of length 0.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct List<'a> {
    /// Kind of the list.
    pub kind: ListKind,
    entries: &'a [u8],
}

/// Message of a bulk transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer<'a> {
    /// Handshake, from the host.
    Sync(u32),
    /// Handshake, from the card: the number it got and 1.
    SyncAck(u32),
    /// Handshake, from the host: the number it got and 1.
    Done(u32),
    /// A transaction begins.
    Request {
        /// Type of the frame that is to be moved, or a copy type.
        frame_type: u32,
        /// Bytes of the frame or record.
        size: u32,
    },
    /// The card has written these bytes to the host; 0: its DMA failed.
    TaskDone {
        /// Bytes moved.
        bytes: u32,
    },
    /// The receiver has taken these bytes.
    ReadDone {
        /// Bytes taken.
        bytes: u32,
    },
    /// Places where data is or goes.
    List(List<'a>),
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferError {
    /// Nothing is called by this kind here.
    Kind(u8),
    /// Not the length its kind and count demand.
    Length {
        /// Kind.
        kind: u8,
        /// Bytes there are.
        length: usize,
    },
    /// A list of no or too many entries.
    Count(u8),
    /// An entry at address 0 or of length 0.
    Entry {
        /// Address in the entry.
        address: u64,
        /// Length in the entry.
        length: u32,
    },
}

impl<'a> Transfer<'a> {
    /// Reads a message of a bulk transfer.
    pub fn parse(message: &'a [u8]) -> Result<Self, TransferError> {
        let length = message.len();
        let Some(&kind) = message.first() else {
            return Err(TransferError::Length { kind: 0, length });
        };
        let wrong_length = TransferError::Length { kind, length };
        match kind {
            8 => return List::parse(ListKind::Sglist, message).map(Self::List),
            9 => return List::parse(ListKind::Linked, message).map(Self::List),
            0..=3 | 6 | 7 => {}
            _ => return Err(TransferError::Kind(kind)),
        }
        if length != MESSAGE_SIZE {
            return Err(wrong_length);
        }
        let value = u32_at(message, 1).ok_or(wrong_length)?;
        Ok(match kind {
            0 => Self::Sync(value),
            1 => Self::SyncAck(value),
            2 => Self::Done(value),
            3 => Self::Request {
                frame_type: value,
                size: u32_at(message, 5).ok_or(wrong_length)?,
            },
            6 => Self::TaskDone { bytes: value },
            _ => Self::ReadDone { bytes: value },
        })
    }

    /// Encodes the message as it travels; `None` for lists, see [`encode_list`].
    pub fn encode(&self) -> Option<[u8; MESSAGE_SIZE]> {
        let (kind, first, second) = match *self {
            Self::Sync(number) => (0, number, 0),
            Self::SyncAck(number) => (1, number, 0),
            Self::Done(number) => (2, number, 0),
            Self::Request { frame_type, size } => (3, frame_type, size),
            Self::TaskDone { bytes } => (6, bytes, 0),
            Self::ReadDone { bytes } => (7, bytes, 0),
            Self::List(_) => return None,
        };
        let mut out = [0; MESSAGE_SIZE];
        let mut writer = Writer::new(&mut out);
        writer.u8(kind);
        writer.u32(first);
        writer.u32(second);
        Some(out)
    }
}

impl<'a> List<'a> {
    fn parse(kind: ListKind, message: &'a [u8]) -> Result<Self, TransferError> {
        let length = message.len();
        let wrong_length = TransferError::Length {
            kind: kind as u8,
            length,
        };
        let (&count, entries) = message
            .get(1..)
            .and_then(<[u8]>::split_first)
            .ok_or(wrong_length)?;
        if !(1..=MAX_ENTRIES).contains(&usize::from(count)) {
            return Err(TransferError::Count(count));
        }
        if entries.len() != usize::from(count).saturating_mul(ENTRY) {
            return Err(wrong_length);
        }
        let list = Self { kind, entries };
        match list.entries().find(|&entry| !entry_is_valid(entry)) {
            Some((address, length)) => Err(TransferError::Entry { address, length }),
            None => Ok(list),
        }
    }

    /// Address and length of each piece.
    pub fn entries(&self) -> impl Iterator<Item = (u64, u32)> + 'a {
        self.entries
            .chunks_exact(ENTRY)
            .filter_map(|entry| Some((u64_at(entry, 0)?, u32_at(entry, 8)?)))
    }

    /// Returns the sum of the lengths. 64 u32 fit a u64.
    pub fn total(&self) -> u64 {
        self.entries()
            .fold(0, |sum: u64, (_, length)| sum.saturating_add(length.into()))
    }
}

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)?;
        f.debug_list().entries(self.entries()).finish()
    }
}

fn entry_is_valid((address, length): (u64, u32)) -> bool {
    address != 0 && length != 0 && address.checked_add(u64::from(length)).is_some()
}

/// Writes a list message and returns its length; `None` if the list is not a valid one.
pub fn encode_list(
    kind: ListKind,
    entries: &[(u64, u32)],
    out: &mut [u8; MAX_LIST],
) -> Option<usize> {
    let count = u8::try_from(entries.len()).ok()?;
    if !(1..=MAX_ENTRIES).contains(&entries.len()) || !entries.iter().copied().all(entry_is_valid) {
        return None;
    }
    let mut writer = Writer::new(out);
    writer.u8(kind as u8);
    writer.u8(count);
    for &(address, length) in entries {
        writer.u64(address);
        writer.u32(length);
    }
    writer.finish()
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => write!(f, "transfer message of unknown kind {kind}"),
            Self::Length { kind, length } => {
                write!(
                    f,
                    "transfer message of kind {kind} has the impossible length {length}"
                )
            }
            Self::Count(count) => write!(f, "list of {count} entries, not 1 to {MAX_ENTRIES}"),
            Self::Entry { address, length } => {
                write!(f, "list entry at address 0x{address:x} of length {length}")
            }
        }
    }
}
