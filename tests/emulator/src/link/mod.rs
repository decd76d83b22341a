// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the running card does with its host: handshake, doorbells, interrupts, heartbeat [pcie 2],
//! [pcie 4], [pcie 6].

mod daemon_link;
mod doorbell;
mod handshake;
mod heartbeat;
mod hostile;
mod timesync;

pub use daemon_link::DaemonLink;
pub use doorbell::serve_doorbells;
pub use handshake::{announce, find_host, set_up_rings};
pub use heartbeat::beat;
pub use hostile::serve_hostility;
pub use timesync::sync;
