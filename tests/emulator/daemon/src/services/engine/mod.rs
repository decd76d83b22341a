// SPDX-License-Identifier: MIT OR Apache-2.0

//! The engine service: a session's models [rpc 6], by the calls of the runtime and by native ones.

pub(crate) mod calls;
mod model;
mod models;
pub(crate) mod native;
mod refused;
pub(crate) mod run;
pub(crate) mod state;

/// What the engine says of itself.
const VERSION: &str = concat!("ax650-emu ", env!("CARGO_PKG_VERSION"));
