// SPDX-License-Identifier: MIT OR Apache-2.0

//! A card without a bus, a client of it, and the ffmpeg program as judge.

// Each test program uses its own part of this.
#![allow(dead_code)]

pub mod ffmpeg;
pub mod vdec;
pub mod venc;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use ax650_emu_api::{Cmm, DmaError, Dram, Link, SendError};
use ax650_emu_media::Media;

pub const SYS: u32 = 0;
pub const VDEC: u32 = 1;
pub const VENC: u32 = 2;
pub const IVPS: u32 = 3;
pub const IVE: u32 = 4;
pub const DMADIM: u32 = 6;

/// Card memory and its allocator; no bus.
pub struct FakeCard {
    dram: Arc<Dram>,
    cmm: Arc<Cmm>,
    counters: Mutex<BTreeMap<String, u64>>,
    switches: Mutex<BTreeMap<String, serde_json::Value>>,
}

impl FakeCard {
    /// A card with `size` bytes, all of them CMM.
    pub fn new(size: u64) -> Arc<Self> {
        Arc::new(Self {
            dram: Arc::new(Dram::new(size).unwrap()),
            cmm: Arc::new(Cmm::new(Dram::BASE, size)),
            counters: Mutex::default(),
            switches: Mutex::default(),
        })
    }

    /// Card memory.
    pub fn read(&self, address: u64, len: usize) -> Vec<u8> {
        self.dram.read_vec(address, len as u64).unwrap()
    }

    /// Writes card memory.
    pub fn write(&self, address: u64, bytes: &[u8]) {
        self.dram.write(address, bytes).unwrap();
    }

    /// Bytes of the card's CMM in use.
    pub fn cmm_used(&self) -> u64 {
        self.cmm.used()
    }

    /// Sets a fault switch.
    pub fn set_switch(&self, name: &str, value: serde_json::Value) {
        self.switches.lock().unwrap().insert(name.into(), value);
    }

    pub fn counter(&self, name: &str) -> u64 {
        self.counters
            .lock()
            .unwrap()
            .get(name)
            .copied()
            .unwrap_or(0)
    }
}

impl Link for FakeCard {
    fn send(&self, _: u32, _: &[u8]) -> Result<(), SendError> {
        unreachable!("the codec sends no messages")
    }
    fn dma_read(&self, bus: u64, _: &mut [u8]) -> Result<(), DmaError> {
        Err(DmaError::Fault(bus))
    }
    fn dma_write(&self, bus: u64, _: &[u8]) -> Result<(), DmaError> {
        Err(DmaError::Fault(bus))
    }
    fn dma_to_card(&self, bus: u64, _: u64, _: u64) -> Result<(), DmaError> {
        Err(DmaError::Fault(bus))
    }
    fn dma_from_card(&self, _: u64, bus: u64, _: u64) -> Result<(), DmaError> {
        Err(DmaError::Fault(bus))
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
        *self
            .counters
            .lock()
            .unwrap()
            .entry(counter.to_owned())
            .or_default() += by;
    }
    fn switch(&self, name: &str) -> Option<serde_json::Value> {
        self.switches.lock().unwrap().get(name).cloned()
    }
}

/// A card with its media service.
pub struct Card {
    pub link: Arc<FakeCard>,
    pub media: Arc<Media>,
}

impl Card {
    pub fn new() -> Self {
        Self::with_memory(1 << 30)
    }

    pub fn with_memory(size: u64) -> Self {
        let link = FakeCard::new(size);
        let media = Media::new(link.clone());
        Self { link, media }
    }

    pub fn client(&self, session: u32) -> Client {
        Client {
            link: self.link.clone(),
            media: self.media.clone(),
            session,
        }
    }
}

/// A client process.
#[derive(Clone)]
pub struct Client {
    pub link: Arc<FakeCard>,
    pub media: Arc<Media>,
    pub session: u32,
}

impl Client {
    /// One call; checks the sizes of all blobs of the answer.
    pub fn call(&self, module: u32, api: u32, args: &[&[u8]]) -> Vec<Vec<u8>> {
        let args: Vec<_> = args.iter().map(|a| a.to_vec()).collect();
        let answer = self.media.call(self.session, module, api, &args);
        let name = Media::name(module, api).unwrap();
        if let Some(sizes) = call_sizes().get(name) {
            let got: Vec<_> = answer.iter().map(Vec::len).collect();
            assert_eq!(&got, sizes, "{name}");
        }
        answer
    }

    /// One call that returns a code.
    pub fn status(&self, module: u32, api: u32, args: &[&[u8]]) -> u32 {
        u32_at(&self.call(module, api, args)[0], 0)
    }

    /// One call that must succeed; the output blobs.
    #[track_caller]
    pub fn ok(&self, module: u32, api: u32, args: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut answer = self.call(module, api, args);
        let code = u32_at(&answer[0], 0);
        assert_eq!(code, 0, "{}: {code:#x}", Media::name(module, api).unwrap());
        answer.remove(0);
        answer
    }

    /// Card memory by SYS MemAlloc.
    pub fn alloc(&self, size: usize) -> u64 {
        let size = n32(size as u32);
        let out = self.ok(SYS, 2, &[&n64(0), &size, &n32(0), b"test\0"]);
        u64_at(&out[0], 0)
    }
}

/// Answer sizes of the protocol notes, by name of the call.
pub fn call_sizes() -> &'static BTreeMap<String, Vec<usize>> {
    static SIZES: OnceLock<BTreeMap<String, Vec<usize>>> = OnceLock::new();
    SIZES.get_or_init(|| serde_json::from_str(include_str!("../call-sizes.json")).unwrap())
}

pub fn n32(n: u32) -> [u8; 4] {
    n.to_le_bytes()
}

pub fn n64(n: u64) -> [u8; 8] {
    n.to_le_bytes()
}

pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// A structure of `size` bytes with 32-bit numbers at offsets.
pub fn record(size: usize, fields: &[(usize, u32)]) -> Vec<u8> {
    let mut bytes = vec![0; size];
    for &(at, n) in fields {
        bytes[at..at + 4].copy_from_slice(&n32(n));
    }
    bytes
}
