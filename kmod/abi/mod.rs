// SPDX-License-Identifier: GPL-2.0

//! The ioctl interface, `uapi/ax650.h`: what user space may do, and the checks of what it asks.

pub(crate) mod client;
mod query;
mod submit;

/// What one open file may have.
pub(crate) const MAX_SESSIONS_PER_FILE: usize = 8;
/// Buffers of one open file.
pub(crate) const MAX_BUFFERS_PER_FILE: usize = 1024;
/// Jobs of one open file that were submitted and not waited for.
pub(crate) const MAX_JOBS: usize = 256;
/// Steps of a job.
pub(crate) const MAX_STEPS: u32 = 128;
/// Memory of all buffers of a file.
pub(crate) const MAX_BYTES_PER_FILE: u64 = 1 << 30;
/// Time limit of jobs that name no other.
pub(crate) const DEFAULT_TIMEOUT_NS: u64 = 30 * crate::glue::time::S;
/// Time limit of opening a session.
pub(crate) const OPEN_TIMEOUT_NS: u64 = 10 * crate::glue::time::S;
