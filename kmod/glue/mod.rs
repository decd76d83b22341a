// SPDX-License-Identifier: GPL-2.0

//! Where the driver touches the kernel's C side.
//!
//! Everything `unsafe`, every `bindings::` call and every C shim of the driver is below this
//! directory; the rest of the module is safe Rust on top of it.  What differs between kernel versions
//! is in `compat/` alone.

pub(crate) mod adapter;
pub(crate) mod chardev;
pub(crate) mod compat;
pub(crate) mod coredump;
pub(crate) mod debugfs;
pub(crate) mod digest;
pub(crate) mod dma;
pub(crate) mod dmabuf;
pub(crate) mod eventfd;
pub(crate) mod firmware;
pub(crate) mod global;
pub(crate) mod hwmon;
pub(crate) mod list;
pub(crate) mod mmio;
pub(crate) mod pages;
pub(crate) mod params;
pub(crate) mod pci;
mod pin;
pub(crate) mod plain;
pub(crate) mod prelude;
pub(crate) mod region;
pub(crate) mod shim;
pub(crate) mod sysfs;
pub(crate) mod task;
pub(crate) mod thread;
pub(crate) mod time;
pub(crate) mod trace;
pub(crate) mod vma;

use kernel::{
    bindings,
    prelude::*, //
};

/// Fills `out` with random bytes.
pub(crate) fn random(out: &mut [u8]) {
    // SAFETY: writes `out.len()` bytes.
    unsafe { bindings::get_random_bytes(out.as_mut_ptr().cast::<c_void>(), out.len()) };
}
