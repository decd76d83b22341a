// SPDX-License-Identifier: MIT OR Apache-2.0

//! What all sessions of the card share.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::time::Instant;

use ax650_emu_api::{Cmm, CmmError, Link};
use parking_lot::Mutex;

use crate::machine::busy::BusyMeter;
use crate::machine::cardlog::CardLog;
use crate::machine::codec::Codec;
use crate::machine::files::Files;
use crate::machine::npu::Npu;
use crate::machine::options::Options;
use crate::machine::switches::{self, Switches};
use crate::machine::thermal::{LoadAverage, Thermal};
use crate::wait::timer::Timer;

/// CPU cores of the chip.
pub(crate) const CPU_CORES: u32 = 8;

/// The card.
pub(crate) struct Card {
    /// Hardware and kernel.
    pub(crate) link: Arc<dyn Link>,
    /// Settings.
    pub(crate) options: Options,
    /// Codec and pools.
    pub(crate) codec: Arc<dyn Codec>,
    /// The log that the host can fetch.
    pub(crate) log: CardLog,
    /// Inference.
    pub(crate) npu: Npu,
    /// CPU time spent on calls.
    pub(crate) cpu: BusyMeter,
    /// Temperature.
    pub(crate) thermal: Thermal,
    /// Load averages.
    pub(crate) load: LoadAverage,
    /// Late answers and time limits.
    pub(crate) timer: Timer,
    /// Fault switches.
    pub(crate) switches: Switches,
    /// When the daemon started.
    pub(crate) boot: Instant,
    /// Vendor and device set by SETUP_PCIE_SUB_ID.
    pub(crate) pcie_sub_id: Mutex<Option<(u32, u32)>>,
    /// CPU clock in kHz.
    pub(crate) clock: AtomicU32,
    /// Files of the user.
    pub(crate) files: Files,
    /// Processes of sessions and of the user, with their command lines.
    pub(crate) programs: Mutex<BTreeMap<u32, String>>,
    calls: Mutex<BTreeMap<Cow<'static, str>, u64>>,
    unknown: Mutex<BTreeMap<String, u64>>,
    pids: AtomicU32,
}

impl Card {
    /// The CPU's clock after boot, kHz.
    const CLOCK: u32 = 1_700_000;
    /// The first process id that is given out.
    const FIRST_PID: u32 = 1000;

    /// A card that has just booted.
    pub(crate) fn new(
        link: Arc<dyn Link>,
        options: Options,
        codec: Arc<dyn Codec>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            npu: Npu::new(options.engine_threads),
            link,
            options,
            codec,
            log: CardLog::new(),
            cpu: BusyMeter::new(CPU_CORES),
            thermal: Thermal::new(),
            load: LoadAverage::new(),
            timer: Timer::new()?,
            switches: Switches::default(),
            boot: Instant::now(),
            pcie_sub_id: Mutex::default(),
            clock: AtomicU32::new(Self::CLOCK),
            files: Files::default(),
            programs: Mutex::default(),
            calls: Mutex::default(),
            unknown: Mutex::default(),
            pids: AtomicU32::new(Self::FIRST_PID),
        })
    }

    /// Whether the service has been told to trust every caller.
    pub(crate) fn trusts(&self) -> bool {
        self.link.switch("service.trust") == Some(serde_json::Value::Bool(true))
    }

    /// An id for a process or thread of the card.
    pub(crate) fn next_pid(&self) -> u32 {
        self.pids.fetch_add(1, Ordering::Relaxed)
    }

    /// How many such ids have been given out, and the last of them.
    pub(crate) fn processes(&self) -> (u32, u32) {
        let next = self.pids.load(Ordering::Relaxed);
        (next - Self::FIRST_PID, next - 1)
    }

    /// A call has come: counted by name, logged the first time.
    pub(crate) fn called(&self, name: Cow<'static, str>) {
        let mut calls = self.calls.lock();
        if let Some(times) = calls.get_mut(&name) {
            *times += 1;
            return;
        }
        let text = format!("first call of {name}");
        calls.insert(name, 1);
        drop(calls);
        self.log.write(log::Level::Debug, 1, &text);
    }

    /// All calls that have come, with how often.
    pub(crate) fn calls(&self) -> BTreeMap<Cow<'static, str>, u64> {
        self.calls.lock().clone()
    }

    /// A call that this card does not know or does not have: counted by name, logged the first time.
    pub(crate) fn unknown(&self, name: &str) {
        self.link.count("rpc.unknown", 1);
        let mut unknown = self.unknown.lock();
        let times = unknown.entry(name.to_owned()).or_default();
        *times += 1;
        if *times == 1 {
            drop(unknown);
            self.log.write(
                log::Level::Warn,
                1,
                &format!("call {name} is not supported"),
            );
        }
    }

    /// Calls that this card does not have, with how often they were made.
    pub(crate) fn unknown_calls(&self) -> BTreeMap<String, u64> {
        self.unknown.lock().clone()
    }

    /// Whether all of a range of card memory is allocated.
    pub(crate) fn reachable(&self, address: u64, len: u64) -> bool {
        self.link.cmm().find(address, len).is_some()
    }

    /// Allocates CMM memory.
    pub(crate) fn alloc(&self, size: u64, name: &str, owner: u32) -> Result<u64, CmmError> {
        self.alloc_aligned(size, Cmm::ALIGN, name, owner)
    }

    /// Allocates CMM memory at a multiple of `align`.
    pub(crate) fn alloc_aligned(
        &self,
        size: u64,
        align: u64,
        name: &str,
        owner: u32,
    ) -> Result<u64, CmmError> {
        let cmm = self.link.cmm();
        if let Some(limit) = switches::number(&*self.link, "memory.limit_bytes", 0) {
            if cmm.used().saturating_add(size) > limit {
                return Err(CmmError::NoMemory(size));
            }
        }
        cmm.alloc_aligned(size, align, name, owner)
    }
}
