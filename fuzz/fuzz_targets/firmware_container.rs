// SPDX-License-Identifier: MIT OR Apache-2.0

//! Target `firmware_container`, fed by libFuzzer.

#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ax650_fuzz::run("firmware_container", bytes));
