// SPDX-License-Identifier: GPL-2.0

//! `/dev/axcl_host` [pcie 8.1]. Requests are told apart by all 32 bits of their code; any other code
//! is accepted and does nothing.

use super::{
    put_u32,
    DEVICES,
    MINUS_1,
    MINUS_14,
    MINUS_2, //
};
use crate::wire::bytes::{
    u32_at,
    u64_at, //
};

/// Control packet: create and destroy port groups, extra ports.
pub const CONTROL: u32 = 0xC028_4101;
/// Status of all device ids.
pub const STATUS: u32 = 0x8400_4102;
/// Ids of the cards that there are.
pub const LIST: u32 = 0xC408_4104;
/// Raise this file's event.
pub const WAKE: u32 = 0xC028_4105;
/// Reset a card.
pub const RESET: u32 = 0xC028_4106;
/// Reset a card and boot it.
pub const REBOOT: u32 = 0xC028_4107;
/// Where on the bus a card is.
pub const BUS_INFO: u32 = 0xC010_4108;
/// How many processes use a card.
pub const PID_COUNT: u32 = 0xC008_4109;
/// List the processes that use a card.
pub const PID_LIST: u32 = 0xC010_410A;

/// Bytes of the answer to [`STATUS`].
pub const STATUS_SIZE: usize = 4 * DEVICES;
/// Bytes of the answer to [`LIST`].
pub const LIST_SIZE: usize = 8 + 4 * DEVICES;
/// Bytes of the argument of [`BUS_INFO`].
pub const BUS_INFO_SIZE: usize = 16;
/// Bytes of the argument of [`PID_COUNT`].
pub const PID_COUNT_SIZE: usize = 8;
/// Bytes of the argument of [`PID_LIST`].
pub const PID_LIST_SIZE: usize = 16;

/// Longest list of processes that may be asked for, entries. A card has 26 groups at most; the rest is
/// room for callers that are generous (R41).
pub const MOST_PIDS: u32 = 1 << 16;

/// Status of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// The card does not run.
    Dead = 0,
    /// The card is alive.
    Alive = 1,
    /// There is no such card.
    None = u32::MAX,
}

/// Writes the answer to [`STATUS`], out of id and status of each card.
pub fn status_map(cards: impl Iterator<Item = (u32, Status)>, out: &mut [u8; STATUS_SIZE]) {
    out.fill(0xFF);
    for (id, status) in cards {
        put_u32(out, (id as usize).saturating_mul(4), status as u32);
    }
}

/// Writes the answer to [`LIST`]; entries beyond the count are 0.
pub fn list(ids: impl Iterator<Item = u32>, out: &mut [u8; LIST_SIZE]) {
    out.fill(0);
    let mut count = 0_u32;
    for id in ids.take(DEVICES) {
        put_u32(
            out,
            (count as usize).saturating_mul(4).saturating_add(8),
            id,
        );
        count = count.saturating_add(1);
    }
    // Type 0: PCIe.
    put_u32(out, 4, count);
}

/// Place of a card on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// PCI domain.
    pub domain: u32,
    /// Slot on the bus.
    pub slot: u32,
    /// Function number.
    pub function: u32,
}

/// Puts a card's location into the argument of [`BUS_INFO`].
pub fn bus_info(location: Location, out: &mut [u8; BUS_INFO_SIZE]) {
    put_u32(out, 4, location.domain);
    put_u32(out, 8, location.slot);
    put_u32(out, 12, location.function);
}

/// The argument of [`PID_LIST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PidList {
    /// Device id.
    pub device: u32,
    /// Entries that the caller has room for.
    pub capacity: u32,
    /// Address of the list in the caller's memory.
    pub user: u64,
}

impl PidList {
    /// Reads the argument.
    pub fn parse(bytes: &[u8; PID_LIST_SIZE]) -> Option<Self> {
        Some(Self {
            device: u32_at(bytes, 0)?,
            capacity: u32_at(bytes, 4)?,
            user: u64_at(bytes, 8)?,
        })
    }
}

/// What kept a card from coming up, as far as the ABI tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootFailure {
    /// There is no firmware file.
    NoFile,
    /// The card did not take a chunk in time.
    ChunkTimeout,
    /// The card reported that it failed to take a chunk.
    ChunkFailed,
    /// Any other failure.
    Other,
}

impl BootFailure {
    /// Returns the result of [`REBOOT`].
    pub fn code(self) -> i32 {
        match self {
            Self::NoFile | Self::ChunkTimeout => MINUS_2,
            Self::ChunkFailed => MINUS_14,
            Self::Other => MINUS_1,
        }
    }
}
