// SPDX-License-Identifier: MIT OR Apache-2.0

//! Small models of protocols in which host, card and bus act in any order.  All orders are tried.
//!
//! Decisions of the host are made by the module's own code in `kmod/wire`; the rest of host and card is
//! written here in a few lines, from the protocol documents.  Each model is also run with a rule left out
//! which the module keeps: it has to find what goes wrong then, or it would prove nothing.

pub mod doorbell;
pub mod session;
