// SPDX-License-Identifier: MIT OR Apache-2.0

//! Firmware, handshake and time sync as the host does them [pcie 2.4] to [pcie 2.7], [pcie 3.4].

use std::time::{Duration, Instant};

use super::{eventually, Buffer, Host, Shared};

pub const CHUNK: usize = 0x30_0000;
pub const REGION: u64 = 0x40_0000;

/// What a boot command came to.
#[derive(Debug, PartialEq, Eq)]
pub enum BootError {
    /// The status showed this.
    Status(u32),
    /// The status stayed 0.
    Timeout,
}

impl Host {
    /// Posts one boot command and waits for its status.
    pub fn boot_command(
        &mut self,
        command: u32,
        source: u64,
        destination: u64,
        size: u32,
        limit: Duration,
    ) -> Result<u32, BootError> {
        self.write(0, 0x08, 0);
        self.write(0, 0x0c, source as u32);
        self.write(0, 0x10, (source >> 32) as u32);
        self.write(0, 0x14, destination as u32);
        self.write(0, 0x18, (destination >> 32) as u32);
        self.write(0, 0x1c, size);
        self.write(0, 0x04, command);
        let deadline = Instant::now() + limit;
        loop {
            match self.read(0, 0x08) {
                0 if Instant::now() > deadline => return Err(BootError::Timeout),
                0 => std::thread::sleep(Duration::from_micros(100)),
                status => {
                    self.write(0, 0x08, 0);
                    return Ok(status);
                }
            }
        }
    }

    /// Sends one image in chunks.
    pub fn send_image(
        &mut self,
        buffer: Buffer,
        destination: u64,
        image: &[u8],
    ) -> Result<(), BootError> {
        for (i, chunk) in image.chunks(CHUNK).enumerate() {
            self.memory.write(buffer, 0, chunk);
            let at = destination + (i * CHUNK) as u64;
            let limit = Duration::from_secs(6);
            match self.boot_command(8, buffer.bus, at, chunk.len() as u32, limit)? {
                1 => {}
                status => return Err(BootError::Status(status)),
            }
        }
        Ok(())
    }

    /// Sends all images and finishes.
    pub fn load(&mut self, images: &[(u64, Vec<u8>)]) -> Result<(), BootError> {
        let buffer = self.memory.take(CHUNK as u64);
        for (destination, image) in images {
            self.send_image(buffer, *destination, image)?;
        }
        self.write(0, 0x28, 1);
        Ok(())
    }

    /// Handshake step 0, in the safe order.  If BAR0 changed hands between the parameters and the
    /// flag, the card would see the flag alone: so this waits until the finish bit is gone, which
    /// tells that the boot block is.
    pub fn step0(&mut self, base: u64, size: u64) {
        eventually("the swap of BAR0", || {
            (self.read(0, 0x28) == 0).then_some(())
        });
        eventually("step 0", || {
            self.write64(0, 0x10, base);
            self.write64(0, 0x18, size);
            self.write(0, 0x00, 0x1f4b);
            (self.read(0, 0x04) == 0xa650).then_some(())
        });
    }

    /// Handshake up to the cleared control page.
    pub fn handshake(&mut self) {
        let region = self.memory.take(REGION);
        self.memory.write(region, 0, &vec![0; REGION as usize]);
        self.step0(region.bus, region.len);
        let memory = &self.memory;
        eventually("step 1", || (memory.get(region, 4) == 0xa650).then_some(()));
        memory.write(region, 0, &[0; 32]);
        memory.set(region, 0, 0x1f4b);
        // The card's own clear marks the end of the step; the host of the notes sleeps 100 ms.
        eventually("the end of step 1", || {
            (memory.get(region, 0) == 0).then_some(())
        });
        memory.set64(region, 0x10, 1_700_000_000);
        memory.set64(region, 0x18, 123_456_789);
        memory.set(region, 0, 0x2222_2222);
        eventually("time sync", || {
            (memory.get(region, 0) != 0x2222_2222).then_some(())
        });
        self.shared = Some(Shared::new(region));
    }

    /// Two small images, handshake, alive.
    pub fn bring_up(&mut self) {
        self.load(&[(0x1400_1000, vec![1; 4096]), (0x1_0020_0000, vec![2; 4096])])
            .unwrap();
        self.handshake();
        self.wait_state("alive");
    }
}
