// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a native call looks like: which there are, their blobs, their answers and errors.

pub mod answer;
pub mod blobs;
pub mod errors;
pub mod table;
