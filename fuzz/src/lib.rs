// SPDX-License-Identifier: MIT OR Apache-2.0

//! Fuzz targets: functions that take any bytes and panic if a promise is broken.
//!
//! [`TARGETS`] lists them, with seeds.  `tests/mutations.rs` feeds each with mutations, the same in each run, and is part of
//! `make test`; the programs in `fuzz_targets/` hand them to libFuzzer, by `fuzz/run.sh` or cargo-fuzz (docs/testing.md).

// The files of the command line program that read what users give it: the very ones that it is made of.  They name each
// other by `crate::`, so they are here at the top.
#[allow(dead_code)]
#[path = "../../userlib/src/bin/ax650/args.rs"]
mod args;
#[allow(dead_code)]
#[path = "../../userlib/src/bin/ax650/run/npy.rs"]
mod npy;
#[allow(dead_code)]
#[path = "../../userlib/src/bin/ax650/video/mod.rs"]
mod video;

#[allow(unused_imports)]
use ax650_command::{failure, interrupt, output, progress, progress_line, standard};

mod files;
mod firmware;
mod wire;

pub use files::{good_stream, read_clip, with_messages};

/// A target.
pub struct Target {
    /// The target's name, that of its program for libFuzzer.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
    /// Returns good input, and bad input of interest.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[&[Target]] = &[files::TARGETS, firmware::TARGETS, wire::TARGETS];

/// Finds a target.
///
/// # Panics
///
/// If there is none with this name.
pub fn target(name: &str) -> &'static Target {
    let found = TARGETS
        .iter()
        .copied()
        .flatten()
        .find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("no target `{name}`"))
}

/// Feeds the target with this name.
///
/// # Panics
///
/// If there is none, or a promise is broken.
pub fn run(name: &str, bytes: &[u8]) {
    (target(name).run)(bytes);
}
