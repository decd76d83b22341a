// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the host calls, one service each.

pub(crate) mod engine;
pub(crate) mod memory;
pub(crate) mod native;
pub(crate) mod p2p;
pub(crate) mod system;
pub(crate) mod usrwork;
