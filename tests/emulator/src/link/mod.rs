// SPDX-License-Identifier: MIT OR Apache-2.0

//! The running card and its host: handshake, rings, doorbells, heartbeat [pcie 2], [pcie 4], [pcie 6].

mod daemon_link;
mod doorbell;
mod geometry;
mod handshake;
mod header;
mod heartbeat;
mod interrupt;
mod mailbox;
mod rings;
mod service;
mod timesync;
mod window;

pub use daemon_link::DaemonLink;
pub use doorbell::serve_doorbells;
pub use geometry::{total, Geometry, Ring, MAX_PAYLOAD};
pub use handshake::{announce, find_host, set_up_rings};
pub use header::{Header, CHECK, HEADER_SIZE};
pub use heartbeat::beat;
pub use interrupt::{serve_interrupts, Interrupts};
pub use mailbox::{Doorbell, Fault as MailboxFault, Mailbox};
pub use rings::{Corrupt, Publish, Refused, Transport};
pub use service::Service;
pub use timesync::{sync, WallClock};
pub use window::Window;
