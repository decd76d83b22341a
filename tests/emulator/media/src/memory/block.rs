// SPDX-License-Identifier: MIT OR Apache-2.0

//! Blocks of the card's CMM that free themselves.

use std::sync::Arc;

use ax650_emu_api::{CmmError, Link};

use crate::call::errors::Fault;

/// A block of the card's CMM, freed when dropped.
pub struct CardBlock {
    link: Arc<dyn Link>,
    address: u64,
    size: u64,
}

impl CardBlock {
    /// Allocates `size` bytes for the session `owner`; `name` is what the card's memory table
    /// shows.
    pub fn new(link: &Arc<dyn Link>, size: u64, name: &str, owner: u32) -> Result<Self, Fault> {
        let address = link.cmm().alloc(size, name, owner).map_err(|e| match e {
            CmmError::Empty => Fault::IllegalParam,
            CmmError::NoMemory(_) => Fault::NoMemory,
            CmmError::NoBlock(_) => Fault::NoBuffer,
        })?;
        Ok(Self {
            link: link.clone(),
            address,
            size,
        })
    }

    /// Card address of the first byte.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Bytes asked for.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl std::fmt::Debug for CardBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}+{:#x}", self.address, self.size)
    }
}

impl Drop for CardBlock {
    fn drop(&mut self) {
        if let Err(e) = self.link.cmm().free(self.address) {
            log::warn!("media: {e}");
        }
    }
}
