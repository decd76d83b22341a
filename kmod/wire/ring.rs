// SPDX-License-Identifier: GPL-2.0

//! Geometry of the two message rings in the shared region [pcie 4.3], [pcie 4.5].
//!
//! Pointers are free-running byte counts; the position in a ring is the pointer modulo the ring
//! size, which is not a power of two.

use super::{
    handshake::REGION_SIZE,
    header::{
        HEADER_SIZE,
        MAX_PAYLOAD, //
    }, //
};

use core::fmt;

/// All messages and pointers are multiples of this.
pub const GRAIN: u32 = 32;
/// A pointer that reads so is not a pointer: the link is dead.
pub const DEAD: u64 = u64::MAX;

/// Smallest region: both rings hold at least a few short messages.
const MIN_REGION: u32 = 0x1000;

/// One ring; offsets are from the start of the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// First data byte.
    pub start: u32,
    /// Bytes of data that the ring holds.
    pub size: u32,
    /// Offset of the consumer's pointer, a u64.
    pub rp_at: u32,
    /// Offset of the producer's pointer, a u64.
    pub wp_at: u32,
}

/// Both rings of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Host to card.
    pub h2c: Ring,
    /// Card to host.
    pub c2h: Ring,
}

impl Geometry {
    /// Rings of a region of `n` bytes: a multiple of 64, from 4 KiB to 4 MiB, else `None`.
    pub fn new(n: u32) -> Option<Self> {
        if n % 64 != 0 || !(MIN_REGION..=REGION_SIZE).contains(&n) {
            return None;
        }
        let half = n / 2;
        Some(Self {
            h2c: Ring::at(0x80, half.checked_sub(0x140)?)?,
            c2h: Ring::at(half.checked_add(0x80)?, half.checked_sub(0x1C0)?)?,
        })
    }
}

/// Where one message lies; offsets are from the start of the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The 24 byte header, never split.
    pub header_at: u32,
    /// First part of the payload.
    pub first_at: u32,
    /// Length of the first part, may be 0.
    pub first_len: u32,
    /// Rest of the payload, after the end of the ring.
    pub second_at: u32,
    /// Length of the second part, mostly 0.
    pub second_len: u32,
    /// What the pointer moves by: the padded message, and the tail that was skipped.
    pub advance: u32,
}

impl Ring {
    fn at(start: u32, size: u32) -> Option<Self> {
        Some(Self {
            start,
            size,
            rp_at: start.checked_sub(0x40)?,
            wp_at: start.checked_sub(0x20)?,
        })
    }

    /// Returns the range that the host zeroes at set-up: offset of the read pointer and bytes from
    /// there on.
    pub fn zeroed(&self) -> (u32, u32) {
        (self.rp_at, self.size)
    }

    /// Returns the offset in the ring, and the bytes from there to its end.
    fn locate(&self, position: u64) -> (u32, u32) {
        // The remainder is below a u32.
        let offset = position.checked_rem(u64::from(self.size)).unwrap_or(0) as u32;
        (offset, self.size.saturating_sub(offset))
    }

    /// Returns where the header of the message at `position` is: not at the very end of the ring if
    /// it would be split there (the skip rule).
    pub fn header_at(&self, position: u64) -> u32 {
        match self.locate(position) {
            (_, tail) if tail < HEADER_SIZE => self.start,
            (offset, _) => self.start.saturating_add(offset),
        }
    }

    /// Returns where a message with `len` bytes of payload lies at `position`; `None` if it is
    /// longer than any message or than the ring.
    pub fn place(&self, position: u64, len: u32) -> Option<Placement> {
        if len > MAX_PAYLOAD {
            return None;
        }
        let (offset, tail) = self.locate(position);
        let skipped = tail < HEADER_SIZE;
        let header_at = self.header_at(position);
        let advance = padded(len).checked_add(if skipped { tail } else { 0 })?;
        if advance > self.size {
            return None;
        }
        let contiguous = if skipped {
            self.size
        } else {
            self.size.checked_sub(offset)?
        };
        let first_len = len.min(contiguous.checked_sub(HEADER_SIZE)?);
        Some(Placement {
            header_at,
            first_at: header_at.checked_add(HEADER_SIZE)?,
            first_len,
            second_at: self.start,
            second_len: len.checked_sub(first_len)?,
            advance,
        })
    }
}

/// Bytes a message of `len` payload bytes takes in the ring: header, payload and 33 to 64 bytes of
/// padding.
pub fn padded(len: u32) -> u32 {
    (len.saturating_add(HEADER_SIZE) / GRAIN)
        .saturating_mul(GRAIN)
        .saturating_add(64)
}

/// Ring pointers that make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingError {
    /// A pointer is all ones: the link is dead.
    Dead,
    /// More bytes in the ring than it holds, or a pointer that is no multiple of 32.
    Corrupt {
        /// Write pointer.
        wp: u64,
        /// Read pointer.
        rp: u64,
        /// Size of the ring.
        size: u32,
    },
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dead => f.write_str("ring pointer reads all ones"),
            Self::Corrupt { wp, rp, size } => write!(
                f,
                "ring pointers make no sense: write 0x{wp:x}, read 0x{rp:x}, ring size 0x{size:x}"
            ),
        }
    }
}

/// Bytes between the pointers, checked: at most `size`, all multiples of 32 (R27).
pub fn pending(rp: u64, wp: u64, size: u32) -> Result<u32, RingError> {
    if rp == DEAD || wp == DEAD {
        return Err(RingError::Dead);
    }
    let corrupt = RingError::Corrupt { wp, rp, size };
    if (rp | wp) & u64::from(GRAIN - 1) != 0 {
        return Err(corrupt);
    }
    match u32::try_from(wp.wrapping_sub(rp)) {
        Ok(bytes) if bytes <= size => Ok(bytes),
        _ => Err(corrupt),
    }
}

/// Bytes a producer may still put in.
pub fn free(wp: u64, rp: u64, size: u32) -> Result<u32, RingError> {
    pending(rp, wp, size).map(|used| size.saturating_sub(used))
}
