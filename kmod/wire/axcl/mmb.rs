// SPDX-License-Identifier: GPL-2.0

//! `/dev/ax_mmb_dev` [pcie 7].

use super::{
    put_u32,
    put_u64, //
};
use crate::wire::bytes::u32_at;

/// One contiguous buffer, mapped uncached where that makes a difference.
pub const ALLOC: u32 = 0xC020_4804;
/// One contiguous buffer, mapped cached.
pub const ALLOC_CACHED: u32 = 0xC020_4805;
/// Clean and invalidate the CPU's cache.
pub const FLUSH: u32 = 0x4020_4806;
/// Invalidate a buffer's cache lines.
pub const INVALIDATE: u32 = 0x4020_4807;
/// A buffer in pieces.
pub const ALLOC_SCATTER: u32 = 0x4610_4808;

/// Bytes of the argument for one buffer.
pub const SINGLE_SIZE: usize = 32;
/// Offset in it of the bus address, u64, the one field that is written back.
pub const SINGLE_BUS: usize = 16;
/// Bytes of the argument for a buffer in pieces.
pub const SCATTER_SIZE: usize = 1552;
/// Most pieces of a buffer.
pub const MAX_PIECES: usize = 64;

const ENTRIES: usize = 16;
const ENTRY: usize = 24;

/// Buffer that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Device id.
    pub device: u32,
    /// Bytes asked for.
    pub size: u32,
}

impl Wanted {
    /// Reads the argument for one buffer.
    pub fn single(bytes: &[u8; SINGLE_SIZE]) -> Option<Self> {
        Some(Self {
            device: u32_at(bytes, 0)?,
            size: u32_at(bytes, 8)?,
        })
    }

    /// Reads the argument for a buffer in pieces.
    pub fn scatter(bytes: &[u8; SCATTER_SIZE]) -> Option<Self> {
        Some(Self {
            device: u32_at(bytes, 0)?,
            size: u32_at(bytes, 4)?,
        })
    }
}

/// Puts address and length of the pieces of a buffer of `size` bytes into the argument. What is left of
/// the last piece behind the end of the buffer is not mentioned; neither are the virtual addresses,
/// which are the caller's. `None` if there are too many pieces, or fewer bytes than `size` in them.
pub fn scatter(
    pieces: impl Iterator<Item = (u64, u32)>,
    size: u32,
    out: &mut [u8; SCATTER_SIZE],
) -> Option<()> {
    let (mut left, mut count, mut at) = (size, 0_u32, ENTRIES);
    for (bus, len) in pieces {
        if left == 0 {
            break;
        }
        if count as usize >= MAX_PIECES {
            return None;
        }
        let len = len.min(left);
        put_u32(out, at, len);
        put_u64(out, at.saturating_add(8), bus);
        left = left.saturating_sub(len);
        count = count.saturating_add(1);
        at = at.saturating_add(ENTRY);
    }
    put_u32(out, 8, count);
    (left == 0).then_some(())
}
