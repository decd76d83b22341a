// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the commands `ax650` and `ax650-fw` have in common: how they fail, are interrupted, tell their progress and
//! write files, the last also for the crate `ax650-firmware`. It is no interface for other programs and may change with
//! any version.

pub mod failure;
pub mod interrupt;
pub mod output;
pub mod progress;
pub mod progress_line;
pub mod standard;
pub mod whole_file;
