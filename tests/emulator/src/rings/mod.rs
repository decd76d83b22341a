// SPDX-License-Identifier: MIT OR Apache-2.0

//! The shared region: the window to it, and the two rings of messages in it [pcie 4].

mod control_page;
mod geometry;
mod header;
mod transport;
mod window;

pub use control_page::ControlPage;
pub use geometry::{total, Geometry, Ring, MAX_PAYLOAD};
pub use header::{Header, CHECK, HEADER_SIZE};
pub use transport::{Corrupt, Publish, Refused, Transport};
pub use window::Window;
