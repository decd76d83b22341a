// SPDX-License-Identifier: MIT OR Apache-2.0

//! On-chip memory: all that there is before DRAM is up [pcie 3.1].

use parking_lot::Mutex;

/// On-chip memory, where U-Boot goes [pcie 3.1].
pub struct OnChipRam(Mutex<Vec<u8>>);

impl OnChipRam {
    /// First card address.
    pub const BASE: u64 = 0x1400_0000;
    /// Bytes: room for a full chunk at U-Boot's address.
    pub const SIZE: u64 = 4 << 20;

    /// Puts `data` at `address`; false if it does not fit.
    pub(crate) fn write(&self, address: u64, data: &[u8]) -> bool {
        let Some(at) = address.checked_sub(Self::BASE) else {
            return false;
        };
        match at.checked_add(data.len() as u64) {
            Some(end) if end <= Self::SIZE => {
                self.0.lock()[at as usize..end as usize].copy_from_slice(data);
                true
            }
            _ => false,
        }
    }

    /// `len` bytes at `address`, if they are in this memory.
    pub fn read(&self, address: u64, len: u64) -> Option<Vec<u8>> {
        let at = address.checked_sub(Self::BASE)?;
        let end = at.checked_add(len).filter(|&end| end <= Self::SIZE)?;
        Some(self.0.lock()[at as usize..end as usize].to_vec())
    }
}

impl Default for OnChipRam {
    fn default() -> Self {
        Self(Mutex::new(vec![0; Self::SIZE as usize]))
    }
}
