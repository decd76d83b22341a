// SPDX-License-Identifier: MIT OR Apache-2.0

//! The NPU's cores: who may run now, and how busy they are.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Weak;

use parking_lot::{Condvar, Mutex};
use serde_json::{json, Value};

use crate::machine::busy::{Busy, BusyMeter};
use crate::wait::latch::Latch;

/// Cores of the NPU.
pub(crate) const CORES: u32 = 3;

/// The NPU.
pub(crate) struct Npu {
    /// Threads of one inference on this machine.
    pub(crate) threads: usize,
    /// Load.
    pub(crate) meter: BusyMeter,
    /// Mask of busy cores.
    taken: Mutex<u32>,
    news: Condvar,
    runs: AtomicU64,
    handles: AtomicU64,
    /// What sessions have loaded, for a card that trusts every caller.
    pub(crate) engines: Mutex<Vec<Weak<dyn Any + Send + Sync>>>,
}

/// Cores that are taken until this is dropped.
pub(crate) struct Cores<'a> {
    npu: &'a Npu,
    mask: u32,
    _busy: Vec<Busy<'a>>,
}

impl Npu {
    /// Handles look like addresses and grow by this: contexts have numbers in between.
    const HANDLE_STEP: u64 = 0x100;

    /// An idle NPU.
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            threads,
            meter: BusyMeter::new(CORES),
            taken: Mutex::default(),
            news: Condvar::new(),
            runs: AtomicU64::new(0),
            handles: AtomicU64::new(0x55_0000_0100),
            engines: Mutex::default(),
        }
    }

    /// A model handle that no other has.
    pub(crate) fn handle(&self) -> u64 {
        self.handles.fetch_add(Self::HANDLE_STEP, Ordering::Relaxed)
    }

    /// Takes `count` of the cores in `mask` as soon as they are free; `None` if `stop` is raised.
    pub(crate) fn take(&self, count: u32, mask: u32, stop: &Latch) -> Option<Cores<'_>> {
        let mut taken = self.taken.lock();
        loop {
            if stop.is_raised() {
                return None;
            }
            let free = (0..CORES)
                .map(|core| 1 << core)
                .filter(|bit| mask & bit & !*taken != 0);
            let picked: Vec<u32> = free.take(count as usize).collect();
            if picked.len() == count as usize {
                let mask = picked.iter().sum();
                *taken |= mask;
                self.runs.fetch_add(1, Ordering::Relaxed);
                return Some(Cores {
                    npu: self,
                    mask,
                    _busy: picked.iter().map(|_| self.meter.unit()).collect(),
                });
            }
            self.news.wait(&mut taken);
        }
    }

    /// Lets those who wait look again whether they are to stop.
    pub(crate) fn wake(&self) {
        let _taken = self.taken.lock();
        self.news.notify_all();
    }

    /// State for the control socket.
    pub(crate) fn report(&self) -> Value {
        json!({
            "runs": self.runs.load(Ordering::Relaxed),
            "percent": self.meter.percent(),
            "busy_ms": self.meter.total().as_millis() as u64,
        })
    }
}

impl Drop for Cores<'_> {
    fn drop(&mut self) {
        *self.npu.taken.lock() &= !self.mask;
        self.npu.news.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_taken_and_given_back() {
        let (npu, stop) = (Npu::new(1), Latch::default());
        let one = npu.take(1, 0b001, &stop).unwrap();
        let two = npu.take(2, 0b111, &stop).unwrap();
        assert_eq!((one.mask, two.mask), (0b001, 0b110));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| npu.take(1, 0b001, &stop).map(|c| c.mask));
            drop(one);
            assert_eq!(waiter.join().unwrap(), Some(0b001));
            let all = npu.take(1, 0b001, &stop).unwrap();
            let waiter = scope.spawn(|| npu.take(3, 0b111, &stop).is_none());
            stop.raise();
            npu.wake();
            assert!(waiter.join().unwrap());
            drop(all);
        });
        assert_eq!(npu.report()["runs"], 4);
    }
}
