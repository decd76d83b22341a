// SPDX-License-Identifier: MIT OR Apache-2.0

//! Messages of the transaction ports [rpc 2.1].

use anyhow::{bail, ensure, Context, Result};

use crate::node::buffer::{Piece, PIECES};
use crate::node::{get32, get64};

/// Length of most messages.
pub const CONTROL: usize = 17;
/// Room for the longest one.
pub const LONGEST: usize = 2 + 12 * PIECES;

/// Kinds of messages.
mod kind {
    pub const SYNC: u8 = 0;
    pub const SYNC_ACK: u8 = 1;
    pub const DONE: u8 = 2;
    pub const TRANSFER_REQUEST: u8 = 3;
    pub const TASK_DONE: u8 = 6;
    pub const READ_DONE: u8 = 7;
    pub const SGLIST_INFO: u8 = 8;
    pub const LINKED_LIST: u8 = 9;
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Handshake, first.
    Sync(u32),
    /// Handshake, second.
    SyncAck(u32),
    /// Handshake, third.
    Done(u32),
    /// A transaction begins.
    TransferRequest {
        /// Type of the frame.
        kind: u32,
        /// Its length.
        size: u32,
    },
    /// So many bytes were written to the other side's memory.
    TaskDone(u32),
    /// So many bytes were taken.
    ReadDone(u32),
    /// Where the sender wants data.
    SglistInfo(Vec<Piece>),
    /// Where the sender has data.
    LinkedList(Vec<Piece>),
}

impl Message {
    /// Its bytes, with zeros where Axera's library leaves what was there.
    pub fn to_bytes(&self) -> Vec<u8> {
        let control = |kind: u8, words: &[u32]| {
            let mut bytes = vec![kind];
            words
                .iter()
                .for_each(|word| bytes.extend(word.to_le_bytes()));
            bytes.resize(CONTROL, 0);
            bytes
        };
        match self {
            Self::Sync(number) => control(kind::SYNC, &[*number]),
            Self::SyncAck(number) => control(kind::SYNC_ACK, &[*number]),
            Self::Done(number) => control(kind::DONE, &[*number]),
            Self::TransferRequest { kind, size } => {
                control(kind::TRANSFER_REQUEST, &[*kind, *size])
            }
            Self::TaskDone(bytes) => control(kind::TASK_DONE, &[*bytes]),
            Self::ReadDone(bytes) => control(kind::READ_DONE, &[*bytes]),
            Self::SglistInfo(pieces) => list(kind::SGLIST_INFO, pieces),
            Self::LinkedList(pieces) => list(kind::LINKED_LIST, pieces),
        }
    }

    /// Reads a message, with all that the protocol documents demand of it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let kind = *bytes.first().context("an empty message")?;
        if matches!(kind, kind::SGLIST_INFO | kind::LINKED_LIST) {
            let pieces = pieces(bytes)?;
            return Ok(if kind == kind::SGLIST_INFO {
                Self::SglistInfo(pieces)
            } else {
                Self::LinkedList(pieces)
            });
        }
        ensure!(
            bytes.len() == CONTROL,
            "a message of kind {kind} and {} bytes",
            bytes.len()
        );
        let (first, second) = (get32(bytes, 1), get32(bytes, 5));
        Ok(match kind {
            kind::SYNC => Self::Sync(first),
            kind::SYNC_ACK => Self::SyncAck(first),
            kind::DONE => Self::Done(first),
            kind::TRANSFER_REQUEST => Self::TransferRequest {
                kind: first,
                size: second,
            },
            kind::TASK_DONE => Self::TaskDone(first),
            kind::READ_DONE => Self::ReadDone(first),
            _ => bail!("a message of kind {kind}"),
        })
    }
}

fn list(kind: u8, pieces: &[Piece]) -> Vec<u8> {
    let mut bytes = vec![kind, pieces.len() as u8];
    for piece in pieces {
        bytes.extend(piece.bus.to_le_bytes());
        bytes.extend(piece.size.to_le_bytes());
    }
    bytes
}

fn pieces(bytes: &[u8]) -> Result<Vec<Piece>> {
    let count = usize::from(*bytes.get(1).context("a list without a count")?);
    ensure!((1..=PIECES).contains(&count), "a list of {count} pieces");
    ensure!(
        bytes.len() == 2 + 12 * count,
        "a list of {count} pieces and {} bytes",
        bytes.len()
    );
    let mut pieces = Vec::with_capacity(count);
    for entry in bytes[2..].chunks_exact(12) {
        let piece = Piece {
            bus: get64(entry, 0),
            size: get32(entry, 8),
        };
        ensure!(
            piece.bus != 0 && piece.size != 0,
            "a list with {piece:x?} in it"
        );
        pieces.push(piece);
    }
    Ok(pieces)
}

/// The bytes of all pieces.
pub fn total(pieces: &[Piece]) -> u64 {
    pieces.iter().map(|piece| u64::from(piece.size)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_1_to_64_pieces() {
        let piece = Piece {
            bus: 0x1000,
            size: 1,
        };
        for count in [1, 2, 64] {
            let message = Message::LinkedList(vec![piece; count]);
            let bytes = message.to_bytes();
            assert_eq!(bytes.len(), 2 + 12 * count);
            assert_eq!(Message::from_bytes(&bytes).unwrap(), message);
        }
        for count in [0, 65, 255] {
            let bytes = Message::SglistInfo(vec![piece; count]).to_bytes();
            assert!(Message::from_bytes(&bytes).is_err());
        }
        let empty = Piece { bus: 1, size: 0 };
        assert!(Message::from_bytes(&Message::LinkedList(vec![empty]).to_bytes()).is_err());
    }

    #[test]
    fn lengths_are_exact() {
        assert!(Message::from_bytes(&[]).is_err());
        assert!(Message::from_bytes(&[0; 16]).is_err());
        assert!(Message::from_bytes(&[0; 18]).is_err());
        assert!(Message::from_bytes(&[4; 17]).is_err());
        assert_eq!(Message::from_bytes(&[0; 17]).unwrap(), Message::Sync(0));
    }
}
