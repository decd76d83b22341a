// SPDX-License-Identifier: MIT OR Apache-2.0

//! The header of frames [rpc 3.1].

use crate::node::{get32, get64};

/// Length of the header.
pub const HEADER: usize = 28;

/// Longest frame that goes as a message of its own; longer ones go by DMA (1.1).
pub const MESSAGE_FRAME: usize = 1024;

/// Host memory copy, now (5.3).
pub const COPY_NOW: u32 = 0x4105_0100;
/// The card orders the start of a queued copy (5.4).
pub const COPY_START: u32 = 0x4106_0100;

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Header {
    /// Service or module, and the number of the call.
    pub kind: u32,
    /// Grows by one with each request of a process.
    pub sequence: u64,
    /// Bus number of the card.
    pub card: u32,
    /// Context.
    pub context: u32,
    /// Stream; 1 is the context's own.
    pub stream: u32,
    /// Number of a control command, else 0.
    pub command: u32,
}

/// What an answer is found by: sequence, card, context, stream (1.2).
pub type Key = (u64, u32, u32, u32);

impl Header {
    /// Its bytes.
    pub fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&self.kind.to_le_bytes());
        bytes[4..12].copy_from_slice(&self.sequence.to_le_bytes());
        let words = [self.card, self.context, self.stream, self.command];
        for (place, word) in bytes[12..].chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// From the first bytes of a frame, if it is long enough.
    pub fn from_frame(frame: &[u8]) -> Option<Self> {
        let bytes = frame.get(..HEADER)?;
        Some(Self {
            kind: get32(bytes, 0),
            sequence: get64(bytes, 4),
            card: get32(bytes, 12),
            context: get32(bytes, 16),
            stream: get32(bytes, 20),
            command: get32(bytes, 24),
        })
    }

    /// What the answer is found by.
    pub fn key(&self) -> Key {
        (self.sequence, self.card, self.context, self.stream)
    }
}

/// Type of a call of a runtime service.
pub const fn runtime(service: u8, api: u8) -> u32 {
    ((service as u32) << 8) | ((api as u32) << 16)
}

/// Type of a native call.
pub const fn native(module: u8, api: u8) -> u32 {
    1 | ((module as u32) << 8) | ((api as u32) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_those_of_the_notes() {
        assert_eq!(runtime(0, 3), 0x0003_0000);
        assert_eq!(runtime(0, 1), 0x0001_0000);
        assert_eq!(runtime(1, 0), 0x0000_0100);
        assert_eq!(runtime(1, 4), 0x0004_0100);
        assert_eq!(runtime(2, 11), 0x000b_0200);
        assert_eq!(native(1, 17), 0x0011_0101);
        assert_eq!(native(2, 2), 0x0002_0201);
        assert_eq!(native(0, 45), 0x002d_0001);
    }

    #[test]
    fn there_and_back() {
        let header = Header {
            kind: COPY_NOW,
            sequence: 0x0102_0304_0506_0708,
            card: 9,
            context: 10,
            stream: 11,
            command: 12,
        };
        assert_eq!(Header::from_frame(&header.to_bytes()), Some(header));
        assert_eq!(Header::from_frame(&[0; 27]), None);
    }
}
