// SPDX-License-Identifier: MIT OR Apache-2.0

//! A small runtime over the legacy nodes: what a process does to use a card [rpc 1] and [rpc 10.1].

mod answers;
mod codec;
mod device;
mod memory;
mod model;
mod program;
mod transfer;
mod window;

pub(crate) use codec::attributes;
pub use codec::{Decoder, Encoder, Picture};
pub(crate) use device::handshake;
pub use device::{Device, Pending, Scope, Settings};
pub use memory::{pattern, Queued};
pub use model::Model;
pub use transfer::{next, send};
pub use window::{Cut, Window};

use std::time::Duration;

/// How long the card may take for anything, on a busy machine.
pub fn patience() -> Duration {
    Duration::from_secs(20) * ax650_test_kit::kernel::slowness()
}
