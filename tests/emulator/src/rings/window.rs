// SPDX-License-Identifier: MIT OR Apache-2.0

//! The outbound window: the host's shared region as the card sees it [pcie 2.4], [pcie 4.2].

use std::sync::Arc;

use ax650_emu_api::DmaError;

use super::control_page::ControlPage;
use super::geometry::Geometry;
use crate::dma::HostMemory;

/// Bytes of card address space that the window has.
const LIMIT: u64 = 0x40_0000;
/// Granularity of the translation.
const ALIGN: u64 = 0x1_0000;

/// `S` and `N` of the protocol, checked.
#[derive(Debug, Clone)]
pub struct Window {
    host: Arc<HostMemory>,
    base: u64,
    size: u64,
}

impl Window {
    /// A window on `size` bytes at bus address `base`; an error says what the card cannot do.
    pub fn new(host: Arc<HostMemory>, base: u64, size: u64) -> Result<Self, String> {
        if base == 0 {
            return Err("base 0: the host set the flag before the parameters".to_owned());
        }
        if base % ALIGN != 0 {
            return Err(format!("base {base:#x} is not a multiple of {ALIGN:#x}"));
        }
        if size > LIMIT {
            return Err(format!(
                "size {size:#x} is more than the window's {LIMIT:#x}"
            ));
        }
        // The pointers of the second ring must lie at multiples of 8.
        if size < Geometry::MIN || size % 16 != 0 {
            return Err(format!("size {size:#x} cannot hold two rings"));
        }
        if base.checked_add(size).is_none() {
            return Err(format!("base {base:#x} + size {size:#x} overflows"));
        }
        Ok(Self { host, base, size })
    }

    /// Bus address of the region.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Bytes of the region.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The region's first 64 bytes.
    pub fn control_page(&self) -> ControlPage<'_> {
        ControlPage(self)
    }

    /// A pointer or counter for the control socket: an access that is not the card's.
    pub(super) fn peek_u64(&self, at: u64) -> Option<u64> {
        self.host.peek_u64(self.base + at)
    }

    /// Reads a word of the control page.
    pub(super) fn read_u32(&self, at: u64) -> Result<u32, DmaError> {
        self.host.read_u32(self.base + at, "control page")
    }

    /// Writes a word of the control page, or half a pointer.
    pub(crate) fn write_u32(&self, at: u64, value: u32) -> Result<(), DmaError> {
        self.host.write_u32(self.base + at, value, "control page")
    }

    /// Reads a pointer or counter.
    pub(super) fn read_u64(&self, at: u64) -> Result<u64, DmaError> {
        self.host.read_u64(self.base + at, "ring pointer")
    }

    /// Writes a pointer or counter.
    pub(super) fn write_u64(&self, at: u64, value: u64) -> Result<(), DmaError> {
        self.host.write_u64(self.base + at, value, "ring pointer")
    }

    /// Reads ring data.
    pub(super) fn read(&self, at: u64, data: &mut [u8]) -> Result<(), DmaError> {
        self.host.read(self.base + at, data, "ring data")
    }

    /// Writes ring data.
    pub(super) fn write(&self, at: u64, data: &[u8]) -> Result<(), DmaError> {
        self.host.write(self.base + at, data, "ring data")
    }

    /// Clears the first `len` bytes (a multiple of 4) of the control page, word by word, the first word last: a host
    /// that waits for that may write at once.
    pub(super) fn clear(&self, len: u64) -> Result<(), DmaError> {
        (0..len / 4)
            .rev()
            .try_for_each(|word| self.write_u32(4 * word, 0))
    }
}
