// SPDX-License-Identifier: MIT OR Apache-2.0

//! Target `mp4_descriptions`, fed by libFuzzer.

#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ax650_fuzz::run("mp4_descriptions", bytes));
