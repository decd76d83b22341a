// SPDX-License-Identifier: MIT OR Apache-2.0

//! The 57 byte record of a copy between host and card memory [rpc 5.3].

use super::frames::Header;
use super::messages::{u32_at, u64_at};

/// Frame type of a copy to be done now.
pub(crate) const COPY_NOW: u32 = 0x4105_0100;
/// Frame type with which the card orders the start of a queued copy.
pub(crate) const COPY_START: u32 = 0x4106_0100;

/// Which way a copy goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Card to the host process's memory, through the host's DMA buffer.
    ToHost = 0,
    /// The other way.
    FromHost = 1,
    /// Card to a host bus address that the caller named.
    ToBus = 2,
    /// The other way.
    FromBus = 3,
}

impl Kind {
    /// The kind of a number on the wire.
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        [Self::ToHost, Self::FromHost, Self::ToBus, Self::FromBus]
            .into_iter()
            .find(|kind| *kind as u32 == number)
    }
}

/// The record of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// Names the copy: sequence, context and stream.
    pub(crate) header: Header,
    /// Direction.
    pub(crate) kind: Kind,
    /// Card address (kinds 0 and 2) or bus address (3).
    pub(crate) source: u64,
    /// Card address (kinds 1 and 3) or bus address (2).
    pub(crate) target: u64,
    /// The host process's address (kinds 0 and 1), which is nothing to the card.
    pub(crate) host: u64,
    /// Bytes.
    pub(crate) len: u32,
}

impl Record {
    /// Bytes of a record.
    pub(crate) const LEN: usize = 57;

    /// Reads a record; the error is a text for the log.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() != Self::LEN {
            return Err(format!("a copy record of {} bytes", bytes.len()));
        }
        let header = Header::parse(bytes).ok_or("no header")?;
        let kind = Kind::from_number(bytes[28].into())
            .ok_or_else(|| format!("copy kind {}", bytes[28]))?;
        Ok(Self {
            header,
            kind,
            source: u64_at(bytes, 29),
            target: u64_at(bytes, 37),
            host: u64_at(bytes, 45),
            len: u32_at(bytes, 53),
        })
    }

    /// The bytes on the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LEN);
        bytes.extend_from_slice(&self.header.bytes());
        bytes.push(self.kind as u8);
        bytes.extend_from_slice(&self.source.to_le_bytes());
        bytes.extend_from_slice(&self.target.to_le_bytes());
        bytes.extend_from_slice(&self.host.to_le_bytes());
        bytes.extend_from_slice(&self.len.to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_of_the_worked_example() {
        let hex =
            "00 01 05 41 04 00 00 00 00 00 00 00 01 00 00 00 01 00 00 00 01 00 00 00 00 00 00 00 \
            01 00 00 00 00 00 00 00 25 00 00 00 41 01 00 00 00 10 c0 df 54 45 7f 00 00 00 00 80 00";
        let bytes: Vec<u8> = hex
            .split_whitespace()
            .map(|b| u8::from_str_radix(b, 16).unwrap())
            .collect();
        let record = Record::parse(&bytes).unwrap();
        assert_eq!(record.kind, Kind::FromHost);
        assert_eq!(record.header.kind, COPY_NOW);
        assert_eq!((record.header.sequence, record.header.context), (4, 1));
        assert_eq!((record.target, record.len), (0x1_4100_0000, 0x80_0000));
        assert_eq!(record.bytes(), bytes);
        assert!(Record::parse(&bytes[1..]).is_err());
        let mut bad = bytes;
        bad[28] = 4;
        assert_eq!(Record::parse(&bad), Err("copy kind 4".into()));
    }
}
