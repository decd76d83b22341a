// SPDX-License-Identifier: MIT OR Apache-2.0

//! The service that runs on the emulated card: it answers on the control port (11) and on the ports
//! of the host's processes (21 and above) as the card's daemon does.
//!
//! ```text
//! service      routes messages; control_port makes and ends sessions
//! session      one worker per group of ports: p0 (transactions), p2 (frames), streams
//!   bulk, copy   moving bytes by card DMA          calls     a frame's way to its service
//!   control      contexts, streams, events         system    shell, log, latency
//!   memory       card memory                       engine    models, run by npu
//!   native       codec and pools, done by ax650-emu-media
//!   p2p, usrwork other cards, the user's files
//! ```
//!
//! Section numbers in comments are those of the protocol notes on the host to card calls.

#![warn(missing_docs)]

mod bulk;
mod busy;
mod calls;
mod card;
mod cardlog;
mod codec;
mod contexts;
mod control;
mod control_port;
mod copy;
mod engine;
mod errors;
mod events;
mod frames;
mod inbox;
mod latch;
mod memory;
mod messages;
pub mod model;
mod native;
mod npu;
mod p0;
mod p2p;
mod service;
mod session;
mod shell;
mod streams;
mod switches;
mod system;
#[cfg(test)]
mod tests;
mod thermal;
mod timer;
mod usrwork;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ax650_emu_api::{Daemon, Link};

pub use codec::Codec;
pub use switches::SWITCHES;

/// What can be set when the daemon starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// Directory with models by SHA-256 and shape groups; see [`model`].
    pub model_dir: Option<PathBuf>,
    /// How long a transaction waits for the host's next message.
    pub patience: Duration,
    /// Longest frame that is taken by DMA, bytes.
    pub max_frame: u32,
    /// Threads of one inference; 0 for one per CPU of this machine.
    pub engine_threads: usize,
    /// What `/proc/ax_proc/version` says after `Ax_Version `.
    pub version: String,
    /// What `/proc/ax_proc/chip_type` says.
    pub chip: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            model_dir: None,
            patience: Duration::from_secs(30),
            max_frame: 64 << 20,
            engine_threads: 0,
            version: "V3.10.2_20251215140224".into(),
            chip: "AX650N_CHIP".into(),
        }
    }
}

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
    Arc::new(service::Service::start(link, options, codec).expect("threads for the card's daemon"))
}
