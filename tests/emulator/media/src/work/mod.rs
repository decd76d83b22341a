// SPDX-License-Identifier: MIT OR Apache-2.0

//! How threads of the codec wait and give way.

pub mod priority;
pub mod shared;
pub mod wait;
