// SPDX-License-Identifier: GPL-2.0

//! The 24 bytes in front of every message [pcie 4.4].

use super::{
    bytes::u32_at,
    ring::padded, //
};

use core::fmt;

/// Length of a header.
pub const HEADER_SIZE: u32 = 24;
/// Longest payload: 0x60000 and more are refused by both sides.
pub const MAX_PAYLOAD: u32 = 0x5_FFFF;
/// Ports are below this.
pub const PORT_COUNT: u32 = 128;

const CHECK: u32 = 0xA65;

/// What the host believes of a header. The ids in it are no part of this: a card is known by the
/// ring its messages are in ([pcie 1.7], R02).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Port, below [`PORT_COUNT`].
    pub port: u32,
    /// Payload, 1 to [`MAX_PAYLOAD`] bytes.
    pub length: u32,
}

/// Why a header was not accepted; the values are the card's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// Check word is not 0xA65.
    Check(u32),
    /// No such port.
    Port(u32),
    /// Payload of no or too many bytes.
    Length(u32),
    /// The message would end behind the write pointer.
    Beyond {
        /// Padded length of the message.
        total: u32,
        /// Bytes up to the write pointer.
        available: u32,
    },
}

impl Header {
    /// Encodes the header of a message to the card `card_id`.
    pub fn encode(&self, card_id: u32) -> [u8; HEADER_SIZE as usize] {
        let mut out = [0; HEADER_SIZE as usize];
        let words = [card_id, 0, self.port, 0, self.length, CHECK];
        for (field, word) in out.chunks_exact_mut(4).zip(words) {
            field.copy_from_slice(&word.to_le_bytes());
        }
        out
    }

    /// Checks a header, of which the caller took **one** copy, against the bytes `available` up to
    /// the write pointer.
    pub fn parse(raw: &[u8; HEADER_SIZE as usize], available: u32) -> Result<Self, HeaderError> {
        let word = |at| u32_at(raw, at).unwrap_or(0);
        let (port, length, check) = (word(8), word(16), word(20));
        if check != CHECK {
            return Err(HeaderError::Check(check));
        }
        if port >= PORT_COUNT {
            return Err(HeaderError::Port(port));
        }
        if !(1..=MAX_PAYLOAD).contains(&length) {
            return Err(HeaderError::Length(length));
        }
        let total = padded(length);
        if total > available {
            return Err(HeaderError::Beyond { total, available });
        }
        Ok(Self { port, length })
    }

    /// Returns how far to move past a message whose header was refused (R28): its own length if
    /// that is possible, since one wrong field should not cost the messages behind it; else
    /// everything up to the write pointer.
    pub fn skip(raw: &[u8; HEADER_SIZE as usize], available: u32) -> u32 {
        match u32_at(raw, 16) {
            Some(length) if length <= MAX_PAYLOAD && padded(length) <= available => padded(length),
            _ => available,
        }
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(check) => write!(f, "check word 0x{check:x} is not 0x{CHECK:x}"),
            Self::Port(port) => write!(f, "port {port} does not exist"),
            Self::Length(length) => write!(f, "length {length} is not 1 to {MAX_PAYLOAD}"),
            Self::Beyond { total, available } => {
                write!(
                    f,
                    "message of {total} bytes, but only {available} were written"
                )
            }
        }
    }
}
