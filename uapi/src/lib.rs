// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT

//! ioctl interface of the ax650 driver: the contents of `ax650.h` for Rust.
//!
//! One character device per card, `/dev/ax650-N`, N from 0.  The items are made of the header and are the
//! very ones that the driver is compiled with.  [`ax650_request`] lists the requests with their errors;
//! `docs/uapi.md` and the head of `ax650.h` have the rules for all of them: versions, times, errors.  The
//! crate `ax650` is the safe way to use the interface.
#![no_std]

#[path = "../ax650.rs"]
#[allow(
    non_camel_case_types,
    reason = "the names are those of the header, in which each item is documented"
)]
mod header;
mod layout;

pub use header::*;
use layout::{plain, requests};

pub use layout::Plain;
