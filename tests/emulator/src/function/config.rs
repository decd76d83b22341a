// SPDX-License-Identifier: MIT OR Apache-2.0

//! Configuration space of the function [pcie 1].

use super::capabilities::{
    Image, BAR0, BAR1, BAR4, BAR5, COMMAND, CONFIG_SIZE, EXPRESS, MSI, PM, REBAR,
};
use super::{BAR0_SIZE, BAR1_SIZE};

/// Size of BAR4 that the card's loader leaves behind [pcie 1.2].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bar4 {
    /// 1 MiB.
    Small,
    /// 16 MiB, which Resizable BAR can make 1 MiB.
    Large,
}

impl Bar4 {
    /// Bytes.
    pub fn size(self) -> u64 {
        1 << (20 + self.log2_mib())
    }

    /// As in the size field of Resizable BAR.
    pub(super) fn log2_mib(self) -> u32 {
        match self {
            Self::Small => 0,
            Self::Large => 4,
        }
    }
}

/// Subsystem ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subsystem {
    /// Subsystem vendor.
    pub vendor: u16,
    /// Subsystem device.
    pub device: u16,
}

impl Default for Subsystem {
    fn default() -> Self {
        Self {
            vendor: 0x1f4b,
            device: 0x0650,
        }
    }
}

/// The 4096 bytes, with what software can change in them.
pub struct ConfigSpace {
    image: Box<Image>,
    now: Box<[u8; CONFIG_SIZE]>,
}

impl ConfigSpace {
    /// Bytes.
    pub const SIZE: usize = CONFIG_SIZE;

    /// The function after reset.
    pub fn new(subsystem: Subsystem, bar4: Bar4) -> Self {
        let image = Image::new(subsystem, bar4);
        let now = Box::new(image.bytes);
        Self { image, now }
    }

    /// Back to the reset values: BARs, COMMAND, MSI, link control, Resizable BAR [pcie 1.6].
    pub fn reset(&mut self) {
        *self.now = self.image.bytes;
    }

    /// Reads; bytes behind the end read as 0.
    pub fn read(&self, at: usize, data: &mut [u8]) {
        for (i, byte) in data.iter_mut().enumerate() {
            *byte = self.now.get(at + i).copied().unwrap_or(0);
        }
    }

    /// Writes, as far as the registers let it.
    pub fn write(&mut self, at: usize, data: &[u8]) {
        let power = self.u16(PM + 4) & 3;
        let rebar = self.bar4_log2_mib();
        for (i, &byte) in data.iter().enumerate().take(CONFIG_SIZE.saturating_sub(at)) {
            let at = at + i;
            let writable = self.image.writable[at] | self.bar_mask(at);
            let cleared = byte & self.image.clearable[at];
            self.now[at] = ((self.now[at] & !writable) | (byte & writable)) & !cleared;
        }
        // D2 does not exist (PMC): such a write changes nothing.
        let state = self.u16(PM + 4) & 3;
        if state == 2 {
            self.now[PM + 4] = self.now[PM + 4] & !3 | power as u8;
        }
        // A size that the capability does not offer is not taken.
        let wanted = self.bar4_log2_mib();
        if wanted != rebar {
            let offered = u32::from_le_bytes(self.now[REBAR + 4..REBAR + 8].try_into().unwrap());
            let size = if offered & (1 << (wanted + 4).min(31)) != 0 {
                wanted
            } else {
                rebar
            };
            self.now[REBAR + 9] = size as u8;
            // The address bits that the new size takes away read as 0.
            for at in BAR4..BAR4 + 8 {
                self.now[at] &= self.bar_mask(at) | self.image.bytes[at];
            }
        }
        self.now[REBAR + 0x11] = 0;
    }

    fn bar4_log2_mib(&self) -> u32 {
        u32::from(self.now[REBAR + 9] & 0x3f)
    }

    /// Bytes that BAR4 decodes now.
    pub fn bar4_size(&self) -> u64 {
        1 << (20 + self.bar4_log2_mib())
    }

    /// Address bits of the byte `at` if it belongs to a BAR.
    fn bar_mask(&self, at: usize) -> u8 {
        let mask = |size: u64| !(size - 1);
        let (base, mask) = match at {
            BAR0..BAR1 => (BAR0, mask(BAR0_SIZE) & 0xffff_ffff),
            BAR1..0x18 => (BAR1, mask(BAR1_SIZE) & 0xffff_ffff),
            BAR4..0x28 => (BAR4, mask(self.bar4_size())),
            _ => return 0,
        };
        mask.to_le_bytes()[at - base]
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.now[at], self.now[at + 1]])
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from(self.u16(at)) | (u32::from(self.u16(at + 2)) << 16)
    }

    /// The command register.
    pub fn command(&self) -> u16 {
        self.u16(COMMAND)
    }

    /// The device is in D0: only there it answers to memory accesses and sends requests.
    fn powered(&self) -> bool {
        self.u16(PM + 4) & 3 == 0
    }

    /// The function may send requests: DMA and MSI.
    pub fn bus_master(&self) -> bool {
        self.command() & 4 != 0 && self.powered()
    }

    /// The function answers at its BARs.
    pub fn decodes_memory(&self) -> bool {
        self.command() & 2 != 0 && self.powered()
    }

    /// Address of BAR 0, 1 or 4 as the host has set it.
    pub fn bar(&self, index: usize) -> u64 {
        match index {
            4 => u64::from(self.u32(BAR4) & !0xf) | (u64::from(self.u32(BAR5)) << 32),
            _ => u64::from(self.u32(BAR0 + 4 * index) & !0xf),
        }
    }

    /// How many vectors MSI has been enabled with; 0 while it is disabled.
    pub fn msi_vectors(&self) -> usize {
        let control = self.u16(MSI + 2);
        match control & 1 {
            0 => 0,
            // The field has two more values than messages offered: reserved, so taken as 4.
            _ => 1 << ((control >> 4) & 7).min(2),
        }
    }

    /// MSI vector is masked.
    pub fn msi_masked(&self, vector: usize) -> bool {
        (self.now[MSI + 16] >> vector) & 1 != 0
    }

    /// Sets or clears the pending bit of an MSI vector.
    pub fn set_msi_pending(&mut self, vector: usize, pending: bool) {
        let bit = 1 << vector;
        if pending {
            self.now[MSI + 20] |= bit;
        } else {
            self.now[MSI + 20] &= !bit;
        }
    }

    /// Pending vectors that are no longer masked.
    pub fn msi_deliverable(&self) -> impl Iterator<Item = usize> {
        let ready = self.now[MSI + 20] & !self.now[MSI + 16];
        let count = if self.bus_master() {
            self.msi_vectors()
        } else {
            0
        };
        (0..count).filter(move |v| (ready >> v) & 1 != 0)
    }

    /// Registers for the control socket.
    pub fn report(&self) -> serde_json::Value {
        serde_json::json!({
            "command": format!("{:#06x}", self.command()),
            "bar0": format!("{:#x}", self.bar(0)),
            "bar1": format!("{:#x}", self.bar(1)),
            "bar4": format!("{:#x}", self.bar(4)),
            "bar4_size": self.bar4_size(),
            "msi_control": format!("{:#06x}", self.u16(MSI + 2)),
            "msi_address": format!("{:#x}", u64::from(self.u32(MSI + 4)) | (u64::from(self.u32(MSI + 8)) << 32)),
            "msi_data": format!("{:#x}", self.u32(MSI + 12)),
            "msi_mask": format!("{:#x}", self.u32(MSI + 16)),
            "msi_pending": format!("{:#x}", self.u32(MSI + 20)),
            "power_state": self.u16(PM + 4) & 3,
            "device_control": format!("{:#06x}", self.u16(EXPRESS + 8)),
        })
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
