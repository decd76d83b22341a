// SPDX-License-Identifier: MIT OR Apache-2.0

//! Shared mappings of device files.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::sys::mman::{mmap, munmap, MapFlags, ProtFlags};

/// A shared mapping of a file, which something else may write to as well.
#[derive(Debug)]
pub struct Map {
    at: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone, and memory has no thread.
unsafe impl Send for Map {}
// SAFETY: shared use only copies bytes, which the card may change at any time anyway.
unsafe impl Sync for Map {}

impl Map {
    /// Maps `len` bytes of a file, from `offset`, for reading and writing.
    pub fn new(file: impl AsFd, offset: u64, len: usize) -> io::Result<Self> {
        let size = NonZeroUsize::new(len).ok_or(Errno::EINVAL)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let offset = offset as libc::off_t;
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let at = unsafe { mmap(None, size, access, MapFlags::MAP_SHARED, file, offset)? };
        Ok(Self { at: at.cast(), len })
    }

    /// Returns the mapping's length.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Tells whether the mapping has no bytes, which none has.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns where the mapping begins.
    pub fn address(&self) -> *mut u8 {
        self.at.as_ptr()
    }

    /// Copies `data` to it, from `offset`.
    pub fn write(&self, offset: usize, data: &[u8]) {
        assert!(offset + data.len() <= self.len);
        // SAFETY: inside the mapping; the card may write there meanwhile, so no reference is made.
        unsafe {
            std::ptr::copy_nonoverlapping(data.as_ptr(), self.address().add(offset), data.len())
        };
    }

    /// Copies `len` bytes out of it, from `offset`.
    pub fn read(&self, offset: usize, len: usize) -> Vec<u8> {
        assert!(offset + len <= self.len);
        let mut data = vec![0; len];
        // SAFETY: as in `write`.
        unsafe {
            std::ptr::copy_nonoverlapping(self.address().add(offset), data.as_mut_ptr(), len)
        };
        data
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: it is this value's own mapping.
        let _ = unsafe { munmap(self.at.cast(), self.len) };
    }
}
