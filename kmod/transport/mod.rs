// SPDX-License-Identifier: GPL-2.0

//! Messages between host and card: two rings in shared memory, doorbells, ports [pcie 4] and [pcie 5].
//!
//! Locks, outermost first: `Rx`, a session's engine, `Tx`.  Each card has its own.

pub(crate) mod control;
pub(crate) mod ports;
pub(crate) mod rx;
pub(crate) mod traffic;
pub(crate) mod tx;
