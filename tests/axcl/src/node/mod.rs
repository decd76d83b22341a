// SPDX-License-Identifier: MIT OR Apache-2.0

//! The legacy nodes, with as little on top of them as can be.

pub mod buffer;
pub mod host;
pub mod message;
pub mod p2p;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

/// Directory of the nodes.
const DEV: &str = "/dev";

/// The names of all four nodes.
pub const NODES: [&str; 4] = [host::NAME, message::NAME, buffer::NAME, p2p::NAME];

/// Path of a node.
pub fn path(name: &str) -> String {
    format!("{DEV}/{name}")
}

/// An open file of one of the nodes.
#[derive(Debug)]
pub struct Node {
    file: File,
}

impl AsFd for Node {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Node {
    /// Opens a node for reading and writing.
    pub fn open(name: &str) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path(name))?;
        Ok(Self { file })
    }

    /// The same open file once more.
    pub fn duplicate(&self) -> io::Result<Self> {
        Ok(Self {
            file: self.file.try_clone()?,
        })
    }

    /// File descriptor.
    pub fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// A request with any code and argument; what ioctl returns if that is not negative.
    ///
    /// # Safety
    ///
    /// What the kernel may write for this request must be this process's to have overwritten: the
    /// structure at `argument`, and what addresses in it name.
    pub unsafe fn request(&self, code: u32, argument: *mut u8) -> io::Result<i32> {
        // SAFETY: by the caller.
        let rc = unsafe { libc::ioctl(self.fd(), code as libc::Ioctl, argument) };
        check(rc as isize).map(|rc| rc as i32)
    }

    /// A request whose argument is these bytes, which hold no addresses.
    ///
    /// The array must be as long as the code says; requests of the message node, which does not look
    /// at that part of the code, take one of 1032 bytes.
    pub fn bytes<const N: usize>(&self, code: u32, argument: &mut [u8; N]) -> io::Result<i32> {
        assert!(N >= (code >> 16) as usize & 0x3fff);
        // SAFETY: the argument is exclusively borrowed and long enough.
        unsafe { self.request(code, argument.as_mut_ptr()) }
    }

    /// write(2).
    pub fn write(&self, data: &[u8]) -> io::Result<usize> {
        // SAFETY: the slice is readable.
        unsafe { self.write_raw(data.as_ptr(), data.len()) }
    }

    /// write(2) of any address, which the kernel only reads.
    ///
    /// # Safety
    ///
    /// The memory must not change meanwhile, as far as it exists.
    pub unsafe fn write_raw(&self, at: *const u8, len: usize) -> io::Result<usize> {
        // SAFETY: the kernel checks the address itself.
        check(unsafe { libc::write(self.fd(), at.cast(), len) })
    }

    /// read(2).
    pub fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the slice is exclusively borrowed.
        unsafe { self.read_raw(into.as_mut_ptr(), into.len()) }
    }

    /// read(2) to any address.
    ///
    /// # Safety
    ///
    /// The memory, as far as it exists, must be this process's to have overwritten.
    pub unsafe fn read_raw(&self, at: *mut u8, len: usize) -> io::Result<usize> {
        // SAFETY: by the caller.
        check(unsafe { libc::read(self.fd(), at.cast(), len) })
    }

    /// poll(2) for `events`: what is reported, 0 at the time limit.  A limit of zero only looks.
    pub fn poll(&self, events: i16, limit: Duration) -> io::Result<i16> {
        poll(self.fd(), events, limit)
    }
}

/// poll(2) of one descriptor.
pub fn poll(fd: RawFd, events: i16, limit: Duration) -> io::Result<i16> {
    let mut poll = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    let millis = limit.as_millis().min(1 << 30) as i32;
    // SAFETY: one valid pollfd.
    check(unsafe { libc::poll(&mut poll, 1, millis) } as isize)?;
    Ok(poll.revents)
}

fn check(rc: isize) -> io::Result<usize> {
    usize::try_from(rc).map_err(|_| io::Error::last_os_error())
}

/// The u32 at `at` of a structure.
pub fn get32(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

/// The u64 at `at` of a structure.
pub fn get64(bytes: &[u8], at: usize) -> u64 {
    u64::from(get32(bytes, at)) | (u64::from(get32(bytes, at + 4)) << 32)
}

/// Sets the u32 at `at` of a structure.
pub fn put32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Sets the u64 at `at` of a structure.
pub fn put64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}
