// SPDX-License-Identifier: GPL-2.0

//! Registers behind a BAR, taken away when the driver is unbound.

use core::marker::PhantomData;

use kernel::{
    device::Bound,
    io::Io as _,
    pci,
    prelude::*, //
};

use super::compat;
use crate::wire::register::{
    self,
    Io, //
};

/// The mapped BAR of block `B`.
///
/// # Invariants
///
/// `size` is that of `bar`, and not less than `B::BYTES`.
pub(crate) struct Window<B> {
    bar: compat::Bar,
    size: usize,
    block: PhantomData<fn() -> B>,
}

impl<B: register::Bar> Window<B> {
    /// Maps all of the BAR.
    ///
    /// # Errors
    ///
    /// `ENODEV` if it is smaller than the block; else what the kernel has against mapping it.
    pub(crate) fn map(pdev: &pci::Device<Bound>, name: &'static CStr) -> Result<Self> {
        let size = usize::try_from(pdev.resource_len(B::BAR)?)?;
        if size < B::BYTES {
            dev_err!(
                pdev,
                "BAR {} has {:#x} bytes, at least {:#x} are needed\n",
                B::BAR,
                size,
                B::BYTES
            );
            return Err(ENODEV);
        }
        let bar = pdev.iomap_region(B::BAR, name)?.into_devres()?;
        // INVARIANT: all of the BAR was mapped, and its size was checked.
        Ok(Self {
            bar,
            size,
            block: PhantomData,
        })
    }

    /// Bytes of the BAR.
    pub(crate) fn size(&self) -> usize {
        self.size
    }
}

/// After unbind every access fails with `ENODEV`.
impl<B: register::Bar> Io<B> for Window<B> {
    type Error = Error;

    fn load(&self, offset: usize) -> Result<u32> {
        self.bar.try_access().ok_or(ENODEV)?.try_read32(offset)
    }

    fn store(&self, offset: usize, value: u32) -> Result {
        let bar = self.bar.try_access().ok_or(ENODEV)?;
        bar.try_write32(value, offset)
    }
}
