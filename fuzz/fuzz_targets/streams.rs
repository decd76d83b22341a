// SPDX-License-Identifier: MIT OR Apache-2.0

//! Target `streams`, fed by libFuzzer.

#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ax650_fuzz::run("streams", bytes));
