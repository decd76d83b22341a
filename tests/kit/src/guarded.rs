// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pages of memory right behind which there is none.

use std::num::NonZeroUsize;
use std::ptr::NonNull;

use anyhow::{Context, Result};
use nix::sys::mman::{mmap_anonymous, mprotect, munmap, MapFlags, ProtFlags};

use crate::kernel::page_size;

/// A page followed by one that cannot be accessed.
pub struct Guarded {
    at: NonNull<u8>,
    page: usize,
}

impl Guarded {
    /// What all bytes are at first.
    pub const FILL: u8 = 0xEE;

    /// Allocates the memory and its guards.
    pub fn new() -> Result<Self> {
        let page = page_size();
        let size = NonZeroUsize::new(2 * page).context("no pages")?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let at = unsafe { mmap_anonymous(None, size, access, MapFlags::MAP_PRIVATE)? };
        // SAFETY: the second page of the mapping above, which nobody knows yet.
        unsafe { mprotect(at.byte_add(page), page, ProtFlags::PROT_NONE)? };
        let mut guarded = Self {
            at: at.cast(),
            page,
        };
        guarded.bytes_mut().fill(Self::FILL);
        Ok(guarded)
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the first page is readable and belongs to this value.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.page) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the first page is writable and belongs to this value.
        unsafe { std::slice::from_raw_parts_mut(self.at.as_ptr(), self.page) }
    }

    /// Puts `data` at the very end.
    pub fn put_at_end(&mut self, data: &[u8]) {
        let start = self.page - data.len();
        self.bytes_mut()[start..].copy_from_slice(data);
    }

    /// Returns the address of the last `len` bytes.
    pub fn end_minus(&self, len: usize) -> *mut u8 {
        assert!(len <= self.page);
        // SAFETY: at most at the end of the first page of the mapping.
        unsafe { self.at.as_ptr().add(self.page - len) }
    }

    /// Returns the last `len` bytes.
    pub fn tail(&self, len: usize) -> &[u8] {
        &self.bytes()[self.page - len..]
    }

    /// Returns all but the last `len` bytes.
    pub fn before(&self, len: usize) -> &[u8] {
        &self.bytes()[..self.page - len]
    }

    /// Sees that the page is still all there.
    pub fn touch(&mut self) {
        for byte in self.bytes_mut().iter_mut().step_by(64) {
            *byte = std::hint::black_box(*byte);
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: it is this value's own mapping.
        let _ = unsafe { munmap(self.at.cast(), 2 * self.page) };
    }
}
