// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a guest is booted with.

use std::fmt;

use serde::Deserialize;

use crate::kernel::Kernel;

/// What stands between the card and the guest's memory.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Iommu {
    /// an emulated Intel IOMMU, in strict mode
    #[default]
    On,
    /// nothing
    Off,
    /// no IOMMU; every streaming transfer goes through bounce buffers
    Swiotlb,
}

/// The machine that a case needs, apart from the kernel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// IOMMU
    pub iommu: Iommu,
    /// number of cards in the machine
    pub cards: usize,
    /// MiB of memory; 0 = the usual
    pub memory: u32,
    /// options of the emulated cards, e.g. `--bus-id 3`
    pub card_args: Vec<String>,
    /// the kernel is told that devices do not see the CPU's caches
    pub noncoherent: bool,
    /// the cards sit below one switch, not each on a root port
    pub switch: bool,
}

impl Profile {
    /// Returns the MiB of memory for a guest with this kernel.
    pub fn memory_for(&self, kernel: Kernel) -> u32 {
        match (self.memory, kernel) {
            (0, Kernel::TrixieBackports | Kernel::Forky) => 1024,
            (0, Kernel::Debug) => 1536,
            (mib, _) => mib,
        }
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            iommu: Iommu::On,
            cards: 1,
            memory: 0,
            card_args: Vec::new(),
            noncoherent: false,
            switch: false,
        }
    }
}

/// What differs from the usual machine, each with a `+` before it; nothing for the usual one.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.iommu {
            Iommu::On => {}
            Iommu::Off => write!(f, "+noiommu")?,
            Iommu::Swiotlb => write!(f, "+swiotlb")?,
        }
        if self.noncoherent {
            write!(f, "+noncoherent")?;
        }
        if self.cards != 1 {
            write!(f, "+{}cards", self.cards)?;
        }
        if self.memory != 0 {
            write!(f, "+{}M", self.memory)?;
        }
        if self.switch {
            write!(f, "+switch")?;
        }
        for arg in &self.card_args {
            write!(f, "+{}", arg.trim_start_matches('-'))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(Profile::default().to_string(), "");
        let odd = Profile {
            iommu: Iommu::Off,
            cards: 2,
            memory: 4096,
            card_args: vec!["--card-id=3".into()],
            noncoherent: true,
            switch: true,
        };
        assert_eq!(
            odd.to_string(),
            "+noiommu+noncoherent+2cards+4096M+switch+card-id=3"
        );
    }
}
