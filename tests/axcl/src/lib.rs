// SPDX-License-Identifier: MIT OR Apache-2.0

//! Conformance suite for the nodes that programs of AXCL V3.10.2 open: `/dev/axcl_host`,
//! `/dev/msg_userdev`, `/dev/ax_mmb_dev`, `/dev/p2p`.
//!
//! It is a third reading of the protocol documents, after the driver's and the emulated card's, and shares no
//! code with either: a client written from nothing but the protocol documents of ioctls and of the RPC.
//!
//! * [`node`]: the nodes, one file each, with every request of the tables [pcie 5], [pcie 7], [pcie 8];
//! * [`wire`]: what travels on the message ports below the RPC [rpc 2], [rpc 3.1], [rpc 5.3];
//! * [`rpc`]: bodies of calls;
//! * [`client`]: a small runtime on top: a process's connection with a card, memory, copies,
//!   models, codec;
//! * `cases`: what is tested with them.

pub mod client;
pub mod node;
pub mod rpc;
pub mod wire;

mod cases;

pub use cases::{all, ready};
