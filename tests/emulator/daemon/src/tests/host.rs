// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card's hardware as the daemon sees it, with the host's memory in a map.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ax650_emu_api::{Cmm, DmaError, Dram, Link, SendError};
use parking_lot::{Condvar, Mutex};
use serde_json::Value;

/// First address of the CMM: such that a session's two windows of 4 MiB end at 0x1_4100_0000, where
/// the worked examples have their first block.
pub(crate) const CMM_BASE: u64 = 0x1_4080_0000;
const CMM_SIZE: u64 = 64 << 20;

/// The host.
pub(crate) struct Host {
    dram: Arc<Dram>,
    cmm: Arc<Cmm>,
    memory: Mutex<BTreeMap<u64, Vec<u8>>>,
    next_bus: AtomicU64,
    messages: Mutex<HashMap<u32, VecDeque<Vec<u8>>>>,
    news: Condvar,
    counters: Mutex<BTreeMap<String, u64>>,
    switches: Mutex<HashMap<String, Value>>,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self {
            dram: Arc::new(Dram::new(CMM_BASE + CMM_SIZE - Dram::BASE).unwrap()),
            cmm: Arc::new(Cmm::new(CMM_BASE, CMM_SIZE)),
            memory: Mutex::default(),
            next_bus: AtomicU64::new(0x8_0000_0000),
            messages: Mutex::default(),
            news: Condvar::new(),
            counters: Mutex::default(),
            switches: Mutex::default(),
        }
    }

    /// Maps `len` bytes for the card; no two such ranges touch.
    pub(crate) fn map(&self, len: usize) -> u64 {
        let bus = self
            .next_bus
            .fetch_add(len.next_multiple_of(4096) as u64 + 4096, Ordering::Relaxed);
        self.memory.lock().insert(bus, vec![0; len]);
        bus
    }

    /// Maps `len` bytes at a bus address of the caller's choice.
    pub(crate) fn map_at(&self, bus: u64, len: usize) {
        self.memory.lock().insert(bus, vec![0; len]);
    }

    /// Takes the mapping away.
    pub(crate) fn unmap(&self, bus: u64) {
        self.memory.lock().remove(&bus);
    }

    pub(crate) fn read(&self, bus: u64, len: usize) -> Vec<u8> {
        self.with(bus, len as u64, |bytes| bytes.to_vec()).unwrap()
    }

    pub(crate) fn write(&self, bus: u64, data: &[u8]) {
        self.with(bus, data.len() as u64, |bytes| bytes.copy_from_slice(data))
            .unwrap();
    }

    fn with<R>(
        &self,
        bus: u64,
        len: u64,
        work: impl FnOnce(&mut [u8]) -> R,
    ) -> Result<R, DmaError> {
        let mut memory = self.memory.lock();
        let (start, bytes) = memory
            .range_mut(..=bus)
            .next_back()
            .ok_or(DmaError::Fault(bus))?;
        let at = (bus - start) as usize;
        let part = bytes
            .get_mut(at..at + len as usize)
            .ok_or(DmaError::Fault(bus))?;
        Ok(work(part))
    }

    /// The next message of `port`.
    pub(crate) fn receive(&self, port: u32, patience: Duration) -> Option<Vec<u8>> {
        let deadline = Instant::now() + patience;
        let mut messages = self.messages.lock();
        loop {
            if let Some(message) = messages.get_mut(&port).and_then(VecDeque::pop_front) {
                return Some(message);
            }
            if self.news.wait_until(&mut messages, deadline).timed_out() {
                return messages.get_mut(&port).and_then(VecDeque::pop_front);
            }
        }
    }

    pub(crate) fn set(&self, switch: &str, value: impl Into<Value>) {
        self.switches.lock().insert(switch.into(), value.into());
    }

    pub(crate) fn clear(&self, switch: &str) {
        self.switches.lock().remove(switch);
    }

    pub(crate) fn cmm_used(&self) -> u64 {
        self.cmm.used()
    }

    pub(crate) fn counter(&self, name: &str) -> u64 {
        self.counters.lock().get(name).copied().unwrap_or(0)
    }

    /// Waits until a counter has reached `value`.
    pub(crate) fn wait_counter(&self, name: &str, value: u64) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.counter(name) < value {
            assert!(
                Instant::now() < deadline,
                "{name} is {}, not {value}",
                self.counter(name)
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Link for Host {
    fn send(&self, port: u32, payload: &[u8]) -> Result<(), SendError> {
        self.messages
            .lock()
            .entry(port)
            .or_default()
            .push_back(payload.to_vec());
        self.news.notify_all();
        Ok(())
    }

    fn dma_read(&self, bus: u64, buf: &mut [u8]) -> Result<(), DmaError> {
        self.with(bus, buf.len() as u64, |bytes| buf.copy_from_slice(bytes))
    }

    fn dma_write(&self, bus: u64, data: &[u8]) -> Result<(), DmaError> {
        self.with(bus, data.len() as u64, |bytes| bytes.copy_from_slice(data))
    }

    fn dma_to_card(&self, bus: u64, card: u64, len: u64) -> Result<(), DmaError> {
        self.with(bus, len, |bytes| self.dram.write(card, bytes).unwrap())
    }

    fn dma_from_card(&self, card: u64, bus: u64, len: u64) -> Result<(), DmaError> {
        self.with(bus, len, |bytes| self.dram.read(card, bytes).unwrap())
    }

    fn dram(&self) -> &Arc<Dram> {
        &self.dram
    }

    fn cmm(&self) -> &Arc<Cmm> {
        &self.cmm
    }

    fn card_id(&self) -> u32 {
        1
    }

    fn count(&self, counter: &str, by: u64) {
        *self.counters.lock().entry(counter.into()).or_default() += by;
    }

    fn switch(&self, name: &str) -> Option<Value> {
        self.switches.lock().get(name).cloned()
    }
}
