// SPDX-License-Identifier: MIT OR Apache-2.0

//! The four ports of a session [rpc 1.1]: who it is, and how bytes move.

pub(crate) mod answers;
pub(crate) mod channel;
mod copies;
pub(crate) mod group;
mod p0;
pub(crate) mod session;
mod started;
