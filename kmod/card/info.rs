// SPDX-License-Identifier: GPL-2.0

//! `AX650_QUERY_CARD`.

use super::{
    error::BootError,
    Card, //
};
use crate::{
    glue::{
        self,
        prelude::*,
        time, //
    },
    uapi::{
        CardInfo,
        ABI_VERSION, //
    },
    wire::state::State, //
};

impl Card {
    /// Returns what is known of the card.
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
                self.state().told()
            } as u32,
            generation: self.generation(),
            last_error: status.failure.map_or(0, |e| Error::from(e).to_errno()),
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
            heartbeat_age_ns: beat.map_or(u64::MAX, |watch| watch.age_ns(time::now())),
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

    /// Returns why the last boot or recovery has failed.
    pub(crate) fn failure(&self) -> Option<BootError> {
        self.status.lock().failure
    }
}
