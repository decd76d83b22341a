// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card as a PCI function: configuration space, BARs, MSI, and the vfio-user server.

mod backend;
mod bars;
mod capabilities;
mod config;
mod msi;
mod server;

pub use backend::Backend;
pub use bars::{BAR0_SIZE, BAR1_SIZE};
pub use config::{Bar4, ConfigSpace, Subsystem};
pub use msi::Msi;
pub use server::{clear_stale, hang_up, Listener, ServeError};

/// MSI vectors that the function has [pcie 1.4].
pub const VECTORS: usize = 4;
