// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card's CMM: contiguous memory for models, tensors and pictures.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::held::{Held, Hold, Holds};

/// Why the allocator refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CmmError {
    /// No hole is large enough.
    #[error("no {0} bytes of CMM are free in one piece")]
    NoMemory(u64),
    /// Not the start of a block: never allocated, or freed before.
    #[error("{0:#x} is no block")]
    NoBlock(u64),
    /// A size of 0.
    #[error("a block of 0 bytes")]
    Empty,
}

/// An allocated block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CmmBlock {
    /// First card address.
    pub address: u64,
    /// Bytes, a multiple of [`Cmm::ALIGN`].
    pub size: u64,
    /// Name shown in the card's `mem_cmm_info`, as `npu_..._pid123`.
    pub name: String,
    /// Session (first port) that it belongs to; 0 for the card's own.
    pub owner: u32,
}

/// First-fit allocator over one range of card memory.
#[derive(Debug)]
pub struct Cmm {
    base: u64,
    size: u64,
    blocks: Mutex<BTreeMap<u64, CmmBlock>>,
    holds: Holds,
}

impl Cmm {
    /// Blocks begin at multiples of this, and their sizes are rounded up to it.
    pub const ALIGN: u64 = 4096;

    /// An allocator of `[base, base + size)`.
    pub fn new(base: u64, size: u64) -> Self {
        Self {
            base,
            size,
            blocks: Mutex::default(),
            holds: Holds::default(),
        }
    }

    fn blocks(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, CmmBlock>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// First address managed.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Bytes managed.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes allocated.
    pub fn used(&self) -> u64 {
        self.blocks().values().map(|b| b.size).sum()
    }

    /// Allocates the lowest hole of `size` bytes.
    pub fn alloc(&self, size: u64, name: &str, owner: u32) -> Result<u64, CmmError> {
        self.alloc_aligned(size, Self::ALIGN, name, owner)
    }

    /// Allocates `size` bytes at the lowest multiple of `align`, which is one of [`Self::ALIGN`].
    pub fn alloc_aligned(
        &self,
        size: u64,
        align: u64,
        name: &str,
        owner: u32,
    ) -> Result<u64, CmmError> {
        if size == 0 {
            return Err(CmmError::Empty);
        }
        let full = CmmError::NoMemory(size);
        let want = size.checked_next_multiple_of(Self::ALIGN).ok_or(full)?;
        let aligned = |at: u64| at.checked_next_multiple_of(align).ok_or(full);
        let mut blocks = self.blocks();
        let mut at = aligned(self.base)?;
        for block in blocks.values() {
            let hole = block.address.checked_sub(at);
            if hole.is_some_and(|hole| hole >= want) {
                break;
            }
            at = at.max(aligned(block.address + block.size)?);
        }
        let left = (self.base + self.size).checked_sub(at);
        if left.is_none_or(|left| want > left) {
            return Err(full);
        }
        let block = CmmBlock {
            address: at,
            size: want,
            name: name.to_owned(),
            owner,
        };
        blocks.insert(at, block);
        Ok(at)
    }

    /// Frees the block that begins at `address`, in use or not; the result is who uses it.
    pub fn free(&self, address: u64) -> Result<Vec<Held>, CmmError> {
        let mut blocks = self.blocks();
        let block = blocks.remove(&address);
        let block = block.ok_or(CmmError::NoBlock(address))?;
        // Within the lock: nobody is given the place before its user knows.
        Ok(self.holds.freed(&block))
    }

    /// Marks ranges, each of which has to lie in a block, as used until the result is dropped; the
    /// error is the first that does not.  A range of 0 bytes is nowhere.
    pub fn hold(&self, ranges: Vec<Held>) -> Result<Hold, Held> {
        let blocks = self.blocks();
        let outside =
            |held: &&Held| held.len > 0 && within(&blocks, held.address, held.len).is_none();
        if let Some(held) = ranges.iter().find(outside) {
            return Err(held.clone());
        }
        Ok(self.holds.hold(ranges))
    }

    /// Who uses which memory now, and what was freed all the same.
    pub fn holds(&self) -> &Holds {
        &self.holds
    }

    /// The block that holds all of `[address, address + len)`.
    pub fn find(&self, address: u64, len: u64) -> Option<CmmBlock> {
        within(&self.blocks(), address, len).cloned()
    }

    /// Frees all blocks of `owner`, whose work has ended; returns how many there were.
    pub fn free_owner(&self, owner: u32) -> usize {
        let mut blocks = self.blocks();
        let before = blocks.len();
        blocks.retain(|_, block| {
            let keep = block.owner != owner;
            if !keep {
                self.holds.freed(block);
            }
            keep
        });
        self.holds.ended(owner);
        before - blocks.len()
    }

    /// All blocks, by address.
    pub fn list(&self) -> Vec<CmmBlock> {
        self.blocks().values().cloned().collect()
    }

    /// Forgets all blocks: the chip was reset.
    pub fn clear(&self) {
        self.blocks().clear();
        self.holds.clear();
    }
}

/// The block that holds all of a range.
fn within(blocks: &BTreeMap<u64, CmmBlock>, address: u64, len: u64) -> Option<&CmmBlock> {
    let end = address.checked_add(len)?;
    let (_, block) = blocks.range(..=address).next_back()?;
    (end <= block.address + block.size).then_some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_fit_with_reuse() {
        let cmm = Cmm::new(0x1000, 0x4000);
        let a = cmm.alloc(1, "a", 1).unwrap();
        let b = cmm.alloc(0x1001, "b", 1).unwrap();
        assert_eq!((a, b), (0x1000, 0x2000));
        assert_eq!(cmm.alloc(0x2000, "c", 1), Err(CmmError::NoMemory(0x2000)));
        cmm.free(a).unwrap();
        assert_eq!(cmm.free(a), Err(CmmError::NoBlock(a)));
        assert_eq!(cmm.alloc(0x1000, "d", 2).unwrap(), a);
        assert_eq!(cmm.used(), 0x3000);
        assert!(cmm.find(b + 0xfff, 0x1001).is_some());
        assert!(cmm.find(b + 0xfff, 0x1002).is_none());
        assert_eq!(
            cmm.alloc(u64::MAX, "e", 2),
            Err(CmmError::NoMemory(u64::MAX))
        );
        assert_eq!(cmm.free_owner(1), 1);
        assert_eq!(cmm.alloc(0, "f", 2), Err(CmmError::Empty));
    }

    #[test]
    fn alignment() {
        let cmm = Cmm::new(0x1000, 0x10000);
        let a = cmm.alloc(1, "a", 1).unwrap();
        let b = cmm.alloc_aligned(0x4000, 0x4000, "b", 1).unwrap();
        assert_eq!((a, b), (0x1000, 0x4000));
        // The hole before it is too small for one that is aligned, and not lost for others.
        assert_eq!(cmm.alloc_aligned(0x2000, 0x2000, "c", 1), Ok(0x2000));
        assert_eq!(cmm.alloc_aligned(0x1000, 0x8000, "d", 1), Ok(0x8000));
        assert_eq!(cmm.alloc(0x2000, "e", 1), Ok(0x9000));
        let full = Err(CmmError::NoMemory(0x4000));
        assert_eq!(cmm.alloc_aligned(0x4000, 0x10000, "f", 1), full);
        assert_eq!(cmm.alloc_aligned(0x4000, 1 << 63, "g", 1), full);
        assert_eq!(cmm.alloc_aligned(0x1000, 0x10000, "h", 1), Ok(0x10000));
    }
}
