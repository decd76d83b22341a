// SPDX-License-Identifier: GPL-2.0

//! Booting a card that is in its loader: the firmware file, its check, its way to the card [pcie 3].

use super::{
    error::BootError,
    known,
    load::{
        Load,
        Sum, //
    },
    status::put_text,
    Card, //
};
use crate::{
    glue::{
        digest,
        firmware::Firmware,
        pci,
        prelude::*,
        time::Instant, //
    },
    wire::{
        boot::{
            FINISH,
            REASON, //
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

/// A firmware file that may be sent.
pub(super) struct Checked {
    firmware: Firmware,
    /// If it was known before.
    sha256: Option<[u8; 32]>,
}

impl Card {
    /// Reads the firmware file and checks it.  The card's registers are not touched: it may be on its way
    /// through a reset.
    ///
    /// # Errors
    ///
    /// Those of the file, which are final; `Interrupted`.
    pub(super) fn read_firmware(&self) -> Result<Checked, BootError> {
        // Whoever wants to sleep need not wait for the sums.
        self.check_stopping()?;
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
        self.check_stopping()?;
        let sha256 = self.check(firmware.data())?;
        Ok(Checked { firmware, sha256 })
    }

    /// Checks a container before a byte of it reaches the card: the loader starts the first image as soon as it
    /// has read it.
    ///
    /// Returns the SHA-256 of one that is known.  Its own digest would say nothing new of it.
    fn check(&self, bytes: &[u8]) -> Result<Option<[u8; 32]>, BootError> {
        let refused = |error: ContainerError| {
            dev_err!(self.pdev, "firmware {}: {}\n", FIRMWARE, error);
            BootError::BadFirmware
        };
        let container = Container::parse(bytes).map_err(refused)?;
        let known = self.recognise(bytes)?;
        match known {
            Some(_) => self.status.lock().known_files += 1,
            None => container.verify(digest::md5).map_err(refused)?,
        }
        Ok(known)
    }

    /// Returns the SHA-256 of a container that has passed before, for this card or another.
    fn recognise(&self, bytes: &[u8]) -> Result<Option<[u8; 32]>, BootError> {
        if !known::has_length(bytes.len()) {
            return Ok(None);
        }
        let mut tag = known::tag();
        for piece in bytes.chunks(known::PIECE) {
            self.check_stopping()?;
            tag.update(piece);
        }
        Ok(known::sha256(bytes.len(), tag.finish()))
    }

    /// Makes the rest of a container's digests, and remembers it.
    fn finish(&self, mut sum: Sum<'_>, bytes: &[u8]) -> Result<[u8; 32], BootError> {
        while sum.step() {
            self.check_stopping()?;
        }
        let (sha256, tag) = sum.finish();
        known::remember(bytes.len(), tag, sha256);
        Ok(sha256)
    }

    /// Boots the card, which is in its loader: firmware, handshake, time.
    ///
    /// # Errors
    ///
    /// Those of a card that does not take it; `Gone`; `Interrupted`.
    pub(super) fn boot(&self, checked: Checked) -> Result<(), BootError> {
        let start = Instant::now();
        let bytes = checked.firmware.data();
        let container = Container::parse(bytes).map_err(|_| BootError::BadFirmware)?;
        {
            let mut status = self.status.lock();
            status.firmware_sha256 = [0; 32];
            put_text(&mut status.firmware_file, container.version().as_bytes());
            // What the firmware of the last boot said of itself.
            status.firmware_version = [0; 64];
            status.chip = [0; 32];
            status.uid = 0;
            status.boot_done = 0;
            status.boot_total = container.image_bytes();
        }
        if !self.set_state(State::Booting) {
            return Err(BootError::Gone);
        }
        pci::set_master(&self.pdev);
        let mut sum = checked.sha256.is_none().then(|| Sum::new(bytes));
        Load::new(self, sum.as_mut()).send(&container)?;
        // Nothing of the firmware, or of an earlier life of the rings, may look like a message.
        self.link.region.zero(0, self.link.region.size())?;
        FINISH::zeroed().with(FINISH::START, true).write(self)?;
        if !self.set_state(State::Handshake) {
            return Err(BootError::Gone);
        }
        // What there was no time for; the card's Linux takes some to start.
        let sha256 = match sum {
            Some(sum) => Some(self.finish(sum, bytes)?),
            None => checked.sha256,
        };
        self.status.lock().firmware_sha256 = sha256.unwrap_or_default();
        drop(checked);
        self.shake_hands()?;
        self.status.lock().boot_time = start.elapsed();
        Ok(())
    }

    /// Returns how often a file was sent that was known from before.
    pub(crate) fn known_files(&self) -> u64 {
        self.status.lock().known_files
    }

    /// Logs why the chip was started [pcie 3.7]; U-Boot runs by now.
    pub(super) fn look_at_boot_reason(&self) -> Result {
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
