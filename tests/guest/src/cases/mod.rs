// SPDX-License-Identifier: MIT OR Apache-2.0

//! The cases, a file for each concern.  They run in this order.

// A case is named after the requirement that it tests.
#![allow(non_snake_case)]

mod boot;
mod firmware;
mod last;
mod unplug;

use crate::case::Case;

/// All cases, in order.
pub fn all() -> Vec<&'static Case> {
    let files = [boot::CASES, firmware::CASES, unplug::CASES, last::CASES];
    files.into_iter().flatten().collect()
}

/// The case with this name, with or without its concern.
pub fn find(name: &str) -> Option<&'static Case> {
    let last = name.rsplit('/').next().unwrap_or(name);
    all().into_iter().find(|case| case.name == last)
}
