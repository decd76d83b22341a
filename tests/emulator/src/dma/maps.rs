// SPDX-License-Identifier: MIT OR Apache-2.0

//! The table of bus addresses, and the host's memory files behind them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use super::faults::{Direction, FaultKind};

/// What the host lets the card do with a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The card may read.
    pub read: bool,
    /// The card may write.
    pub write: bool,
}

/// A whole memory file, mapped once however many bus addresses lead into it: with an IOMMU there
/// is a mapping per page, and neither file descriptors nor kernel mappings would suffice for one
/// each.
#[derive(Debug)]
struct Backing {
    memory: *mut u8,
    len: u64,
    writable: bool,
}

// SAFETY: shared memory that is only reached by raw copies and atomics, never by references.
unsafe impl Send for Backing {}
// SAFETY: as above.
unsafe impl Sync for Backing {}

impl Backing {
    fn new(file: &File, len: u64) -> io::Result<Self> {
        let size = usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
        let map = |prot| {
            // SAFETY: a fresh shared mapping; the result is checked.
            let memory = unsafe {
                libc::mmap(
                    std::ptr::null_mut(),
                    size,
                    prot,
                    libc::MAP_SHARED,
                    file.as_raw_fd(),
                    0,
                )
            };
            if memory == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            Ok(memory.cast::<u8>())
        };
        let (memory, writable) = match map(libc::PROT_READ | libc::PROT_WRITE) {
            Ok(memory) => (memory, true),
            // ROM comes as a file opened for reading.
            Err(_) => (map(libc::PROT_READ)?, false),
        };
        Ok(Self {
            memory,
            len,
            writable,
        })
    }
}

impl Drop for Backing {
    fn drop(&mut self) {
        // SAFETY: the mapping of `new`.
        unsafe { libc::munmap(self.memory.cast(), self.len as usize) };
    }
}

#[derive(Debug)]
struct Mapping {
    size: u64,
    offset: u64,
    access: Access,
    backing: Arc<Backing>,
}

#[derive(Debug, Default)]
pub(super) struct Maps {
    by_bus: BTreeMap<u64, Mapping>,
    files: BTreeMap<(u64, u64), Arc<Backing>>,
}

impl Maps {
    pub fn map(
        &mut self,
        file: &File,
        offset: u64,
        bus: u64,
        size: u64,
        access: Access,
    ) -> io::Result<()> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what);
        let end = offset
            .checked_add(size)
            .ok_or_else(|| invalid("offset + size overflows"))?;
        if size == 0 || bus.checked_add(size - 1).is_none() {
            return Err(invalid("bus address + size overflows"));
        }
        let meta = file.metadata()?;
        if end > meta.len() {
            return Err(invalid("mapping ends behind the end of its file"));
        }
        let key = (meta.dev(), meta.ino());
        let backing = match self.files.get(&key) {
            Some(backing) if end <= backing.len => backing.clone(),
            _ => {
                let backing = Arc::new(Backing::new(file, meta.len())?);
                self.files.insert(key, backing.clone());
                backing
            }
        };
        if access.write && !backing.writable {
            return Err(invalid("writable mapping of a read-only file"));
        }
        self.unmap(bus, size);
        self.by_bus.insert(
            bus,
            Mapping {
                size,
                offset,
                access,
                backing,
            },
        );
        Ok(())
    }

    pub fn unmap(&mut self, bus: u64, size: u64) {
        let last = bus.saturating_add(size.saturating_sub(1));
        let inside: Vec<u64> = self
            .by_bus
            .range(bus..=last)
            .filter(|(&start, m)| start + (m.size - 1) <= last)
            .map(|(&start, _)| start)
            .collect();
        for start in inside {
            self.by_bus.remove(&start);
        }
    }

    pub fn clear(&mut self) {
        self.by_bus.clear();
        self.files.clear();
    }

    /// The host's byte behind `bus`, and how many bytes follow it in the same mapping.
    pub fn find(&self, bus: u64, direction: Direction) -> Result<(*mut u8, u64), FaultKind> {
        let (&start, mapping) = self
            .by_bus
            .range(..=bus)
            .next_back()
            .ok_or(FaultKind::Unmapped)?;
        let skip = bus - start;
        if skip >= mapping.size {
            return Err(FaultKind::Unmapped);
        }
        let allowed = match direction {
            Direction::Read => mapping.access.read,
            Direction::Write => mapping.access.write,
        };
        if !allowed {
            return Err(FaultKind::Permission);
        }
        // SAFETY: `offset + size` lies inside the backing, `skip < size`.
        let host = unsafe { mapping.backing.memory.add((mapping.offset + skip) as usize) };
        Ok((host, mapping.size - skip))
    }
}
