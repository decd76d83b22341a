// SPDX-License-Identifier: MIT OR Apache-2.0

//! The service that runs on the emulated card: it answers on the control port (11) and on the ports
//! of the host's processes (21 and above) as the card's daemon does.
//!
//! ```text
//! service      routes messages; the control port makes and ends sessions
//! calls        a frame's way to its service and back; contexts, streams, events
//! services     memory, engine (models), native (codec and pools), system, p2p, usrwork
//! shell        the command lines of property queries
//! queues       streams as queues with a thread each, and the events that order them
//! ports        a session's ports: moving bytes by card DMA, frames, copies
//! machine      what all sessions share: NPU, clock, log, files, fault switches
//! model        models and their runs
//! protocol     messages, frames, errors, sizes of calls; wire: the schema
//! wait         latch, inbox, timer
//! ```
//!
//! docs/emulator.md says under "Rooms" which may use which.

#![warn(missing_docs)]

mod calls;
mod machine;
pub mod model;
mod ports;
mod protocol;
mod queues;
mod service;
mod services;
mod shell;
#[cfg(test)]
mod tests;
mod wait;
mod wire;

use std::sync::Arc;

use ax650_emu_api::{Daemon, Link};

pub use machine::codec::Codec;
pub use machine::options::Options;
pub use machine::switches::SWITCHES;

/// Starts the daemon.
///
/// # Panics
/// If the system cannot start two threads.
pub fn start(link: Arc<dyn Link>, options: Options) -> Arc<dyn Daemon> {
    let media = ax650_emu_media::Media::new(link.clone());
    start_with_codec(link, options, media)
}

/// Starts the daemon with another codec.
///
/// # Panics
/// If the system cannot start two threads.
pub fn start_with_codec(
    link: Arc<dyn Link>,
    options: Options,
    codec: Arc<dyn Codec>,
) -> Arc<dyn Daemon> {
    let service = service::daemon::Service::start(link, options, codec);
    Arc::new(service.expect("threads for the card's daemon"))
}
