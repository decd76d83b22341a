// SPDX-License-Identifier: MIT OR Apache-2.0

//! The cases, a file for each node or subject.  `README.md` says which tests which section.

// A case is named after the section of the protocol documents, or the requirement, that it tests.
#![allow(non_snake_case)]

mod bench;
mod buffer;
mod clients;
mod costs;
mod host;
mod listeners;
mod media;
mod message;
mod p2p;
mod pains;
mod ports;
mod programs;
mod rpc;
mod runtime;
mod support;
mod tensors;

use ax650_test_kit::case::Case;

pub use support::ready;

/// All cases, in order: the simple ones first.
pub fn all() -> Vec<&'static Case> {
    let files = [
        host::CASES,
        ports::CASES,
        message::CASES,
        listeners::CASES,
        buffer::CASES,
        p2p::CASES,
        clients::CASES,
        rpc::CASES,
        media::CASES,
        runtime::CASES,
        tensors::CASES,
        programs::CASES,
        bench::CASES,
        costs::CASES,
        pains::CASES,
    ];
    files.into_iter().flatten().collect()
}
