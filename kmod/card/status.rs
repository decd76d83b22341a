// SPDX-License-Identifier: GPL-2.0

//! What is known of a card, for `AX650_QUERY_CARD` and sysfs.

use super::Card;
use crate::{
    abi::types::{CardInfo, ABI_VERSION},
    glue::{
        self,
        time::{Delta, Instant, Moment},
    },
    wire::{heartbeat::Watch, state::State},
};

/// Facts about a card.
pub(crate) struct Status {
    pub(super) state: State,
    /// How often the card was lost on the bus since it last ran.
    pub(super) losses: u32,
    /// Negative errno of the last failed boot or recovery.
    pub(super) last_error: i32,
    pub(super) boot_done: u64,
    pub(super) boot_total: u64,
    pub(super) boot_time: Delta,
    pub(super) boot_reason: u32,
    /// Version field of the container that was sent.
    pub(super) firmware_file: [u8; 32],
    pub(super) firmware_sha256: [u8; 32],
    /// What the card says.
    pub(super) firmware_version: [u8; 64],
    pub(super) chip: [u8; 32],
    pub(super) uid: u64,
    pub(super) watch: Option<Watch>,
    pub(super) heartbeat_id: u32,
    pub(super) heartbeat_interval: u32,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            state: State::Absent,
            losses: 0,
            last_error: 0,
            boot_done: 0,
            boot_total: 0,
            boot_time: Delta::ZERO,
            boot_reason: 0,
            firmware_file: [0; 32],
            firmware_sha256: [0; 32],
            firmware_version: [0; 64],
            chip: [0; 32],
            uid: 0,
            watch: None,
            heartbeat_id: 0,
            heartbeat_interval: 0,
        }
    }
}

/// Copies text into a NUL padded field.
pub(super) fn put_text<const N: usize>(field: &mut [u8; N], text: &[u8]) {
    *field = [0; N];
    for (to, from) in field.iter_mut().zip(text) {
        *to = *from;
    }
}

impl Card {
    /// All of it.
    pub(crate) fn info(&self) -> CardInfo {
        let (domain, location) = glue::pci::location(&self.pdev);
        let gone = self.is_gone();
        let (speed, width) = if gone || self.state() == State::Resetting {
            (0, 0)
        } else {
            glue::pci::link(&self.pdev)
        };
        let ids = glue::pci::ids(&self.pdev);
        let status = self.status.lock();
        let beat = status.watch.as_ref().filter(|watch| watch.seen());
        CardInfo {
            abi_version: ABI_VERSION,
            state: if gone {
                State::Gone
            } else {
                status.state.told()
            } as u32,
            generation: self.generation(),
            last_error: status.last_error,
            pci_domain: domain,
            pci_bus: (location >> 8) as u16,
            pci_devfn: (location & 0xff) as u16,
            vendor: ids.vendor,
            device: ids.device,
            subsystem_vendor: ids.subsystem_vendor,
            subsystem_device: ids.subsystem_device,
            link_speed_mtps: speed,
            link_width: width,
            card_id: status.heartbeat_id,
            heartbeat_interval_ms: status.heartbeat_interval,
            heartbeat_age_ns: beat.map_or(u64::MAX, |watch| watch.age_ns(Instant::now().nanos())),
            boot_bytes_done: status.boot_done,
            boot_bytes_total: status.boot_total,
            boot_time_ns: status.boot_time.as_nanos() as u64,
            boot_reason: status.boot_reason,
            reserved: 0,
            firmware_version: status.firmware_version,
            firmware_file: status.firmware_file,
            firmware_sha256: status.firmware_sha256,
            chip: status.chip,
            uid: status.uid,
        }
    }
}
