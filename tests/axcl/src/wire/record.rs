// SPDX-License-Identifier: MIT OR Apache-2.0

//! The record of a copy between host and card [rpc 5.3].

use anyhow::{ensure, Context, Result};

use super::header::{Header, COPY_NOW, HEADER};
use crate::node::{get32, get64};

/// Length of the record.
pub const RECORD: usize = 57;

/// What is copied where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Kind 0: card to host memory.
    ToHost = 0,
    /// Kind 1: host memory to card.
    ToCard = 1,
    /// Kind 2: card to a host bus address.
    ToBus = 2,
    /// Kind 3: host bus address to card.
    FromBus = 3,
}

/// The record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Header; its type is that of copies.
    pub header: Header,
    /// What is copied where.
    pub direction: Direction,
    /// Card address (kinds 0 and 2) or bus address (kind 3).
    pub source: u64,
    /// Card address (kinds 1 and 3) or bus address (kind 2).
    pub destination: u64,
    /// Host address (kinds 0 and 1), which means nothing to the card.
    pub host: u64,
    /// Bytes.
    pub size: u32,
}

impl Record {
    /// Its bytes, as the host sends it.
    pub fn to_bytes(self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        let header = Header {
            kind: COPY_NOW,
            ..self.header
        };
        bytes[..HEADER].copy_from_slice(&header.to_bytes());
        bytes[28] = self.direction as u8;
        bytes[29..37].copy_from_slice(&self.source.to_le_bytes());
        bytes[37..45].copy_from_slice(&self.destination.to_le_bytes());
        bytes[45..53].copy_from_slice(&self.host.to_le_bytes());
        bytes[53..].copy_from_slice(&self.size.to_le_bytes());
        bytes
    }

    /// Reads one that the card has sent.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        ensure!(bytes.len() == RECORD, "a record of {} bytes", bytes.len());
        let direction = match bytes[28] {
            0 => Direction::ToHost,
            1 => Direction::ToCard,
            2 => Direction::ToBus,
            3 => Direction::FromBus,
            kind => anyhow::bail!("a copy of kind {kind}"),
        };
        Ok(Self {
            header: Header::from_frame(bytes).context("no header")?,
            direction,
            source: get64(bytes, 29),
            destination: get64(bytes, 37),
            host: get64(bytes, 45),
            size: get32(bytes, 53),
        })
    }
}
