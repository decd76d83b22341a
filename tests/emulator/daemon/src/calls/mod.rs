// SPDX-License-Identifier: MIT OR Apache-2.0

//! A request's way from its frame to its service, and the life of whoever makes it.

mod control;
pub(crate) mod dispatch;
pub(crate) mod process;
