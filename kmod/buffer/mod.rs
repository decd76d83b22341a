// SPDX-License-Identifier: GPL-2.0

//! Host memory that the card can reach.

pub(crate) mod account;
pub(crate) mod pool;
mod store;

use kernel::{
    mm::virt::VmaNew,
    page::PAGE_SIZE,
    sync::Arc, //
};

use crate::{
    counters::Counter,
    glue::{
        dma::{
            Owner,
            Piece,
            Space, //
        },
        dmabuf::{
            Exported,
            Import, //
        },
        pages::Pages,
        prelude::*,
        vma, //
    },
    wire::transfer::MAX_ENTRIES, //
};
use account::{
    Charge,
    Payer, //
};
use store::Store;

/// Largest buffer.
pub(crate) const MAX_BUFFER: u64 = 256 << 20;

/// Memory of all buffers of a card.
pub(crate) const MAX_BYTES_PER_CARD: u64 = 4 << 30;

/// All buffers of one card.
pub(crate) struct Memory {
    space: Arc<Space>,
    bytes: Counter,
    pieces: Counter,
}

impl Memory {
    /// Makes the account of a card's buffers, with none in it.
    pub(crate) fn new(space: Arc<Space>) -> Self {
        Self {
            space,
            bytes: Counter::default(),
            pieces: Counter::default(),
        }
    }

    /// Bytes of all buffers.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Bus addresses of all buffers.
    pub(crate) fn pieces(&self) -> u64 {
        self.pieces.get()
    }

    /// Returns the mappings behind the buffers.
    pub(crate) fn space(&self) -> &Space {
        &self.space
    }
}

/// Zeroed pages, pinned ones of a caller, or memory of another driver, mapped for the card until the buffer is
/// dropped or the driver unbound.  A mapping in user space holds a reference.
pub(crate) struct Buffer {
    store: Store,
    pieces: KVVec<Piece>,
    mapping: u64,
    memory: Arc<Memory>,
    /// Given back with the memory.
    _charge: Option<Charge>,
}

/// Pieces of a buffer for a list message.
pub(crate) struct Span {
    entries: [(u64, u32); MAX_ENTRIES],
    count: usize,
    /// Bytes in all pieces.
    pub(crate) bytes: u32,
}

impl Span {
    /// Returns the pieces of the span.
    pub(crate) fn entries(&self) -> &[(u64, u32)] {
        self.entries.get(..self.count).unwrap_or(&[])
    }
}

impl Buffer {
    /// Allocates a buffer of `size` bytes, rounded up to pages.
    ///
    /// # Errors
    ///
    /// `EDQUOT` if the buffers of all payers would be too much for the card; those of [`Payer::charge`],
    /// [`Pages::new`] and [`Space::map`].
    pub(crate) fn new(memory: &Arc<Memory>, size: usize, payer: Payer<'_>) -> Result<Self> {
        Self::admit(memory, size, payer, Pages::new)
    }

    /// Allocates a buffer like [`Self::new`], with as few bus addresses as can be had.
    ///
    /// # Errors
    ///
    /// Those of [`Self::new`].
    pub(crate) fn in_few_pieces(
        memory: &Arc<Memory>,
        size: usize,
        payer: Payer<'_>,
    ) -> Result<Self> {
        Self::admit(memory, size, payer, Pages::in_few_blocks)
    }

    /// Allocates a buffer like [`Self::new`], with one bus address: in one block of memory, or behind an
    /// IOMMU.
    ///
    /// # Errors
    ///
    /// Those of [`Self::new`]; `ENOMEM` if there is no such memory.
    pub(crate) fn contiguous(memory: &Arc<Memory>, size: usize, payer: Payer<'_>) -> Result<Self> {
        let one = |make: fn(usize) -> Result<Pages>| {
            let buffer = Self::admit(memory, size, payer, make)?;
            if buffer.pieces.len() == 1 {
                Ok(buffer)
            } else {
                Err(ENOMEM)
            }
        };
        match one(Pages::contiguous) {
            Err(e) if e == ENOMEM => one(Pages::new),
            other => other,
        }
    }

    /// Makes a buffer of `size` bytes of the caller from `address` on; `writable`: the card may write there.
    ///
    /// # Errors
    ///
    /// Those of [`Self::new`] and [`Pages::of_caller`].
    pub(crate) fn of_caller(
        memory: &Arc<Memory>,
        address: u64,
        size: usize,
        writable: bool,
        payer: Payer<'_>,
    ) -> Result<Self> {
        let within = address as usize % PAGE_SIZE;
        // Its pages are paid for, also those that are not all of it.
        Self::admit(memory, within + size, payer, |_| {
            Pages::of_caller(address, size, writable)
        })
    }

    /// Makes a buffer of all of a dma-buf.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is too large; those of [`Self::new`] and [`Space::attach`].
    pub(crate) fn of_dma_buf(
        memory: &Arc<Memory>,
        import: Import,
        payer: Payer<'_>,
    ) -> Result<Self> {
        if import.size() as u64 > MAX_BUFFER {
            return Err(EINVAL);
        }
        Self::admit_store(memory, import.size() as u64, payer, || {
            Ok(Store::Import(import))
        })
    }

    /// Makes a dma-buf of the buffer, which keeps it.
    ///
    /// # Errors
    ///
    /// Those of [`Exported::new`].
    pub(crate) fn export(self: Arc<Self>) -> Result<Exported> {
        Exported::new(self, |buffer| buffer.store.pages())
    }

    fn admit(
        memory: &Arc<Memory>,
        size: usize,
        payer: Payer<'_>,
        make: impl Fn(usize) -> Result<Pages>,
    ) -> Result<Self> {
        let count = size.div_ceil(PAGE_SIZE);
        let bytes = (count * PAGE_SIZE) as u64;
        Self::admit_store(memory, bytes, payer, || make(count).map(Store::Pages))
    }

    fn admit_store(
        memory: &Arc<Memory>,
        bytes: u64,
        payer: Payer<'_>,
        make: impl FnOnce() -> Result<Store>,
    ) -> Result<Self> {
        let charge = payer.charge(bytes)?;
        if memory.bytes.add_to(bytes) > MAX_BYTES_PER_CARD && charge.is_some() {
            memory.bytes.sub(bytes);
            return Err(EDQUOT);
        }
        make()
            .and_then(|store| Self::map(memory, store, charge))
            .inspect_err(|_| memory.bytes.sub(bytes))
    }

    fn map(memory: &Arc<Memory>, store: Store, charge: Option<Charge>) -> Result<Self> {
        let (mapping, pieces) = store.map(&memory.space)?;
        memory.pieces.add(pieces.len() as u64);
        Ok(Self {
            store,
            pieces,
            mapping,
            memory: memory.clone(),
            _charge: charge,
        })
    }

    /// Bytes, whole pages but for memory of the caller.
    pub(crate) fn size(&self) -> usize {
        self.store.size()
    }

    /// Returns whether the card may write to the buffer.
    pub(crate) fn is_writable(&self) -> bool {
        self.store.is_writable()
    }

    /// Returns whether it is the driver's own or its caller's memory, which can be looked into at once.
    pub(crate) fn is_own(&self) -> bool {
        self.store.pages().is_some()
    }

    /// Returns whether `[offset, offset + len)` is inside.
    pub(crate) fn holds(&self, offset: u64, len: u64) -> bool {
        offset
            .checked_add(len)
            .is_some_and(|end| end <= self.size() as u64)
    }

    /// Returns the bus addresses of `[offset, offset + len)`.
    fn ranges(&self, offset: usize, len: usize) -> impl Iterator<Item = Piece> + '_ {
        let (mut skip, mut left) = (offset as u64, len as u64);
        self.pieces.iter().filter_map(move |piece| {
            let size = u64::from(piece.len);
            let from = skip.min(size);
            skip -= from;
            let n = (size - from).min(left);
            left -= n;
            (n > 0).then_some(Piece {
                bus: piece.bus + from,
                len: n as u32,
            })
        })
    }

    /// Returns the bus addresses of the buffer.
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Returns where the first `len` bytes from `offset` are, as far as they fit one list.
    pub(crate) fn span(&self, offset: usize, len: u32) -> Span {
        let mut span = Span {
            entries: [(0, 0); MAX_ENTRIES],
            count: 0,
            bytes: 0,
        };
        let ranges = self.ranges(offset, len as usize);
        for (entry, range) in span.entries.iter_mut().zip(ranges) {
            *entry = (range.bus, range.len);
            span.count += 1;
            span.bytes += range.len;
        }
        span
    }

    /// Makes what the CPU wrote visible to the card, and keeps later CPU caches from covering what
    /// the card writes.  Memory of another driver is handed over by who uses it (`DMA_BUF_IOCTL_SYNC`).
    ///
    /// # Errors
    ///
    /// Those of [`Space::sync`].
    pub(crate) fn give_to_card(&self, offset: usize, len: u32) -> Result {
        if self.store.pages().is_none() {
            return Ok(());
        }
        let ranges = self.ranges(offset, len as usize);
        let owner = if self.is_writable() {
            Owner::Card
        } else {
            Owner::Reader
        };
        self.memory.space.sync(ranges, owner)
    }

    /// Makes what the card wrote visible to the CPU.
    ///
    /// # Errors
    ///
    /// Those of [`Space::sync`].
    pub(crate) fn take_from_card(&self, offset: usize, len: u32) -> Result {
        if self.store.pages().is_none() {
            return Ok(());
        }
        let ranges = self.ranges(offset, len as usize);
        self.memory.space.sync(ranges, Owner::Cpu)
    }

    /// Copies `data` to `offset`.
    ///
    /// # Errors
    ///
    /// Those of [`Store::write`].
    pub(crate) fn write(&self, offset: usize, data: &[u8]) -> Result {
        self.store.write(offset, data)
    }

    /// Copies from `offset` to `to`.
    ///
    /// # Errors
    ///
    /// Those of [`Store::read`].
    pub(crate) fn read(&self, offset: usize, to: &mut [u8]) -> Result {
        self.store.read(offset, to)
    }

    /// Maps the buffer, or the beginning of it, into user space.
    ///
    /// # Errors
    ///
    /// Those of [`Store::mmap`].
    pub(crate) fn mmap(self: Arc<Self>, vma: &VmaNew) -> Result {
        self.mmap_from(vma, 0)
    }

    /// Maps the buffer into user space from page `first` on.
    ///
    /// # Errors
    ///
    /// Those of [`Store::mmap`].
    pub(crate) fn mmap_from(self: Arc<Self>, vma: &VmaNew, first: usize) -> Result {
        self.store.mmap(vma, first)?;
        vma::keep(vma, self);
        Ok(())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.memory.space.unmap(self.mapping);
        self.memory.bytes.sub(self.store.footprint());
        self.memory.pieces.sub(self.pieces.len() as u64);
    }
}
