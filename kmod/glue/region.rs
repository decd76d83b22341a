// SPDX-License-Identifier: GPL-2.0

//! The memory that host and card share: control page and rings [pcie 4.2].

use kernel::{
    device::{
        Bound,
        Device, //
    },
    devres::Devres,
    dma::{
        attrs::DMA_ATTR_NO_WARN,
        Coherent, //
    },
    pci,
    prelude::*, //
};

use super::{
    compat::bus_address,
    shim, //
};
use crate::wire::{
    handshake::ControlPage,
    register::Io, //
};

/// Coherent DMA memory, 64 KiB aligned.  The card changes it at any time, so there are no references
/// into it: only copies.
///
/// # Invariants
///
/// `memory` has at least `skip + size` bytes, of which `bus` is the address of the one at `skip`.
pub(crate) struct Region {
    memory: Devres<Coherent<[u8]>>,
    skip: usize,
    bus: u64,
    size: usize,
}

fn zeroed(dev: &Device<Bound>, size: usize) -> Result<Coherent<[u8]>> {
    Coherent::zeroed_slice_with_attrs(dev, size, GFP_KERNEL, DMA_ATTR_NO_WARN)
}

/// Bytes that are read at once.
const WORD: usize = size_of::<usize>();

/// Granularity of the card's address translation.
const ALIGN: usize = 0x1_0000;

impl Region {
    /// Allocates `largest` bytes, or the largest power of two below that can be had, down to
    /// `smallest`: fragmented hosts without an IOMMU have no 4 MiB in one piece.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if not even `smallest` bytes can be had.
    pub(crate) fn new(pdev: &pci::Device<Bound>, largest: usize, smallest: usize) -> Result<Self> {
        let mut size = largest;
        loop {
            match Self::try_new(pdev, size) {
                Err(e) if e == ENOMEM && size / 2 >= smallest => size /= 2,
                other => return other,
            }
        }
    }

    fn try_new(pdev: &pci::Device<Bound>, size: usize) -> Result<Self> {
        let dev = pdev.as_ref();
        let memory = zeroed(dev, size)?;
        if bus_address(&memory) as usize % ALIGN == 0 {
            return Self::finish(dev, memory, 0, size);
        }
        // The DMA API aligns to the size; this is for implementations that do not.
        drop(memory);
        let memory = zeroed(dev, size + ALIGN)?;
        let skip = ALIGN - bus_address(&memory) as usize % ALIGN;
        Self::finish(dev, memory, skip, size)
    }

    fn finish(
        dev: &Device<Bound>,
        memory: Coherent<[u8]>,
        skip: usize,
        size: usize,
    ) -> Result<Self> {
        // INVARIANT: the callers have allocated so much.
        Ok(Self {
            skip,
            bus: bus_address(&memory) + skip as u64,
            size,
            memory: Devres::new(dev, memory)?,
        })
    }

    /// Bus address of the first byte.
    pub(crate) fn bus(&self) -> u64 {
        self.bus
    }

    /// Returns the size of the region in bytes.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Runs `f` with a pointer to `[offset, offset + len)`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is not inside; `ENODEV` after unbind.  So do all accesses below.
    fn with<R>(&self, offset: usize, len: usize, f: impl FnOnce(*mut u8) -> R) -> Result<R> {
        if offset.checked_add(len).is_none_or(|end| end > self.size) {
            return Err(EINVAL);
        }
        let memory = self.memory.try_access().ok_or(ENODEV)?;
        // SAFETY: `skip + size` bytes were allocated.
        Ok(f(unsafe {
            memory.as_mut_ptr().cast::<u8>().add(self.skip + offset)
        }))
    }

    /// Reads the 64 bits of a ring pointer.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is not inside; `ENODEV` after unbind.
    pub(crate) fn read64(&self, offset: usize) -> Result<u64> {
        // SAFETY: in bounds, and all offsets in the protocol are aligned; the card may write at the
        // same time, hence volatile.
        self.with(offset & !7, 8, |p| unsafe {
            u64::from_le(p.cast::<u64>().read_volatile())
        })
    }

    /// Writes the 64 bits of a ring pointer.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is not inside; `ENODEV` after unbind.
    pub(crate) fn write64(&self, offset: usize, value: u64) -> Result {
        // SAFETY: as in `read64`.
        self.with(offset & !7, 8, |p| unsafe {
            p.cast::<u64>().write_volatile(value.to_le())
        })
    }

    /// Copies `data` to `offset`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is not inside; `ENODEV` after unbind.
    pub(crate) fn copy_in(&self, offset: usize, data: &[u8]) -> Result {
        // SAFETY: in bounds; `data` is not DMA memory.
        self.with(offset, data.len(), |p| unsafe {
            p.copy_from_nonoverlapping(data.as_ptr(), data.len())
        })
    }

    /// Copies from `offset` to `to`.  The card may write at the same time: every byte is read once, and
    /// what is found is to be checked in `to`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is not inside; `ENODEV` after unbind.
    pub(crate) fn copy_out(&self, offset: usize, to: &mut [u8]) -> Result {
        self.with(offset, to.len(), |mut p| {
            let (head, words) = to.split_at_mut(p.align_offset(WORD).min(to.len()));
            let mut words = words.chunks_exact_mut(WORD);
            for byte in head {
                // SAFETY: in bounds, as all steps of `p` together are the length of `to`.
                unsafe {
                    *byte = p.read_volatile();
                    p = p.add(1);
                }
            }
            for word in &mut words {
                // SAFETY: as above; `p` is aligned behind the head.
                unsafe {
                    word.copy_from_slice(&p.cast::<usize>().read_volatile().to_ne_bytes());
                    p = p.add(WORD);
                }
            }
            for byte in words.into_remainder() {
                // SAFETY: as above.
                unsafe {
                    *byte = p.read_volatile();
                    p = p.add(1);
                }
            }
        })
    }

    /// Zeroes `[offset, offset + len)`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is not inside; `ENODEV` after unbind.
    pub(crate) fn zero(&self, offset: usize, len: usize) -> Result {
        // SAFETY: in bounds.
        self.with(offset, len, |p| unsafe { p.write_bytes(0, len) })
    }
}

/// Words of the control page.
impl Io<ControlPage, u32> for Region {
    type Error = Error;

    fn load(&self, offset: usize) -> Result<u32> {
        // SAFETY: as in `read64`.
        self.with(offset & !3, 4, |p| unsafe {
            u32::from_le(p.cast::<u32>().read_volatile())
        })
    }

    fn store(&self, offset: usize, value: u32) -> Result {
        // SAFETY: as in `read64`.
        self.with(offset & !3, 4, |p| unsafe {
            p.cast::<u32>().write_volatile(value.to_le())
        })
    }
}

/// Long words of the control page.
impl Io<ControlPage, u64> for Region {
    type Error = Error;

    fn load(&self, offset: usize) -> Result<u64> {
        self.read64(offset)
    }

    fn store(&self, offset: usize, value: u64) -> Result {
        self.write64(offset, value)
    }
}

/// Makes everything written before visible to the card before what is written after.
pub(crate) fn write_barrier() {
    // SAFETY: no preconditions.
    unsafe { shim::ax650_dma_wmb() };
}

/// Reads everything that was read before ahead of what is read after.
pub(crate) fn read_barrier() {
    // SAFETY: no preconditions.
    unsafe { shim::ax650_dma_rmb() };
}

/// Makes everything before read, and visible to the card, ahead of anything after.
pub(crate) fn full_barrier() {
    // SAFETY: no preconditions.
    unsafe { shim::ax650_dma_mb() };
}
