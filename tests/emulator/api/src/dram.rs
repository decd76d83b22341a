// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card's DRAM: sparse, at the card's own addresses.

use std::io;

/// A range that lies outside the card's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("card address {address:#x}+{len:#x} is outside the card's memory")]
pub struct DramError {
    /// First byte asked for.
    pub address: u64,
    /// Bytes asked for.
    pub len: u64,
}

/// Card memory.  Pages take host memory when they are first written.
///
/// As on the card, nothing orders concurrent accesses to the same bytes: all accesses are plain
/// byte copies through raw pointers, never references into the memory.
#[derive(Debug)]
pub struct Dram {
    base: u64,
    size: u64,
    memory: *mut u8,
}

// SAFETY: the memory is reached by raw copies only, see `Dram`.
unsafe impl Send for Dram {}
// SAFETY: as above.
unsafe impl Sync for Dram {}

impl Dram {
    /// First address of the card's DRAM [pcie 3.1].
    pub const BASE: u64 = 0x1_0000_0000;

    /// `size` bytes of zeroed memory at [`Self::BASE`].
    pub fn new(size: u64) -> io::Result<Self> {
        let len = usize::try_from(size).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: a fresh private mapping; the result is checked.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            base: Self::BASE,
            size,
            memory: memory.cast(),
        })
    }

    /// Bytes of memory.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// A pointer to `address` that is good for `len` bytes as long as `self` lives.
    pub fn pointer(&self, address: u64, len: u64) -> Result<*mut u8, DramError> {
        let error = DramError { address, len };
        let offset = address.checked_sub(self.base).ok_or(error)?;
        let end = offset.checked_add(len).ok_or(error)?;
        if end > self.size {
            return Err(error);
        }
        // SAFETY: `offset <= size`, the length of the mapping.
        Ok(unsafe { self.memory.add(offset as usize) })
    }

    /// Copies card memory at `address` into `buf`.
    pub fn read(&self, address: u64, buf: &mut [u8]) -> Result<(), DramError> {
        let from = self.pointer(address, buf.len() as u64)?;
        // SAFETY: `from` is good for `buf.len()` bytes and `buf` is not card memory.
        unsafe { std::ptr::copy_nonoverlapping(from, buf.as_mut_ptr(), buf.len()) };
        Ok(())
    }

    /// A copy of `len` bytes at `address`.
    pub fn read_vec(&self, address: u64, len: u64) -> Result<Vec<u8>, DramError> {
        self.pointer(address, len)?;
        let mut buf = vec![0; len as usize];
        self.read(address, &mut buf)?;
        Ok(buf)
    }

    /// Copies `data` to card memory at `address`.
    pub fn write(&self, address: u64, data: &[u8]) -> Result<(), DramError> {
        let to = self.pointer(address, data.len() as u64)?;
        // SAFETY: `to` is good for `data.len()` bytes and `data` is not card memory.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), to, data.len()) };
        Ok(())
    }

    /// Copies within the card; the ranges may overlap.
    pub fn copy(&self, from: u64, to: u64, len: u64) -> Result<(), DramError> {
        let source = self.pointer(from, len)?;
        let target = self.pointer(to, len)?;
        // SAFETY: both are good for `len` bytes; `copy` allows overlap.
        unsafe { std::ptr::copy(source, target, len as usize) };
        Ok(())
    }

    /// Sets `len` bytes at `address` to `value`.
    pub fn fill(&self, address: u64, len: u64, value: u8) -> Result<(), DramError> {
        let to = self.pointer(address, len)?;
        // SAFETY: `to` is good for `len` bytes.
        unsafe { std::ptr::write_bytes(to, value, len as usize) };
        Ok(())
    }

    /// Gives all pages back to the host: the memory reads as zero again.
    pub fn clear(&self) {
        // SAFETY: the mapping of `new`, private and anonymous.
        unsafe { libc::madvise(self.memory.cast(), self.size as usize, libc::MADV_DONTNEED) };
    }
}

impl Drop for Dram {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`.
        unsafe { libc::munmap(self.memory.cast(), self.size as usize) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_and_stays_inside() {
        let dram = Dram::new(1 << 20).unwrap();
        dram.write(Dram::BASE + 100, b"hello").unwrap();
        assert_eq!(dram.read_vec(Dram::BASE + 100, 5).unwrap(), b"hello");
        dram.copy(Dram::BASE + 100, Dram::BASE + 102, 5).unwrap();
        assert_eq!(dram.read_vec(Dram::BASE + 100, 7).unwrap(), b"hehello");
        for (address, len) in [
            (Dram::BASE - 1, 1),
            (Dram::BASE + (1 << 20) - 1, 2),
            (u64::MAX, 1),
            (Dram::BASE + 1, u64::MAX),
        ] {
            assert!(dram.pointer(address, len).is_err(), "{address:#x}+{len:#x}");
        }
        dram.clear();
        assert_eq!(dram.read_vec(Dram::BASE + 100, 7).unwrap(), [0; 7]);
    }
}
