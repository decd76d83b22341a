// SPDX-License-Identifier: GPL-2.0

//! Sending the firmware: the card reads it by DMA, piece by piece [pcie 3.2] to [pcie 3.6].

use kernel::{firmware::Firmware, prelude::*};

use super::{error::BootError, status::put_text, Card};
use crate::{
    glue::{
        pci, shim,
        time::{self, MS},
    },
    wire::{
        boot::{
            self, reason_name, Status, CHUNK, CHUNK_TIMEOUT_MS, COMMAND, COMMAND_READ,
            DESTINATION_HIGH, DESTINATION_LOW, FINISH, FINISH_START, REASON, SIZE, SOURCE_HIGH,
            SOURCE_LOW, STATUS,
        },
        container::{Container, ContainerError},
        state::State,
    },
};

/// Where users have the firmware.
pub(crate) const FIRMWARE: &CStr = c"axcl/ax650_card.pac";

/// Between looks at the status register: a chunk takes some 10 ms on the real link.
const POLL_US: u32 = 200;

impl Card {
    /// Boots the card, which is in its loader: firmware, handshake, time.
    pub(super) fn boot(&self) -> Result<(), BootError> {
        let start = time::now();
        if !self.set_state(State::Loader) {
            return Err(BootError::Gone);
        }
        let firmware = Firmware::request(FIRMWARE, self.pdev.as_ref()).inspect_err(|e| {
            dev_err!(self.pdev, "firmware {}: {:?}\n", FIRMWARE, e);
        });
        let firmware = firmware.map_err(|e| match e {
            e if e == ENOENT => BootError::NoFirmware,
            // Nobody has it in a form that could be read: nor would the next attempt.
            e if e == EINVAL => BootError::BadFirmware,
            e if e == EFBIG => BootError::TooLarge,
            e => BootError::Other(e),
        })?;
        let container = self.check(firmware.data())?;
        if !self.set_state(State::Booting) {
            return Err(BootError::Gone);
        }
        pci::set_master(&self.pdev);
        self.send(&container)?;
        // Nothing of the firmware, or of an earlier life of the rings, may look like a message.
        self.link.region.zero(0, self.link.region.size())?;
        self.write_boot(FINISH, FINISH_START)?;
        drop(firmware);
        self.shake_hands()?;
        self.status.lock().boot_time = time::now().saturating_sub(start);
        Ok(())
    }

    /// Checks the container before a byte of it reaches the card.
    fn check<'a>(&self, bytes: &'a [u8]) -> Result<Container<'a>, BootError> {
        let refused = |error: ContainerError| {
            dev_err!(self.pdev, "firmware {}: {}\n", FIRMWARE, error);
            BootError::BadFirmware
        };
        let container = Container::parse(bytes).map_err(refused)?;
        container.verify(shim::md5).map_err(refused)?;
        let sha256 = shim::sha256(bytes);
        let mut status = self.status.lock();
        status.firmware_sha256 = sha256;
        put_text(&mut status.firmware_file, container.version().as_bytes());
        // What the firmware of the last boot said of itself.
        status.firmware_version = [0; 64];
        status.chip = [0; 32];
        status.uid = 0;
        status.boot_done = 0;
        status.boot_total = container.image_bytes();
        Ok(container)
    }

    fn send(&self, container: &Container<'_>) -> Result<(), BootError> {
        for (index, record) in container.records().enumerate() {
            let size = (self.link.region.size() as u32).min(CHUNK) as usize;
            // The loader jumps after its first read, so the first image must go in one piece.
            if index == 0 && record.image.len() > size {
                dev_err!(
                    self.pdev,
                    "firmware: {} has {} bytes, but only {} can be sent at once\n",
                    record.id,
                    record.image.len(),
                    size
                );
                return Err(BootError::TooLarge);
            }
            if index == 1 {
                self.look_at_boot_reason()?;
            }
            let mut to = record.destination;
            for chunk in record.image.chunks(size) {
                self.send_chunk(chunk, to).inspect_err(|e| {
                    dev_err!(self.pdev, "firmware: {} at {:#x}: {:?}\n", record.id, to, e);
                })?;
                to = to.wrapping_add(chunk.len() as u64);
                self.status.lock().boot_done += chunk.len() as u64;
            }
        }
        Ok(())
    }

    /// Has the card read one chunk.
    fn send_chunk(&self, chunk: &[u8], to: u64) -> Result<(), BootError> {
        self.link.region.copy_in(0, chunk)?;
        let from = self.link.region.bus();
        // A result left over from before must not be taken for this one's.
        self.write_boot(STATUS, 0)?;
        self.write_boot(SOURCE_LOW, from as u32)?;
        self.write_boot(SOURCE_HIGH, (from >> 32) as u32)?;
        self.write_boot(DESTINATION_LOW, to as u32)?;
        self.write_boot(DESTINATION_HIGH, (to >> 32) as u32)?;
        self.write_boot(SIZE, chunk.len() as u32)?;
        // Register writes are ordered after the copy into DMA memory.
        self.write_boot(COMMAND, COMMAND_READ)?;
        let deadline = time::now() + u64::from(CHUNK_TIMEOUT_MS) * MS;
        loop {
            time::sleep_us(POLL_US);
            let status = Status::of_read(self.read_boot(STATUS)?);
            match status {
                Status::Pending => {}
                // A result while the command stands is not that of the command.
                Status::Done if self.read_boot(COMMAND)? != 0 => self.write_boot(STATUS, 0)?,
                Status::Done => return Ok(self.write_boot(STATUS, 0)?),
                Status::Failed(bits) => {
                    dev_err!(self.pdev, "firmware: the card reports {}\n", bits);
                    self.write_boot(STATUS, 0)?;
                    return Err(BootError::ChunkFailed);
                }
                // The card is there, so its registers are not where they were.
                Status::Gone => return Err(BootError::Other(EIO)),
            }
            if time::now() > deadline {
                return Err(BootError::ChunkTimeout);
            }
            if self.stopping() {
                return Err(BootError::Interrupted);
            }
        }
    }

    /// Why the chip was started [pcie 3.7]; U-Boot runs by now.
    fn look_at_boot_reason(&self) -> Result {
        let reason = self.read_boot(REASON)?;
        self.write_boot(REASON, 0)?;
        self.status.lock().boot_reason = reason;
        if reason & !boot::REASON_SOFTWARE != 0 {
            dev_warn!(
                self.pdev,
                "started because of: {} ({:#x})\n",
                reason_name(reason),
                reason
            );
        }
        Ok(())
    }
}
