// SPDX-License-Identifier: GPL-2.0

//! `/dev/p2p` [pcie 8.3], of which the host has one request: where the BARs of all cards are.

use super::{
    put_u32,
    put_u64, //
};

/// Type of all requests.
pub const TYPE: u32 = b'P' as u32;
/// Get the table.
pub const GET_TABLE: u32 = 2;

/// Bytes of the table.
pub const TABLE_SIZE: usize = 328;
/// Most cards in the table.
pub const MAX_ENTRIES: usize = 8;

const ENTRIES: usize = 8;
const ENTRY: usize = 40;

/// Card in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Device id.
    pub device: u32,
    /// First BAR register.
    pub bar0: u32,
    /// Second BAR register.
    pub bar1: u32,
    /// Bytes of BAR 0.
    pub bar0_size: u64,
}

/// Writes the table of the first [`MAX_ENTRIES`] of `cards`.
pub fn table(cards: &[Entry], out: &mut [u8; TABLE_SIZE]) {
    out.fill(0);
    let mut at = ENTRIES;
    let mut count = 0_u32;
    for card in cards.iter().take(MAX_ENTRIES) {
        put_u32(out, at, card.device);
        put_u64(out, at.saturating_add(8), u64::from(card.bar0 & !0xF));
        // With its flag bits, as programs have always seen it.
        put_u64(out, at.saturating_add(16), u64::from(card.bar1));
        put_u64(out, at.saturating_add(32), card.bar0_size);
        at = at.saturating_add(ENTRY);
        count = count.saturating_add(1);
    }
    put_u32(out, 0, count);
}
