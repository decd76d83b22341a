// SPDX-License-Identifier: MIT OR Apache-2.0

//! The state of the PCI function: configuration space and MSI [pcie 1].

mod capabilities;
mod config;
mod msi;

pub use config::{Bar4, ConfigSpace, Subsystem};
pub use msi::Msi;

/// Bytes of BAR0: boot registers, later card DRAM [pcie 1.2].
pub const BAR0_SIZE: u64 = 8 << 20;
/// Bytes of BAR1: the mailbox [pcie 4.8].
pub const BAR1_SIZE: u64 = 64 << 10;
/// MSI vectors that the function has [pcie 1.4].
pub const VECTORS: usize = 4;
