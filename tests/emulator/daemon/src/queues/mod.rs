// SPDX-License-Identifier: MIT OR Apache-2.0

//! The order in which a session's calls are run: contexts, streams, events [rpc 4.1].

pub(crate) mod contexts;
pub(crate) mod events;
pub(crate) mod streams;
