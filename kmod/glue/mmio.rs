// SPDX-License-Identifier: GPL-2.0

//! Registers behind a BAR, taken away when the driver is unbound.

use kernel::{device::Bound, io::Io, pci, prelude::*};

use super::compat::Bar;

/// A mapped BAR.  After unbind every access fails with `ENODEV`.
pub(crate) struct Window {
    bar: Bar,
    size: usize,
}

impl Window {
    /// Maps all of BAR `index`, which must have at least `least` bytes.
    pub(crate) fn map(
        pdev: &pci::Device<Bound>,
        index: u32,
        least: usize,
        name: &'static CStr,
    ) -> Result<Self> {
        let size = usize::try_from(pdev.resource_len(index)?)?;
        if size < least {
            dev_err!(
                pdev,
                "BAR {} has {:#x} bytes, at least {:#x} are needed\n",
                index,
                size,
                least
            );
            return Err(ENODEV);
        }
        let bar = pdev.iomap_region(index, name)?.into_devres()?;
        Ok(Self { bar, size })
    }

    /// Bytes of the BAR.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Reads the register at `offset`.
    pub(crate) fn read32(&self, offset: usize) -> Result<u32> {
        self.bar.try_access().ok_or(ENODEV)?.try_read32(offset)
    }

    /// Writes the register at `offset`.
    pub(crate) fn write32(&self, value: u32, offset: usize) -> Result {
        let bar = self.bar.try_access().ok_or(ENODEV)?;
        bar.try_write32(value, offset)
    }
}
