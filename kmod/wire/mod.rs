// SPDX-License-Identifier: GPL-2.0

//! The card's wire protocol as pure logic.
//!
//! Nothing below this module calls the kernel: it needs `core` only, so that `tests/wire` compiles
//! these very files for the host and runs unit, property and fuzz tests on exactly the code the
//! kernel runs. Numbers in brackets, as in [pcie 4.5] and [rpc 2.3], are sections of the documents
//! in `docs/protocol/`.
//!
//! Everything here may be given bytes that a broken or hostile card, process or file made. The
//! kernel is built with overflow checks and a panic stops the machine, hence the lints: no
//! indexing, no unchecked arithmetic, no unwrapping.

#![allow(
    dead_code,
    reason = "the protocol's tables are complete; the kernel needs some of them only"
)]
#![allow(
    unreachable_pub,
    reason = "`pub` lets the host tests reach the items; in the kernel the crate ends here"
)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod axcl;
pub mod boot;
pub mod bytes;
pub mod container;
pub mod control;
pub mod frame;
pub mod grants;
pub mod handshake;
pub mod header;
pub mod heartbeat;
pub mod mailbox;
pub mod pb;
pub mod policy;
pub mod proctext;
pub mod record;
pub mod register;
pub mod reset;
pub mod ring;
pub mod rpc;
pub mod state;
pub mod transfer;
