// SPDX-License-Identifier: MIT OR Apache-2.0

//! How threads wait for each other.

pub(crate) mod inbox;
pub(crate) mod latch;
pub(crate) mod timer;
