// SPDX-License-Identifier: MIT OR Apache-2.0

//! The cases, a file for each concern.  They run in this order.

// A case is named after the requirement that it tests.
#![allow(non_snake_case)]

mod abi;
mod bench;
mod boot;
mod buffers;
mod bus;
mod chains;
mod cli;
mod codec;
mod costs;
mod engine;
mod examples;
mod eyes;
mod field;
mod firmware;
mod fuzz;
mod hostile;
mod isolation;
mod jobs;
mod kill;
mod last;
mod library;
mod llm;
mod llm_vision;
mod multi;
mod neighbours;
mod observe;
mod pipeline;
mod reading;
mod reset;
mod sessions;
mod speech;
mod transport;
mod unplug;
mod zero_copy;

use crate::case::Case;

/// All cases, in order: the simple ones first.
pub fn all() -> Vec<&'static Case> {
    let files = [
        boot::CASES,
        jobs::CASES,
        buffers::CASES,
        zero_copy::CASES,
        abi::CASES,
        sessions::CASES,
        neighbours::CASES,
        engine::CASES,
        library::CASES,
        isolation::CASES,
        examples::CASES,
        llm::CASES,
        llm_vision::CASES,
        speech::CASES,
        codec::CASES,
        pipeline::CASES,
        reading::CASES,
        field::CASES,
        costs::CASES,
        chains::CASES,
        bench::CASES,
        observe::CASES,
        eyes::CASES,
        cli::CASES,
        multi::CASES,
        transport::CASES,
        firmware::CASES,
        kill::CASES,
        hostile::CASES,
        reset::CASES,
        bus::CASES,
        fuzz::CASES,
    ];
    let native = files.into_iter().flatten();
    let legacy = ax650_axcl_tests::all().into_iter();
    // Near the end: lockdep is off once a card has been pulled, see tests/rig/src/klog.rs.
    let end = unplug::CASES.iter().chain(last::CASES);
    native.chain(legacy).chain(end).collect()
}

/// The case with this name, with or without its concern.
pub fn find(name: &str) -> Option<&'static Case> {
    let last = name.rsplit('/').next().unwrap_or(name);
    all().into_iter().find(|case| case.name == last)
}
