// SPDX-License-Identifier: GPL-2.0

//! Sending the firmware: the card reads it by DMA, piece by piece [pcie 3.2] to [pcie 3.6].

use super::{
    error::BootError,
    status::put_text,
    Card, //
};
use crate::{
    glue::{
        firmware::Firmware,
        pci,
        prelude::*,
        shim,
        time::{
            self,
            fsleep,
            Delta,
            Instant, //
        }, //
    },
    wire::{
        boot::{
            Status,
            CHUNK,
            CHUNK_TIMEOUT_MS,
            COMMAND,
            DESTINATION_HIGH,
            DESTINATION_LOW,
            FINISH,
            REASON,
            SIZE,
            SOURCE_HIGH,
            SOURCE_LOW,
            STATUS, //
        },
        container::{
            Container,
            ContainerError, //
        },
        register::{
            FixedRegister,
            Register, //
        },
        state::State, //
    }, //
};

/// Where users have the firmware.
pub(crate) const FIRMWARE: &CStr = c"axcl/ax650_card.pac";

/// Between looks at the status register: a chunk takes some 10 ms on the real link.
const POLL: Delta = Delta::from_micros(200);

// TIMEOUT: what [pcie 3.4] gives the card for a chunk, hundreds of times what it takes.
const CHUNK_TIMEOUT: Delta = Delta::from_millis(CHUNK_TIMEOUT_MS as i64);

impl Card {
    /// Boots the card, which is in its loader: firmware, handshake, time.
    ///
    /// # Errors
    ///
    /// Those of the firmware file, which are final; those of a card that does not take it; `Gone`; `Interrupted`.
    pub(super) fn boot(&self) -> Result<(), BootError> {
        let start = Instant::now();
        if !self.set_state(State::Loader) {
            return Err(BootError::Gone);
        }
        let firmware = Firmware::request(FIRMWARE).inspect_err(|e| {
            dev_err!(self.pdev, "firmware {}: {:?}\n", FIRMWARE, e);
        });
        let firmware = firmware.map_err(|e| match e {
            e if e == ENOENT => BootError::NoFirmware,
            // Nobody has it in a form that could be read: nor would the next attempt.
            e if e == EINVAL => BootError::BadFirmware,
            e if e == EFBIG => BootError::TooLarge,
            e => BootError::Other(e),
        })?;
        // Whoever wants to sleep need not wait for the sums.
        self.check_stopping()?;
        let container = self.check(firmware.data())?;
        if !self.set_state(State::Booting) {
            return Err(BootError::Gone);
        }
        pci::set_master(&self.pdev);
        self.send(&container)?;
        // Nothing of the firmware, or of an earlier life of the rings, may look like a message.
        self.link.region.zero(0, self.link.region.size())?;
        FINISH::zeroed().with(FINISH::START, true).write(self)?;
        drop(firmware);
        self.shake_hands()?;
        self.status.lock().boot_time = start.elapsed();
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
    ///
    /// # Errors
    ///
    /// `ChunkTimeout` no answer; `ChunkFailed` the card says that it failed; `Other(EIO)` there are no registers;
    /// `Other(ENODEV)` there is no card; `Interrupted` the thread shall stop.
    fn send_chunk(&self, chunk: &[u8], to: u64) -> Result<(), BootError> {
        self.link.region.copy_in(0, chunk)?;
        let from = self.link.region.bus();
        // A result left over from before must not be taken for this one's.
        STATUS::zeroed().write(self)?;
        SOURCE_LOW::from(from as u32).write(self)?;
        SOURCE_HIGH::from((from >> 32) as u32).write(self)?;
        DESTINATION_LOW::from(to as u32).write(self)?;
        DESTINATION_HIGH::from((to >> 32) as u32).write(self)?;
        SIZE::from(chunk.len() as u32).write(self)?;
        // Register writes are ordered after the copy into DMA memory.
        COMMAND::zeroed().with(COMMAND::READ, true).write(self)?;
        fsleep(POLL);
        time::poll(POLL, CHUNK_TIMEOUT, || {
            match Status::of_read(STATUS::read(self)?) {
                Status::Pending => {}
                // A result while the command stands is not that of the command.
                Status::Done if COMMAND::read(self)? != COMMAND::zeroed() => {
                    STATUS::zeroed().write(self)?;
                }
                Status::Done => {
                    STATUS::zeroed().write(self)?;
                    return Ok(Some(()));
                }
                Status::Failed(bits) => {
                    dev_err!(self.pdev, "firmware: the card reports {}\n", bits);
                    STATUS::zeroed().write(self)?;
                    return Err(BootError::ChunkFailed);
                }
                // The card is there, so its registers are not where they were.
                Status::Gone => return Err(BootError::Other(EIO)),
            }
            self.check_stopping()?;
            Ok(None)
        })?
        .ok_or(BootError::ChunkTimeout)
    }

    /// Logs why the chip was started [pcie 3.7]; U-Boot runs by now.
    fn look_at_boot_reason(&self) -> Result {
        let reason = REASON::read(self)?;
        REASON::zeroed().write(self)?;
        let raw = reason.into();
        self.status.lock().boot_reason = raw;
        if reason.is_unexpected() {
            dev_warn!(
                self.pdev,
                "started because of: {} ({:#x})\n",
                reason.name(),
                raw
            );
        }
        Ok(())
    }
}
