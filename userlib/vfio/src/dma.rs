// SPDX-License-Identifier: GPL-2.0

//! Memory that the card reaches.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;

use ax650::Mapping;
use nix::sys::memfd::{memfd_create, MFdFlags};
use nix::unistd::{ftruncate, sysconf, SysconfVar};

use crate::container::Container;
use crate::space::GRAIN;
use crate::wire::handshake::ControlPage;
use crate::wire::register::Io;

/// Memory that the card reaches until this is dropped.
pub(crate) struct DmaMemory {
    container: Arc<Container>,
    /// Where the pages are on the bus, and how many bytes they have.
    pages: (u64, usize),
    /// Bytes of the first page in front of the memory.
    offset: usize,
    len: usize,
    /// `None`: the memory is the program's.
    own: Option<Mapping>,
    writable: bool,
}

impl DmaMemory {
    /// Makes `len` bytes, zeroed, and a second mapping of them for whoever shares them.
    pub(crate) fn shared(container: &Arc<Container>, len: usize) -> io::Result<(Self, Mapping)> {
        let size = len
            .checked_next_multiple_of(GRAIN as usize)
            .filter(|&size| size > 0)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let file = memfd_create(c"ax650", MFdFlags::MFD_CLOEXEC)?;
        let end = i64::try_from(size).map_err(|_| io::ErrorKind::InvalidInput)?;
        ftruncate(&file, end)?;
        let own = Mapping::new(&file, 0, size)?;
        let theirs = Mapping::new(&file, 0, len)?;
        // SAFETY: nobody has references to the mapping, which stays until after `drop`.
        let bus = unsafe { container.map(own.as_ptr(), size, true) }?;
        let memory = Self {
            container: container.clone(),
            pages: (bus, size),
            offset: 0,
            len,
            own: Some(own),
            writable: true,
        };
        Ok((memory, theirs))
    }

    /// Makes `len` bytes, zeroed.
    pub(crate) fn new(container: &Arc<Container>, len: usize) -> io::Result<Self> {
        Self::shared(container, len).map(|(memory, _)| memory)
    }

    /// Lets the card reach memory of the program, and what else is in its pages.
    ///
    /// # Safety
    ///
    /// `len` bytes at `start` must be valid as long as the result lives, and without references if `writable`.
    pub(crate) unsafe fn over(
        container: &Arc<Container>,
        start: NonNull<u8>,
        len: usize,
        writable: bool,
    ) -> io::Result<Self> {
        let page = sysconf(SysconfVar::PAGE_SIZE)?.unwrap_or(4096) as usize;
        let offset = start.as_ptr() as usize % page;
        let size = len
            .checked_add(offset)
            .and_then(|end| end.checked_next_multiple_of(page))
            .filter(|_| len > 0)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let first = start.as_ptr().wrapping_sub(offset);
        // SAFETY: by the caller; the kernel looks for itself whether the pages are there.
        let bus = unsafe { container.map(first, size, writable) }?;
        Ok(Self {
            container: container.clone(),
            pages: (bus, size),
            offset,
            len,
            own: None,
            writable,
        })
    }

    /// Returns where the card finds the bytes `range.0` to `range.0 + range.1`; `None` if they are not all there.
    pub(crate) fn bus(&self, (offset, len): (usize, usize)) -> Option<u64> {
        let end = offset.checked_add(len)?;
        (end <= self.len).then_some(self.pages.0 + (self.offset + offset) as u64)
    }

    /// Returns how many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the card may write to it.
    pub(crate) fn is_writable(&self) -> bool {
        self.writable
    }

    fn own(&self, offset: usize, len: usize) -> io::Result<&Mapping> {
        match &self.own {
            Some(own) if self.bus((offset, len)).is_some() => Ok(own),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Copies `bytes` to `offset`.
    pub(crate) fn copy_in(&self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        self.own(offset, bytes.len())?.copy_in(offset, bytes);
        Ok(())
    }

    /// Returns a copy of `len` bytes at `offset`, which may be changing meanwhile.
    pub(crate) fn copy_out(&self, offset: usize, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.own(offset, len)?.copy_into(offset, len, &mut bytes);
        Ok(bytes)
    }

    /// Makes all of it 0.
    pub(crate) fn zero(&self) -> io::Result<()> {
        self.copy_in(0, &vec![0; self.len])
    }

    /// Returns the address of a word of `size` bytes.
    fn word(&self, offset: usize, size: usize) -> io::Result<*mut u8> {
        if offset % size != 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let own = self.own(offset, size)?;
        // SAFETY: the word is inside the mapping, as was just checked.
        Ok(unsafe { own.as_ptr().add(offset) })
    }

    /// Reads a word of 64 bits; what comes after it in the program is read after it.
    pub(crate) fn load64(&self, offset: usize) -> io::Result<u64> {
        let word = self.word(offset, 8)?.cast();
        // SAFETY: the word is aligned, in the mapping, and only reached as a whole.
        let value = unsafe { AtomicU64::from_ptr(word) }.load(Ordering::SeqCst);
        Ok(u64::from_le(value))
    }

    /// Writes a word of 64 bits; what comes before it in the program was written before it.
    pub(crate) fn store64(&self, offset: usize, value: u64) -> io::Result<()> {
        let word = self.word(offset, 8)?.cast();
        // SAFETY: as in `load64`.
        unsafe { AtomicU64::from_ptr(word) }.store(value.to_le(), Ordering::SeqCst);
        Ok(())
    }
}

impl Drop for DmaMemory {
    fn drop(&mut self) {
        let (bus, len) = self.pages;
        self.container.unmap(bus, len);
    }
}

impl Io<ControlPage, u64> for DmaMemory {
    type Error = io::Error;

    fn load(&self, offset: usize) -> io::Result<u64> {
        self.load64(offset)
    }

    fn store(&self, offset: usize, value: u64) -> io::Result<()> {
        self.store64(offset, value)
    }
}

impl Io<ControlPage, u32> for DmaMemory {
    type Error = io::Error;

    fn load(&self, offset: usize) -> io::Result<u32> {
        let word = self.word(offset, 4)?.cast();
        // SAFETY: the word is aligned, in the mapping, and only reached as a whole.
        let value = unsafe { AtomicU32::from_ptr(word) }.load(Ordering::SeqCst);
        Ok(u32::from_le(value))
    }

    fn store(&self, offset: usize, value: u32) -> io::Result<()> {
        let word = self.word(offset, 4)?.cast();
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(word) }.store(value.to_le(), Ordering::SeqCst);
        Ok(())
    }
}
