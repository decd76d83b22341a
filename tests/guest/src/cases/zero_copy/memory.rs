// SPDX-License-Identifier: MIT OR Apache-2.0

//! Memory of this process of several kinds, and buffers over it.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};

use anyhow::{Context as _, Result};
use ax650_uapi::*;

use crate::client::Client;

/// Bytes of a huge page.
pub const HUGE: usize = 2 << 20;

/// A mapping of this process.
pub struct Own {
    at: *mut u8,
    len: usize,
}

impl Own {
    /// Maps what `mmap()` is told.
    pub fn map(len: usize, protection: i32, flags: i32, file: Option<&File>) -> io::Result<Self> {
        let fd = file.map_or(-1, AsRawFd::as_raw_fd);
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, fd, 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { at: at.cast(), len })
    }

    /// Anonymous memory.
    pub fn anonymous(len: usize) -> Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        Ok(Self::map(
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            flags,
            None,
        )?)
    }

    /// Memory of huge pages, of which the system keeps as many.
    pub fn huge(len: usize) -> Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB;
        Self::map(len, libc::PROT_READ | libc::PROT_WRITE, flags, None).context("huge pages")
    }

    /// A shared mapping of a new file without a name.
    pub fn memfd(len: usize) -> Result<Self> {
        let file = memfd(len)?;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        Ok(Self::map(len, protection, libc::MAP_SHARED, Some(&file))?)
    }

    /// Where it is.
    pub fn address(&self) -> u64 {
        self.at as u64
    }

    /// Copies `data` to `offset`.
    pub fn write(&self, offset: usize, data: &[u8]) {
        assert!(offset + data.len() <= self.len);
        // SAFETY: inside the mapping, to which there are no references.
        unsafe { self.at.add(offset).copy_from(data.as_ptr(), data.len()) };
    }

    /// Copies `len` bytes from `offset`.
    pub fn read(&self, offset: usize, len: usize) -> Vec<u8> {
        assert!(offset + len <= self.len);
        let mut data = vec![0; len];
        // SAFETY: inside the mapping, to which there are no references.
        unsafe { data.as_mut_ptr().copy_from(self.at.add(offset), len) };
        data
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // SAFETY: it is this value's own mapping.
        unsafe { libc::munmap(self.at.cast(), self.len) };
    }
}

/// A new file without a name, of this size.
pub fn memfd(len: usize) -> Result<File> {
    // SAFETY: the name is a string; what comes back is a file of our own.
    let file = unsafe {
        match libc::memfd_create(
            c"case".as_ptr(),
            libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING,
        ) {
            -1 => return Err(io::Error::last_os_error()).context("memfd_create"),
            fd => File::from_raw_fd(fd),
        }
    };
    file.set_len(len as u64)?;
    Ok(file)
}

/// Asks for a buffer over `size` bytes at `address`, which are no Rust object's.
pub fn over(client: &Client, address: u64, size: usize, flags: u32) -> io::Result<u32> {
    let request = ax650_buffer_create {
        size: size as u64,
        flags: AX650_BUFFER_USER_MEMORY | flags,
        address,
        ..Default::default()
    };
    // SAFETY: by the caller, in the same crate: mappings that are only copied to and from.
    let made = unsafe { client.card.buffer_with(request) }?;
    assert_eq!((made.size, made.mmap_offset), (size as u64, 0));
    Ok(made.handle)
}

/// Asks for a buffer of a dma-buf, which has `size` bytes.
pub fn import(client: &Client, file: &File, size: usize, flags: u32) -> io::Result<u32> {
    let request = ax650_buffer_create {
        flags: AX650_BUFFER_DMA_BUF | flags,
        dma_buf: file.as_raw_fd(),
        ..Default::default()
    };
    // SAFETY: it names no memory of this process.
    let made = unsafe { client.card.buffer_with(request) }?;
    assert_eq!((made.size, made.mmap_offset), (size as u64, 0));
    Ok(made.handle)
}

/// A step that copies between all of a buffer of `size` bytes and the card.
pub fn copy(client: &mut Client, op: u32, handle: u32, address: u64, size: usize) -> ax650_step {
    ax650_step {
        op,
        sequence: client.next_sequence(),
        context: client.session.context,
        stream: 1,
        card_address: address,
        buffer: handle,
        size: size as u64,
        ..Default::default()
    }
}
