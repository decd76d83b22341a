// SPDX-License-Identifier: MIT OR Apache-2.0

//! Card memory: a list of allocations.

use std::collections::BTreeMap;

/// Bytes of the card's memory.
pub(super) const SIZE: u64 = 256 << 20;
/// First address of the card's memory.
const START: u64 = 0x1_4100_0000;
/// Allocations begin at multiples of this.
const ALIGN: u64 = 4096;

#[derive(Default)]
pub(super) struct Memory {
    pieces: BTreeMap<u64, Vec<u8>>,
    limit: Option<u64>,
}

impl Memory {
    pub(super) fn allocate(&mut self, size: u64) -> Option<u64> {
        if size == 0 || self.limit.is_some_and(|limit| self.in_use() + size > limit) {
            return None;
        }
        let mut address = START;
        for (start, piece) in &self.pieces {
            if address + size <= *start {
                break;
            }
            address = (start + piece.len() as u64).next_multiple_of(ALIGN);
        }
        if address + size > START + SIZE {
            return None;
        }
        self.pieces.insert(address, vec![0; size as usize]);
        Some(address)
    }

    /// Gives no more than so many bytes away.
    pub(super) fn limit(&mut self, bytes: u64) {
        self.limit = Some(bytes);
    }

    pub(super) fn free(&mut self, address: u64) -> bool {
        self.pieces.remove(&address).is_some()
    }

    /// Bytes that are all in one allocation.
    pub(super) fn bytes(&mut self, address: u64, len: usize) -> Option<&mut [u8]> {
        let (start, piece) = self.pieces.range_mut(..=address).next_back()?;
        let offset = usize::try_from(address - start).ok()?;
        piece.get_mut(offset..offset.checked_add(len)?)
    }

    pub(super) fn in_use(&self) -> u64 {
        self.pieces.values().map(|piece| piece.len() as u64).sum()
    }
}
