// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a release is checked with, and its list of crates.

pub mod graph;
pub mod policy;
pub mod sbom;
