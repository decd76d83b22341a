// SPDX-License-Identifier: MIT OR Apache-2.0

//! The function's side of vfio-user: every call here runs in the one thread that serves the host,
//! so none of them may wait for anything (a server that is silent for 5 s loses its connection).

use std::fs::File;
use std::io::Result;
use std::sync::Arc;

use log::{debug, info, warn};
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD, VFIO_IRQ_SET_DATA_NONE,
    VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_BAR1_REGION_INDEX, VFIO_PCI_BAR4_REGION_INDEX,
    VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_MSI_IRQ_INDEX,
};
use vfio_user::{DmaMapFlags, DmaUnmapFlags, ServerBackend};

use super::bars::Bar;
use crate::card::Card;
use crate::dma::Access;
use crate::function::{ConfigSpace, BAR0_SIZE, BAR1_SIZE, VECTORS};

/// Translates vfio-user requests for the card.
pub struct Backend {
    card: Arc<Card>,
}

impl Backend {
    /// A backend for `card`.
    pub fn new(card: Arc<Card>) -> Self {
        Self { card }
    }

    /// A host may use the card from now on.
    pub fn connected(&self) {
        self.card.host.set_connected(true);
    }

    /// The host is gone.  The function forgets what the host had set; the chip runs on.
    pub fn disconnected(&self) {
        self.card.host.set_connected(false);
        self.card.host.unmap_all();
        self.card.msi.disarm();
        self.card.function_reset();
    }
}

/// What a request wants to reach.
enum Target {
    Config,
    Bar(Bar),
    Nothing,
}

impl Backend {
    /// What lies at `[offset, offset + len)` of `region`.
    fn target(&self, region: u32, offset: u64, len: usize) -> Target {
        let bar = bar(region);
        let size = match bar {
            Some(Bar::Zero) => BAR0_SIZE,
            Some(Bar::One) => BAR1_SIZE,
            Some(Bar::Four) => self.card.options.bar4.size(),
            None if region == VFIO_PCI_CONFIG_REGION_INDEX => ConfigSpace::SIZE as u64,
            None => 0,
        };
        if offset.checked_add(len as u64).is_none_or(|end| end > size) {
            warn!("access to region {region} at {offset:#x}, {len} bytes: nothing is there");
            self.card.counters.hit("mmio.outside");
            return Target::Nothing;
        }
        bar.map_or(Target::Config, Target::Bar)
    }
}

fn bar(region: u32) -> Option<Bar> {
    match region {
        VFIO_PCI_BAR0_REGION_INDEX => Some(Bar::Zero),
        VFIO_PCI_BAR1_REGION_INDEX => Some(Bar::One),
        VFIO_PCI_BAR4_REGION_INDEX => Some(Bar::Four),
        _ => None,
    }
}

impl ServerBackend for Backend {
    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> Result<()> {
        self.connected();
        match self.target(region, offset, data.len()) {
            Target::Config => self.card.config_read(offset as usize, data),
            Target::Bar(bar) => bar.read(&self.card, offset, data),
            Target::Nothing => data.fill(0xff),
        }
        debug!("read {region}:{offset:#x} -> {data:02x?}");
        Ok(())
    }

    fn region_write(&mut self, region: u32, offset: u64, data: &[u8]) -> Result<()> {
        debug!("write {region}:{offset:#x} <- {data:02x?}");
        self.connected();
        match self.target(region, offset, data.len()) {
            Target::Config => self.card.config_write(offset as usize, data),
            Target::Bar(bar) => bar.write(&self.card, offset, data),
            Target::Nothing => {}
        }
        Ok(())
    }

    fn dma_map(
        &mut self,
        flags: DmaMapFlags,
        offset: u64,
        address: u64,
        size: u64,
        fd: Option<File>,
    ) -> Result<()> {
        debug!(
            "dma_map {address:#x}+{size:#x} {flags:?} offset {offset:#x} fd {}",
            fd.is_some()
        );
        self.connected();
        let access = Access {
            read: flags.contains(DmaMapFlags::READ),
            write: flags.contains(DmaMapFlags::WRITE),
        };
        // Without a file (another device's BAR) the memory cannot be reached: accesses will fault.
        let Some(file) = fd else { return Ok(()) };
        if let Err(e) = self.card.host.map(&file, offset, address, size, access) {
            warn!("dma_map {address:#x}+{size:#x} at offset {offset:#x}: {e}");
        }
        Ok(())
    }

    fn dma_unmap(&mut self, flags: DmaUnmapFlags, address: u64, size: u64) -> Result<()> {
        debug!("dma_unmap {address:#x}+{size:#x} {flags:?}");
        if flags.contains(DmaUnmapFlags::UNMAP_ALL) {
            self.card.host.unmap_all();
        } else {
            self.card.host.unmap(address, size);
        }
        Ok(())
    }

    fn reset(&mut self) -> Result<()> {
        info!("bus reset: configuration space is reset, the chip runs on");
        self.card.counters.hit("reset.bus");
        self.card.function_reset();
        Ok(())
    }

    fn set_irqs(
        &mut self,
        index: u32,
        flags: u32,
        start: u32,
        count: u32,
        fds: Vec<File>,
    ) -> Result<()> {
        debug!(
            "set_irqs index {index} flags {flags:#x} {start}+{count} with {} fds",
            fds.len()
        );
        if index != VFIO_PCI_MSI_IRQ_INDEX || flags & VFIO_IRQ_SET_ACTION_TRIGGER == 0 {
            return Ok(());
        }
        let msi = &self.card.msi;
        if flags & VFIO_IRQ_SET_DATA_NONE != 0 && count == 0 {
            msi.disarm();
        } else if flags & VFIO_IRQ_SET_DATA_EVENTFD != 0 {
            let mut fds = fds.into_iter();
            for vector in start..start.saturating_add(count.min(VECTORS as u32)) {
                if !msi.arm(vector as usize, fds.next()) {
                    warn!("set_irqs: there is no MSI vector {vector}");
                }
            }
        }
        Ok(())
    }
}
