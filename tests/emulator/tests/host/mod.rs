// SPDX-License-Identifier: MIT OR Apache-2.0

//! The host's side of the protocol, in process: memory in a memfd, BAR accesses as calls of the
//! vfio-user backend.  Written apart from the card's side, from the same protocol notes.

#![allow(dead_code, unused_imports)] // no test program uses all of it

mod boot;
mod memory;
mod rings;

use std::fs::File;
use std::io::Read;
use std::os::fd::FromRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ax650_emu::card::{Card, CardOptions, StartService};
use ax650_emu::control::{self, Context};
use ax650_emu::echo::Echo;
use ax650_emu::lifecycle::Power;
use ax650_emu::pci::Backend;
use serde_json::{json, Value};
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD, VFIO_IRQ_SET_DATA_NONE,
    VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_MSI_IRQ_INDEX,
};
use vfio_user::{DmaMapFlags, DmaUnmapFlags, ServerBackend};

pub use boot::BootError;
pub use memory::{Buffer, Memory};
pub use rings::{Message, SendError, Shared};

/// Bus address of the host's memory: above 4 GiB, so that no half of an address gets lost.
pub const BUS: u64 = 0x3_4000_0000;
/// How long anything may take here; the machine may be busy.
pub const LIMIT: Duration = Duration::from_secs(20);

pub const COMMAND: u64 = 0x04;
pub const MSI: u64 = 0x50;

/// A host with a card.
pub struct Host {
    pub card: Arc<Card>,
    pub memory: Memory,
    backend: Backend,
    msi: File,
    context: Context,
    reset_offset: u64,
    /// Set by [`Host::handshake`].
    pub shared: Option<Shared>,
    _power: Power,
}

/// Options that keep tests quick.
pub fn quick() -> CardOptions {
    CardOptions {
        card_id: Some(3),
        memory: 2 << 30,
        boot_delay: Duration::from_millis(30),
        reset_time: Duration::from_millis(50),
        ..CardOptions::default()
    }
}

/// Waits until `ready` gives a value.
pub fn eventually<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}: not in {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Host {
    /// A host that has found the card and enabled it; the card's service is an echo.
    pub fn new(options: CardOptions) -> Self {
        Self::with(options, Box::new(Echo::start))
    }

    /// The same with any service.
    pub fn with(options: CardOptions, service: StartService) -> Self {
        let reset_offset = match options.bar4.size() {
            0x10_0000 => 0x50,
            _ => 0x20_0050,
        };
        let card = Card::new(options, service).unwrap();
        let power = card.power_on().unwrap();
        let memory = Memory::new(64 << 20, BUS);
        // SAFETY: a fresh file descriptor, checked by `from_raw_fd` users below.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        assert!(fd >= 0);
        // SAFETY: `fd` is open and nobody else's.
        let msi = unsafe { File::from_raw_fd(fd) };
        let mut host = Self {
            backend: Backend::new(card.clone()),
            context: Context {
                card: card.clone(),
                socket: None,
                quit: Box::new(|| {}),
            },
            card,
            memory,
            msi,
            reset_offset,
            shared: None,
            _power: power,
        };
        host.map(BUS, 64 << 20, 0);
        host.wait_state("loader");
        host.enable();
        host
    }

    /// Sets BARs, D0, COMMAND and MSI.
    pub fn enable(&mut self) {
        for (at, value) in [
            (0x10, 0xe000_0000),
            (0x14, 0xe100_0000),
            (0x20, 0xe200_0000),
        ] {
            self.config_write(at, value);
        }
        self.config_write(0x24, 0x12);
        self.config_write(0x44, 0);
        self.config_write(COMMAND, 6);
        self.listen(true);
        self.config_write(MSI + 4, 0xfee0_0000);
        self.config_write(MSI + 12, 0x41);
        self.config_write(MSI, 0x0001_0000);
    }

    pub fn map(&mut self, bus: u64, size: u64, offset: u64) {
        let file = self.memory.file();
        self.backend
            .dma_map(DmaMapFlags::READ_WRITE, offset, bus, size, Some(file))
            .unwrap();
    }

    pub fn unmap(&mut self, bus: u64, size: u64) {
        self.backend
            .dma_unmap(DmaUnmapFlags::empty(), bus, size)
            .unwrap();
    }

    pub fn bus_reset(&mut self) {
        self.backend.reset().unwrap();
    }

    pub fn disconnect(&mut self) {
        self.backend.disconnected();
    }

    pub fn config_read(&mut self, at: u64) -> u32 {
        let mut data = [0; 4];
        self.backend
            .region_read(VFIO_PCI_CONFIG_REGION_INDEX, at, &mut data)
            .unwrap();
        u32::from_le_bytes(data)
    }

    pub fn config_write(&mut self, at: u64, value: u32) {
        self.backend
            .region_write(VFIO_PCI_CONFIG_REGION_INDEX, at, &value.to_le_bytes())
            .unwrap();
    }

    pub fn read(&mut self, bar: u32, at: u64) -> u32 {
        let mut data = [0; 4];
        self.backend.region_read(bar, at, &mut data).unwrap();
        u32::from_le_bytes(data)
    }

    pub fn write(&mut self, bar: u32, at: u64, value: u32) {
        self.backend
            .region_write(bar, at, &value.to_le_bytes())
            .unwrap();
    }

    pub fn write64(&mut self, bar: u32, at: u64, value: u64) {
        self.backend
            .region_write(bar, at, &value.to_le_bytes())
            .unwrap();
    }

    pub fn raw_read(&mut self, region: u32, at: u64, data: &mut [u8]) {
        self.backend.region_read(region, at, data).unwrap();
    }

    pub fn raw_write(&mut self, region: u32, at: u64, data: &[u8]) {
        self.backend.region_write(region, at, data).unwrap();
    }

    /// Writes the chip's reset register.
    pub fn chip_reset(&mut self) {
        self.write(4, self.reset_offset, 1);
        self.shared = None;
    }

    /// Takes the function's interrupt away, or gives it back.
    pub fn listen(&mut self, on: bool) {
        let (flags, fds) = match on {
            true => (
                VFIO_IRQ_SET_DATA_EVENTFD,
                vec![self.msi.try_clone().unwrap()],
            ),
            false => (VFIO_IRQ_SET_DATA_NONE, vec![]),
        };
        self.backend
            .set_irqs(
                VFIO_PCI_MSI_IRQ_INDEX,
                VFIO_IRQ_SET_ACTION_TRIGGER | flags,
                0,
                u32::from(on),
                fds,
            )
            .unwrap();
    }

    /// Interrupts that have come since the last look.
    pub fn interrupts(&mut self) -> u64 {
        let mut count = [0; 8];
        match self.msi.read(&mut count) {
            Ok(8) => u64::from_ne_bytes(count),
            _ => 0,
        }
    }

    /// A command of the control socket that must succeed.
    pub fn control(&self, request: Value) -> Value {
        let reply = self.try_control(request.clone());
        assert_eq!(reply["ok"], true, "{request}: {reply}");
        reply
    }

    /// A command of the control socket.
    pub fn try_control(&self, request: Value) -> Value {
        control::answer(&self.context, request.to_string().as_bytes())
    }

    pub fn set(&self, switch: &str, value: impl Into<Value>) {
        self.control(json!({"cmd": "set", "switch": switch, "value": value.into()}));
    }

    pub fn clear(&self, switch: &str) {
        self.control(json!({"cmd": "clear", "switch": switch}));
    }

    pub fn counter(&self, name: &str) -> u64 {
        self.card.counters.get(name)
    }

    pub fn state(&self) -> Value {
        self.control(json!({"cmd": "state"}))["state"].clone()
    }

    pub fn wait_state(&self, state: &str) {
        self.control(json!({"cmd": "wait-state", "state": state, "timeout_ms": 20_000}));
    }

    /// DMA faults so far.
    pub fn faults(&self) -> Value {
        self.control(json!({"cmd": "faults"}))["faults"].clone()
    }

    pub fn assert_no_faults(&self) {
        let faults = self.faults();
        assert_eq!(faults["total"], 0, "{faults:#}");
        assert_eq!(
            self.counter("refused"),
            0,
            "{}",
            self.card.counters.snapshot(false)
        );
    }
}
