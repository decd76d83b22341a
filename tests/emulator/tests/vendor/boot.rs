// SPDX-License-Identifier: MIT OR Apache-2.0

//! Firmware, crash dump, handshake and time sync [pcie 2], [pcie 3].

use std::time::{Duration, Instant};

use super::{Vendor, EFAULT, FAILED, TIMEOUT};

const CHUNK: usize = 0x30_0000;

/// Destination and content of a record of the container.
pub type Record = (u64, Vec<u8>);

/// The five images of a real container with their destinations; all but the chunked one are small.
pub fn images() -> Vec<Record> {
    let image = |len: usize, seed: u8| (0..len).map(|i| (i >> 4) as u8 ^ seed).collect();
    vec![
        (0x1400_1000, image(69_223, 1)),
        (0x1_1008_0000, image(12_178, 2)),
        (0x1_1ff1_0000, image(28_736, 3)),
        (0x1_0020_0000, image(CHUNK + 85_448, 4)),
        (0x1_4000_0000, image(2 * CHUNK, 5)),
    ]
}

impl Vendor {
    /// One transfer: nothing is cleared before it, and all-ones is success.
    fn transfer(&mut self, command: u32, source: u64, destination: u64, size: u32) -> i32 {
        for (at, value) in [
            (0x0c, source as u32),
            (0x10, (source >> 32) as u32),
            (0x14, destination as u32),
            (0x18, (destination >> 32) as u32),
            (0x1c, size),
            (0x04, command),
        ] {
            self.host.write(0, at, value);
        }
        let done = match command {
            0x10 => 0x2000,
            _ => 1,
        };
        // Without a pause, as the driver does.
        let deadline = Instant::now() + self.limit;
        while Instant::now() < deadline {
            let status = self.host.read(0, 0x08);
            if status != 0 {
                self.host.write(0, 0x08, 0);
                return if status & done != 0 { 0 } else { EFAULT };
            }
        }
        TIMEOUT
    }

    /// All records in the order of the table, then finish.
    pub fn load_firmware(&mut self, records: &[Record]) -> i32 {
        let result = self.send_records(records);
        if result == 0 {
            self.host.write(0, 0x28, 1);
        }
        result
    }

    /// All records in the order of the table.
    pub fn send_records(&mut self, records: &[Record]) -> i32 {
        for (destination, image) in records {
            let mut to = *destination;
            for chunk in image.chunks(CHUNK) {
                self.host.memory.write(self.firmware, 0, chunk);
                let bus = self.firmware.bus;
                match self.transfer(8, bus, to, chunk.len() as u32) {
                    0 => to += chunk.len() as u64,
                    error => return error,
                }
            }
        }
        0
    }

    /// What is done before record 1 if the crash dump is wanted: the boot reason, and the first
    /// `size` bytes of card memory if there is one.
    pub fn dump(&mut self, size: u64) -> Result<Option<Vec<u8>>, i32> {
        let reason = self.host.read(0, 0x24);
        self.host.write(0, 0x24, 0);
        if reason == 0 {
            return Ok(None);
        }
        let mut file = Vec::new();
        while (file.len() as u64) < size {
            let done = file.len() as u64;
            let n = (CHUNK as u64).min(size - done);
            match self.transfer(0x10, 0x1_0000_0000 + done, self.firmware.bus, n as u32) {
                0 => file.extend(self.host.memory.read(self.firmware, 0, n)),
                error => return Err(error),
            }
        }
        Ok(Some(file))
    }

    /// Handshake 0: the flag goes out before its parameters, and these are cleared as soon as the
    /// card has acknowledged.
    pub fn step0(&mut self) -> i32 {
        let acknowledged = self.poll(Duration::from_millis(8), |v| {
            v.host.write(0, 0x00, 0x1f4b);
            std::thread::sleep(v.stall);
            v.host.write64(0, 0x10, v.region.bus);
            std::thread::sleep(v.stall);
            v.host.write64(0, 0x18, v.n);
            (v.host.read(0, 0x04) == 0xa650).then_some(())
        });
        if acknowledged.is_none() {
            return FAILED;
        }
        for at in (0..32).step_by(4) {
            self.host.write(0, at, 0);
        }
        0
    }

    /// Zeroes ring-size bytes of both rings from 0x40 before their data.
    pub fn set_up_rings(&mut self) {
        for ring in [self.h2c(), self.c2h()] {
            let zeroes = vec![0; ring.size as usize];
            self.host
                .memory
                .write(self.region, ring.start - 0x40, &zeroes);
        }
    }

    /// Handshake 1.
    pub fn step1(&mut self) -> i32 {
        let there = self.poll(Duration::from_millis(8), |v| {
            (v.host.memory.get(v.region, 4) == 0xa650).then_some(())
        });
        if there.is_none() {
            return FAILED;
        }
        for at in (0..32).step_by(4) {
            self.host.memory.set(self.region, at, 0);
        }
        self.host.memory.set(self.region, 0, 0x1f4b);
        std::thread::sleep(Duration::from_millis(100));
        0
    }

    /// Tells the time and does not wait for the card.
    pub fn time_sync(&mut self) {
        self.host.memory.set64(self.region, 0x10, 1_764_000_000);
        self.host.memory.set64(self.region, 0x18, 5);
        self.host.memory.set(self.region, 0, 0x2222_2222);
    }

    /// Handshakes and time sync.
    pub fn handshake(&mut self) -> i32 {
        // Notify and heartbeat.
        for port in [11, 10] {
            self.open(port);
        }
        if self.step0() != 0 {
            return FAILED;
        }
        self.set_up_rings();
        if self.step1() != 0 {
            return FAILED;
        }
        self.time_sync();
        0
    }

    /// Everything from the first image to an alive card.
    pub fn bring_up(&mut self, records: &[Record]) -> i32 {
        match self.load_firmware(records) {
            0 => self.handshake(),
            error => error,
        }
    }
}
