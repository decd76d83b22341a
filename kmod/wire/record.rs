// SPDX-License-Identifier: GPL-2.0

//! The 57 byte record that describes a copy between card and host [rpc 5.3].

use super::{
    bytes::Writer,
    frame, //
};

/// Length of the record.
pub const RECORD_SIZE: usize = 57;

/// Direction, as the card counts. The other kinds, 2 and 3, name host bus addresses; the kernel
/// has no use for them because it answers with scatter lists of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Card to host memory: a push.
    FromCard = 0,
    /// Host memory to card: a pull.
    ToCard = 1,
}

/// Copy between host and card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyRecord {
    /// Sequence number of the copy.
    pub sequence: u64,
    /// Card id.
    pub card: u32,
    /// Context id.
    pub context: u32,
    /// Stream id.
    pub stream: u32,
    /// Direction of the copy.
    pub kind: Kind,
    /// Address in card memory.
    pub address: u64,
    /// Bytes to copy.
    pub size: u32,
}

impl CopyRecord {
    /// Encodes the record as it travels. What the card does not look at is 0: no kernel or user
    /// address leaves the host.
    pub fn encode(&self) -> [u8; RECORD_SIZE] {
        let header = frame::Header {
            kind: frame::COPY,
            sequence: self.sequence,
            card: self.card,
            context: self.context,
            stream: self.stream,
            command: 0,
        };
        let (source, destination) = match self.kind {
            Kind::FromCard => (self.address, 0),
            Kind::ToCard => (0, self.address),
        };
        let mut out = [0; RECORD_SIZE];
        let mut writer = Writer::new(&mut out);
        writer.put(&header.encode());
        writer.u8(self.kind as u8);
        writer.u64(source);
        writer.u64(destination);
        writer.u64(0);
        writer.u32(self.size);
        out
    }
}
