// SPDX-License-Identifier: GPL-2.0

//! The ioctl interface, `uapi/ax650.h`: what user space may do, and the checks of what it asks.

mod buffer;
pub(crate) mod client;
mod fdinfo;
mod query;
mod submit;
mod wait;

use crate::glue::time::Delta;

/// What one open file may have.
pub(crate) const MAX_SESSIONS_PER_FILE: usize = 8;
/// Jobs of one open file that were submitted and not waited for.
pub(crate) const MAX_JOBS: usize = 256;
/// Steps of a job.
pub(crate) const MAX_STEPS: u32 = 128;
/// Size of a step as callers know it: what the driver does not know of it is looked at byte by byte.
pub(crate) const MAX_STEP_SIZE: u32 = 4096;
// TIMEOUT: of jobs that name no other, as the header promises.
pub(crate) const DEFAULT_TIMEOUT: Delta = Delta::from_secs(30);
// TIMEOUT: of opening a session, if the caller names no other: what Axera's driver gives the card for a serving
// process.
pub(crate) const OPEN_TIMEOUT: Delta = Delta::from_secs(50);
