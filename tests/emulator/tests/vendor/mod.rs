// SPDX-License-Identifier: MIT OR Apache-2.0

//! The vendor's host driver V3.10.2 as the notes describe it, with its orders, its widths and its
//! weaknesses: the emulated card has to satisfy it, and a fault switch has to hurt it as it is hurt.
//! Nothing here is taken from `host`, which does these things in the safe way, but accesses, memory
//! and the control socket.

#![allow(dead_code)] // no test uses all of it

mod boot;
mod messages;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use ax650_emu::card::{CardOptions, StartService};
use ax650_emu::echo::Echo;

use crate::host::{Buffer, Host};

pub use boot::{images, Record};

/// Dwords of configuration space that are saved at probe: 0x290 bytes [pcie 1.6].
const SAVED: usize = 164;
/// "-EFAULT", "-2", "-1" as the driver returns them.
pub const EFAULT: i32 = -14;
pub const TIMEOUT: i32 = -2;
pub const FAILED: i32 = -1;

/// The driver with one card.
pub struct Vendor {
    pub host: Host,
    /// The card's bus number, which is its device id.
    pub bus: u32,
    saved: [u32; SAVED],
    /// The interrupt as the kernel has set it: address, data, mask.
    live_msi: [u32; 4],
    /// The coherent memory of both rings.
    pub region: Buffer,
    /// N.
    pub n: u64,
    firmware: Buffer,
    /// Received messages by port; ports without an entry are closed.
    pub queues: BTreeMap<u32, VecDeque<Vec<u8>>>,
    used_ports: BTreeSet<u32>,
    /// Messages for a device id that nobody has.
    pub unknown_sender: u32,
    /// The receive thread has run past the write pointer: it would read for ever.
    pub runaway: bool,
    last_stamp: u32,
    /// How long to wait for a boot status, a reply on port 11 and an acknowledge.
    pub limit: Duration,
    /// Time between the three writes of step 0, in which the processor is elsewhere.
    pub stall: Duration,
}

impl Vendor {
    /// Loads the module: a card with an echo at bus `bus`.
    pub fn probe(options: CardOptions, bus: u32) -> Self {
        Self::probe_with(options, bus, Box::new(Echo::start))
    }

    /// The same with any service.
    pub fn probe_with(options: CardOptions, bus: u32, service: StartService) -> Self {
        let mut host = Host::with(options, service);
        // What the machine's firmware leaves: addresses, and nothing enabled.
        host.listen(false);
        host.bus_reset();
        let bars = [
            (0x10, 0xe000_0000),
            (0x14, 0xe080_0000),
            (0x20, 0xe090_0000),
            (0x24, 0),
        ];
        for (at, value) in bars {
            host.config_write(at, value);
        }
        host.config_write(0x0c, 0x10);
        let region = host.memory.take(0x40_0000);
        let firmware = host.memory.take(0x30_0000);
        // A BAR4 of 16 MiB is made 1 MiB before anything is enabled; what says its size is Resizable
        // BAR's first entry.
        let control = host.config_read(0x280);
        if control & 0x3f00 != 0 {
            assert_ne!(host.config_read(0x27c) & 0x10, 0, "1 MiB is offered");
            host.config_write(0x280, control & !0x3f00);
            host.config_write(0x20, 0xe090_0000);
        }
        let mut vendor = Self {
            host,
            bus,
            saved: [0; SAVED],
            live_msi: [0; 4],
            region,
            n: 0x40_0000,
            firmware,
            queues: BTreeMap::new(),
            used_ports: BTreeSet::new(),
            unknown_sender: 0,
            runaway: false,
            last_stamp: 0,
            limit: Duration::from_secs(20),
            stall: Duration::ZERO,
        };
        vendor.enable();
        vendor
    }

    /// Enables the function and takes one vector of four; saves configuration space when the vector
    /// is there and not yet in use.
    fn enable(&mut self) {
        let host = &mut self.host;
        assert_eq!(host.config_read(0x00), 0x0650_1f4b);
        assert_eq!(host.config_read(0x2c), 0x0650_1f4b, "V3 matches these");
        let command = host.config_read(0x04) & 0xffff;
        host.config_write(0x04, command | 2);
        host.config_write(0x04, command | 6);
        assert_eq!((host.config_read(0x50) >> 17) & 7, 2, "4 vectors");
        host.config_write(0x60, 0xf);
        host.config_write(0x54, 0xfee0_0000);
        host.config_write(0x58, 0);
        host.config_write(0x5c, 0xef);
        let control = host.config_read(0x50);
        host.config_write(0x50, (control & !0x0070_0000) | 0x0001_0000);
        for (i, dword) in self.saved.iter_mut().enumerate() {
            *dword = host.config_read(4 * i as u64);
        }
        host.listen(true);
        self.live_msi = [0xfee0_1000, 0, 0x24, 0xe];
        self.restore_live_msi();
    }

    /// Sets the interrupt by hand to what the kernel has in mind.
    pub fn restore_live_msi(&mut self) {
        for (i, value) in self.live_msi.into_iter().enumerate() {
            self.host.config_write(0x54 + 4 * i as u64, value);
        }
    }

    /// The reset of [pcie 2.9] with the restore of 1.6.
    pub fn reset(&mut self) {
        self.host.write(4, 0x50, 1);
        std::thread::sleep(Duration::from_millis(1000));
        for (i, dword) in self.saved.into_iter().enumerate() {
            self.host.config_write(4 * i as u64, dword);
        }
        // Resizable BAR: BAR4 is 1 MiB, and BAR5 is no resource of its own.
        for at in [0x280, 0x288] {
            let control = self.host.config_read(at);
            self.host.config_write(at, control & !0x3f00);
        }
        self.used_ports.clear();
    }

    /// The reboot ioctl.
    pub fn reboot(&mut self, records: &[Record]) -> i32 {
        self.reset();
        self.bring_up(records)
    }

    /// Unloads the modules: resets the card and gives the function back.
    pub fn unload(&mut self) {
        self.reset();
        self.queues.clear();
        let host = &mut self.host;
        host.config_write(0x60, 0xf);
        let control = host.config_read(0x50);
        host.config_write(0x50, control & !0x0001_0000);
        host.listen(false);
        let command = host.config_read(0x04) & 0xffff;
        host.config_write(0x04, command & !4);
    }

    /// Loads the modules again.
    pub fn load_modules(&mut self, records: &[Record]) -> i32 {
        self.enable();
        self.bring_up(records)
    }

    /// One look of the heartbeat watcher: true if the stamp has changed since the last one.
    pub fn beat(&mut self) -> bool {
        let stamp = self.host.memory.get(self.region, 8);
        let fresh = stamp != self.last_stamp;
        self.last_stamp = stamp;
        if fresh {
            self.host.memory.set(self.region, 12, stamp);
        }
        fresh
    }

    /// Polls like the driver, with its sleep.
    fn poll<T>(
        &mut self,
        step: Duration,
        mut look: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + self.limit;
        loop {
            if let Some(value) = look(self) {
                return Some(value);
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(step);
        }
    }
}
