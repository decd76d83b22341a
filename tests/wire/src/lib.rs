// SPDX-License-Identifier: MIT OR Apache-2.0

//! The pure part of the kernel module, compiled for the host so that it can be tested there: these
//! are the very files the kernel builds.

#[path = "../../../kmod/wire/mod.rs"]
pub mod wire;

pub mod containers;
pub mod examples;
pub mod fuzz;
