// SPDX-License-Identifier: MIT OR Apache-2.0

//! Host memory as the card reaches it: through the bus addresses that the host has mapped for it.

mod faults;
mod maps;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;

use ax650_emu_api::DmaError;
use parking_lot::{Mutex, RwLock};
use serde_json::Value;

use crate::counters::Counters;
pub use faults::{Direction, FaultKind};
use faults::{FaultLog, Miss};
pub use maps::Access;
use maps::Maps;

/// Bytes copied under one hold of the mapping table, so that an unmap never waits for long.
const PIECE: usize = 256 << 10;

/// Host memory, mapping by mapping.
///
/// Mappings come and go at any time (with an IOMMU, page by page).  An access to an address without
/// a mapping is a *DMA fault*: it is recorded, logged and refused.  With bus mastering off an access
/// is *blocked*; while no host is connected or the link is down it is *lost*.  Neither of these is a
/// fault.
#[derive(Debug)]
pub struct HostMemory {
    maps: RwLock<Maps>,
    log: Mutex<FaultLog>,
    master: AtomicBool,
    connected: AtomicBool,
    link: AtomicBool,
    counters: Arc<Counters>,
}

impl HostMemory {
    /// No mappings, bus mastering off, no host.
    pub fn new(counters: Arc<Counters>) -> Self {
        Self {
            maps: RwLock::default(),
            log: Mutex::default(),
            master: AtomicBool::new(false),
            connected: AtomicBool::new(false),
            link: AtomicBool::new(true),
            counters,
        }
    }

    /// Maps `[bus, bus + size)` to `size` bytes of `file` from `offset`.
    pub fn map(
        &self,
        file: &std::fs::File,
        offset: u64,
        bus: u64,
        size: u64,
        access: Access,
    ) -> std::io::Result<()> {
        self.counters.hit("dma.maps");
        self.maps.write().map(file, offset, bus, size, access)
    }

    /// Takes the mappings inside `[bus, bus + size)` away.
    pub fn unmap(&self, bus: u64, size: u64) {
        self.counters.hit("dma.unmaps");
        self.maps.write().unmap(bus, size);
    }

    /// Takes all mappings away.
    pub fn unmap_all(&self) {
        self.maps.write().clear();
    }

    /// Bus mastering was switched on or off.
    pub fn set_bus_master(&self, on: bool) {
        self.master.store(on, Ordering::SeqCst);
    }

    /// Whether bus mastering is on.
    pub fn bus_master(&self) -> bool {
        self.master.load(Ordering::SeqCst)
    }

    /// A host came or went.
    pub fn set_connected(&self, on: bool) {
        self.connected.store(on, Ordering::SeqCst);
    }

    /// The link came up or went down.
    pub fn set_link(&self, up: bool) {
        self.link.store(up, Ordering::SeqCst);
    }

    /// Whether requests reach a host.
    pub fn connected(&self) -> bool {
        self.connected.load(Ordering::SeqCst) && self.link.load(Ordering::SeqCst)
    }

    /// The faults so far; `reset` forgets them.
    pub fn faults(&self, reset: bool) -> Value {
        let mut log = self.log.lock();
        let value = log.report();
        if reset {
            *log = FaultLog::default();
        }
        value
    }

    fn miss(&self, kind: FaultKind, miss: Miss) -> DmaError {
        self.counters.hit(kind.counter());
        let bus = miss.bus;
        if kind != FaultKind::Lost {
            self.log.lock().record(kind, miss);
        }
        DmaError::Fault(bus)
    }

    /// Runs `copy(host, done, n)` over the pieces of `[bus, bus + len)`.
    fn walk(
        &self,
        direction: Direction,
        bus: u64,
        len: usize,
        why: &'static str,
        mut copy: impl FnMut(*mut u8, usize, usize),
    ) -> Result<(), DmaError> {
        let miss = |bus| Miss {
            bus,
            len,
            direction,
            why,
        };
        let mut done = 0;
        while done < len {
            let Some(at) = bus.checked_add(done as u64) else {
                return Err(self.miss(FaultKind::Unmapped, miss(bus)));
            };
            if !self.connected() {
                return Err(self.miss(FaultKind::Lost, miss(at)));
            }
            if !self.bus_master() {
                return Err(self.miss(FaultKind::BusMasterOff, miss(at)));
            }
            let maps = self.maps.read();
            match maps.find(at, direction) {
                Ok((host, room)) => {
                    let n = room.min((len - done).min(PIECE) as u64) as usize;
                    copy(host, done, n);
                    done += n;
                }
                Err(kind) => {
                    drop(maps);
                    return Err(self.miss(kind, miss(at)));
                }
            }
        }
        let (transfers, bytes) = direction.counters();
        self.counters.hit(transfers);
        self.counters.add(bytes, len as u64);
        Ok(())
    }

    /// Reads host memory at `bus` into `buf`; `why` goes into the record of a fault.
    pub fn read(&self, bus: u64, buf: &mut [u8], why: &'static str) -> Result<(), DmaError> {
        let to = buf.as_mut_ptr();
        // SAFETY: `to` is good for `buf.len()` bytes and is not host memory.
        unsafe { self.read_raw(bus, to, buf.len(), why) }
    }

    /// Writes `data` to host memory at `bus`; `why` goes into the record of a fault.
    pub fn write(&self, bus: u64, data: &[u8], why: &'static str) -> Result<(), DmaError> {
        // SAFETY: `data` is good for its length and is not host memory.
        unsafe { self.write_raw(bus, data.as_ptr(), data.len(), why) }
    }

    /// Reads `len` bytes of host memory at `bus` to `to`.
    ///
    /// # Safety
    /// `to` must be good for writing `len` bytes and must not be host memory.
    pub unsafe fn read_raw(
        &self,
        bus: u64,
        to: *mut u8,
        len: usize,
        why: &'static str,
    ) -> Result<(), DmaError> {
        self.walk(Direction::Read, bus, len, why, |host, done, n| {
            // SAFETY: `walk` gives `n` mapped bytes at `host`, and `done + n <= len`.
            unsafe { std::ptr::copy_nonoverlapping(host, to.add(done), n) }
        })
    }

    /// Writes `len` bytes at `from` to host memory at `bus`.
    ///
    /// # Safety
    /// `from` must be good for reading `len` bytes and must not be host memory.
    pub unsafe fn write_raw(
        &self,
        bus: u64,
        from: *const u8,
        len: usize,
        why: &'static str,
    ) -> Result<(), DmaError> {
        self.walk(Direction::Write, bus, len, why, |host, done, n| {
            // SAFETY: `walk` gives `n` mapped bytes at `host`, and `done + n <= len`.
            unsafe { std::ptr::copy_nonoverlapping(from.add(done), host, n) }
        })
    }

    /// One aligned 32-bit read.
    pub fn read_u32(&self, bus: u64, why: &'static str) -> Result<u32, DmaError> {
        let mut value = 0;
        self.walk_word(Direction::Read, bus, 4, why, |host| {
            // SAFETY: four mapped, aligned bytes that are only reached through pointers.
            value = unsafe { AtomicU32::from_ptr(host.cast()) }.load(Ordering::SeqCst);
        })?;
        Ok(u32::from_le(value))
    }

    /// One aligned 32-bit write.
    pub fn write_u32(&self, bus: u64, value: u32, why: &'static str) -> Result<(), DmaError> {
        self.walk_word(Direction::Write, bus, 4, why, |host| {
            // SAFETY: four mapped, aligned bytes that are only reached through pointers.
            unsafe { AtomicU32::from_ptr(host.cast()) }.store(value.to_le(), Ordering::SeqCst);
        })
    }

    /// One aligned 64-bit read.
    pub fn read_u64(&self, bus: u64, why: &'static str) -> Result<u64, DmaError> {
        let mut value = 0;
        self.walk_word(Direction::Read, bus, 8, why, |host| {
            // SAFETY: eight mapped, aligned bytes that are only reached through pointers.
            value = unsafe { AtomicU64::from_ptr(host.cast()) }.load(Ordering::SeqCst);
        })?;
        Ok(u64::from_le(value))
    }

    /// One aligned 64-bit write.
    pub fn write_u64(&self, bus: u64, value: u64, why: &'static str) -> Result<(), DmaError> {
        self.walk_word(Direction::Write, bus, 8, why, |host| {
            // SAFETY: eight mapped, aligned bytes that are only reached through pointers.
            unsafe { AtomicU64::from_ptr(host.cast()) }.store(value.to_le(), Ordering::SeqCst);
        })
    }

    /// A word for the curious: leaves no trace in counters and records.
    pub fn peek_u64(&self, bus: u64) -> Option<u64> {
        if !self.connected() {
            return None;
        }
        let maps = self.maps.read();
        let (host, room) = maps.find(bus, Direction::Read).ok()?;
        if room < 8 || (host as usize) % 8 != 0 {
            return None;
        }
        // SAFETY: eight mapped, aligned bytes that are only reached through pointers.
        let value = unsafe { AtomicU64::from_ptr(host.cast()) }.load(Ordering::SeqCst);
        Some(u64::from_le(value))
    }

    /// `walk` for a naturally aligned word.  A word that is not aligned on the host, or that is
    /// split over two mappings, counts as not mapped.
    fn walk_word(
        &self,
        direction: Direction,
        bus: u64,
        len: usize,
        why: &'static str,
        mut access: impl FnMut(*mut u8),
    ) -> Result<(), DmaError> {
        let mut whole = false;
        self.walk(direction, bus, len, why, |host, _, n| {
            if n == len && (host as usize) % len == 0 {
                access(host);
                whole = true;
            }
        })?;
        if whole {
            return Ok(());
        }
        Err(self.miss(
            FaultKind::Unmapped,
            Miss {
                bus,
                len,
                direction,
                why,
            },
        ))
    }
}
