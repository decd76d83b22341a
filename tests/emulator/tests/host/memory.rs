// SPDX-License-Identifier: MIT OR Apache-2.0

//! The host's memory.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A piece of host memory.
#[derive(Debug, Clone, Copy)]
pub struct Buffer {
    /// Bus address.
    pub bus: u64,
    /// Offset in the memory file.
    pub offset: u64,
    pub len: u64,
}

/// A memfd, mapped here and handed to the card.
pub struct Memory {
    file: File,
    memory: *mut u8,
    len: u64,
    bus: u64,
    next: u64,
}

impl Memory {
    pub fn new(len: u64, bus: u64) -> Self {
        // SAFETY: plain system calls with checked results.
        let (file, memory) = unsafe {
            let fd = libc::memfd_create(c"host".as_ptr(), libc::MFD_CLOEXEC);
            assert!(fd >= 0);
            let file = File::from_raw_fd(fd);
            file.set_len(len).unwrap();
            let memory = libc::mmap(
                std::ptr::null_mut(),
                len as usize,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            );
            assert!(memory != libc::MAP_FAILED);
            (file, memory.cast())
        };
        Self {
            file,
            memory,
            len,
            bus,
            next: 0,
        }
    }

    pub fn file(&self) -> File {
        self.file.try_clone().unwrap()
    }

    /// Takes `len` bytes; the bus address is a multiple of 64 KiB.
    pub fn take(&mut self, len: u64) -> Buffer {
        let offset = self.next.next_multiple_of(0x1_0000);
        self.next = offset + len;
        assert!(self.next <= self.len, "the host is out of memory");
        Buffer {
            bus: self.bus + offset,
            offset,
            len,
        }
    }

    /// Gives everything back.
    pub fn free_all(&mut self) {
        self.next = 0;
    }

    fn at(&self, buffer: Buffer, at: u64, len: u64) -> *mut u8 {
        assert!(at + len <= buffer.len);
        // SAFETY: inside the buffer, which is inside the mapping.
        unsafe { self.memory.add((buffer.offset + at) as usize) }
    }

    pub fn write(&self, buffer: Buffer, at: u64, data: &[u8]) {
        let to = self.at(buffer, at, data.len() as u64);
        // SAFETY: `to` is good for `data.len()` bytes.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), to, data.len()) }
    }

    pub fn read(&self, buffer: Buffer, at: u64, len: u64) -> Vec<u8> {
        let mut data = vec![0; len as usize];
        // SAFETY: the source is good for `len` bytes.
        unsafe {
            std::ptr::copy_nonoverlapping(self.at(buffer, at, len), data.as_mut_ptr(), data.len())
        };
        data
    }

    pub fn word(&self, buffer: Buffer, at: u64) -> &AtomicU32 {
        // SAFETY: aligned, mapped as long as `self`, reached by atomics while it is shared.
        unsafe { AtomicU32::from_ptr(self.at(buffer, at, 4).cast()) }
    }

    pub fn double(&self, buffer: Buffer, at: u64) -> &AtomicU64 {
        // SAFETY: as above.
        unsafe { AtomicU64::from_ptr(self.at(buffer, at, 8).cast()) }
    }

    pub fn get(&self, buffer: Buffer, at: u64) -> u32 {
        self.word(buffer, at).load(Ordering::SeqCst)
    }

    pub fn set(&self, buffer: Buffer, at: u64, value: u32) {
        self.word(buffer, at).store(value, Ordering::SeqCst);
    }

    pub fn get64(&self, buffer: Buffer, at: u64) -> u64 {
        self.double(buffer, at).load(Ordering::SeqCst)
    }

    pub fn set64(&self, buffer: Buffer, at: u64, value: u64) {
        self.double(buffer, at).store(value, Ordering::SeqCst);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`.
        unsafe { libc::munmap(self.memory.cast(), self.len as usize) };
    }
}
