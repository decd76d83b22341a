// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card as a PCI function: what answers at its BARs, and the vfio-user server.

mod backend;
mod bars;
mod server;

pub use backend::Backend;
pub use server::{clear_stale, hang_up, Listener, ServeError};
