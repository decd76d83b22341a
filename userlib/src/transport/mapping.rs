// SPDX-License-Identifier: MIT OR Apache-2.0

//! Memory shared with the card.

use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::sys::mman::{madvise, mmap, mmap_anonymous, munmap, MapFlags, MmapAdvise, ProtFlags};

use crate::fork::Process;

/// A shared mapping of a file, unmapped when dropped.
///
/// The card may change the memory at any time that a job allows it to, so there is no safe way to a
/// reference; [`crate::Buffer`] rules the references.
///
/// A child made by `fork()` does not get the mapping: an access there ends with SIGSEGV instead of reading what the
/// parent's card writes.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    len: NonZeroUsize,
    process: Process,
    /// It is somebody else's to unmap.
    is_lent: bool,
}

// SAFETY: the mapping belongs to the process, not to a thread, and access goes through raw pointers only.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes of `file` from `offset` on, for reading and writing.
    ///
    /// # Errors
    ///
    /// EINVAL for 0 bytes, or what `mmap()` answers.
    pub fn new(file: impl AsFd, offset: i64, len: usize) -> Result<Self, Errno> {
        let len = NonZeroUsize::new(len).ok_or(Errno::EINVAL)?;
        // SAFETY: a new mapping at a place that the kernel chooses replaces nothing.
        let start = unsafe {
            mmap(
                None,
                len,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED,
                file,
                offset,
            )
        }?;
        let mapping = Self {
            start: start.cast(),
            len,
            process: Process::current(),
            is_lent: false,
        };
        // SAFETY: the range is the mapping just made; children that do not have it do not use it either.
        unsafe { madvise(start, len.get(), MmapAdvise::MADV_DONTFORK) }?;
        Ok(mapping)
    }

    /// Maps `len` bytes of memory that is no file's, in huge pages where there are some.
    pub(crate) fn anonymous(len: usize) -> Result<Self, Errno> {
        let len = NonZeroUsize::new(len).ok_or(Errno::EINVAL)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at a place that the kernel chooses replaces nothing.
        let start = unsafe { mmap_anonymous(None, len, access, MapFlags::MAP_PRIVATE) }?;
        // SAFETY: the range is the mapping just made; how large its pages are does not show.  Kernels without
        // huge pages refuse, and do as well.
        let _ = unsafe { madvise(start, len.get(), MmapAdvise::MADV_HUGEPAGE) };
        Ok(Self {
            start: start.cast(),
            len,
            process: Process::current(),
            is_lent: false,
        })
    }

    /// Makes a view of `len` bytes at `start`, which are not unmapped in the end.
    ///
    /// # Safety
    ///
    /// They must be valid for reads and writes as long as the view is used.
    pub(crate) unsafe fn over(start: NonNull<u8>, len: usize) -> Result<Self, Errno> {
        Ok(Self {
            start,
            len: NonZeroUsize::new(len).ok_or(Errno::EINVAL)?,
            process: Process::current(),
            is_lent: true,
        })
    }

    /// Returns the address of the first byte.
    pub fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Returns how many bytes are mapped.
    #[allow(clippy::len_without_is_empty)] // a mapping never is empty
    pub fn len(&self) -> usize {
        self.len.get()
    }

    /// Copies `len` bytes from `offset` on in place of what is in `bytes`; they may be changing meanwhile.
    ///
    /// # Panics
    ///
    /// If they are not all in the mapping.
    pub fn copy_into(&self, offset: usize, len: usize, bytes: &mut Vec<u8>) {
        assert!(offset.checked_add(len).is_some_and(|end| end <= self.len()));
        bytes.clear();
        bytes.reserve_exact(len);
        // SAFETY: both ranges are valid for `len` bytes, checked above and reserved; they cannot
        // overlap.  What the bytes are does not matter: each value of a byte is one.
        unsafe {
            std::ptr::copy_nonoverlapping(self.as_ptr().add(offset), bytes.as_mut_ptr(), len);
            bytes.set_len(len);
        }
    }

    /// Copies `bytes` to `offset`.
    ///
    /// # Panics
    ///
    /// If there is not that much room.
    #[cfg(feature = "transport")]
    pub fn copy_in(&self, offset: usize, bytes: &[u8]) {
        assert!(offset
            .checked_add(bytes.len())
            .is_some_and(|end| end <= self.len()));
        // SAFETY: the target is valid for that many bytes, checked above; `bytes` cannot overlap it, as
        // nobody may have a reference to memory that others write to.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.as_ptr().add(offset), bytes.len())
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.is_lent || self.process != Process::current() {
            return; // not mapped here, and something else may be in its place
        }
        // SAFETY: the mapping is this object's own, and nobody can use its pointers after this.
        if let Err(errno) = unsafe { munmap(self.start.cast(), self.len()) } {
            log::error!("munmap: {errno}");
        }
    }
}
