// SPDX-License-Identifier: MIT OR Apache-2.0

//! What travels between host and card, as data: no thread, no memory, no state.

pub(crate) mod errors;
pub(crate) mod frames;
pub(crate) mod messages;
pub(crate) mod native;
pub(crate) mod native_table;
pub(crate) mod record;
pub(crate) mod refusal;
pub(crate) mod request;
