// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT

//! ioctl interface of the ax650 driver: the contents of `ax650.h` for Rust.
//!
//! One character device per card, `/dev/ax650-N`, N from 0.  All fields are host endian; all
//! structures have the same layout for 32 and 64 bit callers, and no padding.  `docs/uapi.md` tells
//! the whole story, with the errors of each request; the crate `ax650` is the safe way to use it.
//!
//! # Versions
//!
//! The kernel dispatches on the number of a request; the size in the request's code is that of the
//! caller's structure.  A caller older than the kernel passes a shorter structure: the fields it lacks
//! count as 0 and are not written.  A newer caller passes a longer one: the bytes that the kernel does
//! not know must be 0 (else E2BIG) and come back as they were.  Structures grow at their end only.
//! Reserved fields and unknown flag bits must be 0 (else EINVAL).
//!
//! # Times
//!
//! Absolute, in nanoseconds of CLOCK_MONOTONIC.
//!
//! # Errors common to all requests
//!
//! ENODEV: the card is gone (unplugged, driver unbound).  ENOTTY: no such request.  EFAULT: bad
//! pointer.  EINVAL: bad field.  E2BIG: see above.  ENOMEM: no memory.  EINTR: a signal arrived.
#![no_std]
#![allow(non_camel_case_types)] // the names are those of the header

mod buffer;
mod control;
mod job;
mod layout;
mod query;
mod request;
mod session;

pub use buffer::{ax650_buffer_create, ax650_buffer_destroy};
pub use control::*;
pub use job::*;
pub use layout::Plain;
pub use query::*;
pub use request::*;
pub use session::{ax650_session_create, ax650_session_destroy};

/// Version of the interface, as [`ax650_card_info::abi_version`] gives that of the driver.
pub const AX650_ABI_VERSION: u32 = 1;
