// SPDX-License-Identifier: MIT OR Apache-2.0

//! What travels on the four ports of a process, below the calls [rpc 2], [rpc 3.1], [rpc 5.3].

pub mod examples;
pub mod header;
pub mod record;
pub mod transport;
