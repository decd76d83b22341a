// SPDX-License-Identifier: MIT OR Apache-2.0

//! The record of host memory accesses that went wrong.

use std::time::{SystemTime, UNIX_EPOCH};

use log::warn;
use serde_json::{json, Value};

/// Different faults that are logged and kept; more are only counted.
const KEEP: usize = 256;

/// Which way the data goes, as the card sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The card reads host memory.
    Read,
    /// The card writes host memory.
    Write,
}

impl Direction {
    /// The names of the counters of transfers and of bytes.
    pub(super) fn counters(self) -> (&'static str, &'static str) {
        match self {
            Self::Read => ("dma.read.transfers", "dma.read.bytes"),
            Self::Write => ("dma.write.transfers", "dma.write.bytes"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Why an access was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The host has not mapped the address.
    Unmapped,
    /// It is mapped, but not in this direction.
    Permission,
    /// Bus mastering is off in the card's command register: the request never leaves the card.
    BusMasterOff,
    /// No host is connected.
    Lost,
}

impl FaultKind {
    pub(super) fn counter(self) -> &'static str {
        match self {
            Self::Unmapped | Self::Permission => "dma.faults",
            Self::BusMasterOff => "dma.blocked",
            Self::Lost => "dma.lost",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Unmapped => "unmapped",
            Self::Permission => "permission",
            Self::BusMasterOff => "bus-master-off",
            Self::Lost => "lost",
        }
    }
}

/// One refused access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Miss {
    /// First bus address that is not accessible.
    pub bus: u64,
    /// Bytes of the whole transfer.
    pub len: usize,
    pub direction: Direction,
    pub why: &'static str,
}

#[derive(Debug)]
struct Entry {
    kind: FaultKind,
    miss: Miss,
    count: u64,
    first: f64,
    last: f64,
}

/// Faults, equal ones counted together.
#[derive(Debug, Default)]
pub(super) struct FaultLog {
    faults: u64,
    blocked: u64,
    entries: Vec<Entry>,
}

impl FaultLog {
    pub fn record(&mut self, kind: FaultKind, miss: Miss) {
        match kind {
            FaultKind::BusMasterOff => self.blocked += 1,
            _ => self.faults += 1,
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |d| d.as_secs_f64());
        if let Some(entry) = self
            .entries
            .iter_mut()
            .find(|e| e.kind == kind && e.miss == miss)
        {
            entry.count += 1;
            entry.last = now;
            return;
        }
        if self.entries.len() >= KEEP {
            return;
        }
        let text = match kind {
            FaultKind::BusMasterOff => "DMA BLOCKED",
            _ => "DMA FAULT",
        };
        warn!(
            "{text}: {} of {} bytes at bus address {:#x} for {}: {}",
            miss.direction.name(),
            miss.len,
            miss.bus,
            miss.why,
            kind.name()
        );
        self.entries.push(Entry {
            kind,
            miss,
            count: 1,
            first: now,
            last: now,
        });
    }

    /// `total` counts true faults, `blocked` the accesses refused because bus mastering was off.
    pub fn report(&self) -> Value {
        let list: Vec<Value> = self
            .entries
            .iter()
            .map(|e| {
                json!({
                    "kind": e.kind.name(),
                    "address": format!("{:#x}", e.miss.bus),
                    "direction": e.miss.direction.name(),
                    "size": e.miss.len,
                    "for": e.miss.why,
                    "count": e.count,
                    "first": e.first,
                    "last": e.last,
                })
            })
            .collect();
        json!({ "total": self.faults, "blocked": self.blocked, "list": list })
    }
}
