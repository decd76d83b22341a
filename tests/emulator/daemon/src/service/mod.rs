// SPDX-License-Identifier: MIT OR Apache-2.0

//! The daemon as a whole: which sessions there are, and how they come and go.

pub(crate) mod control_port;
pub(crate) mod daemon;
mod sessions;
