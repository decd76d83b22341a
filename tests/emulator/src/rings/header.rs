// SPDX-License-Identifier: MIT OR Apache-2.0

//! The message header [pcie 4.4].

/// Bytes.
pub const HEADER_SIZE: usize = 24;
/// What the last word must be.
pub const CHECK: u32 = 0xa65;

/// Six words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Id of the receiver.
    pub destination: u32,
    /// Id of the sender.
    pub sender: u32,
    /// Port.
    pub port: u32,
    /// 0.
    pub reserved: u32,
    /// Payload bytes.
    pub length: u32,
    /// [`CHECK`].
    pub check: u32,
}

impl Header {
    /// A good header from the card `sender` to the host.
    pub fn to_host(sender: u32, port: u32, length: u32) -> Self {
        Self {
            destination: 0,
            sender,
            port,
            reserved: 0,
            length,
            check: CHECK,
        }
    }

    /// As it lies in the ring.
    pub fn to_bytes(self) -> [u8; HEADER_SIZE] {
        let words = [
            self.destination,
            self.sender,
            self.port,
            self.reserved,
            self.length,
            self.check,
        ];
        let mut bytes = [0; HEADER_SIZE];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// From what lies in the ring.
    pub fn from_bytes(bytes: [u8; HEADER_SIZE]) -> Self {
        let word =
            |i: usize| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
        Self {
            destination: word(0),
            sender: word(4),
            port: word(8),
            reserved: word(12),
            length: word(16),
            check: word(20),
        }
    }

    /// Sets the word called `field`, as the fault switch names it.
    pub(crate) fn set(&mut self, field: &str, value: u32) {
        match field {
            "destination" => self.destination = value,
            "sender" => self.sender = value,
            "port" => self.port = value,
            "reserved" => self.reserved = value,
            "length" => self.length = value,
            _ => self.check = value,
        }
    }
}
