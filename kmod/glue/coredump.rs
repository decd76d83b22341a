// SPDX-License-Identifier: GPL-2.0

//! Device coredumps, which the kernel crate has no abstraction of.

use core::fmt::{
    self,
    Write, //
};

use kernel::{
    bindings,
    pci,
    prelude::*, //
};

use super::pci::raw_device;

// The empty structs that bindgen makes of opaque types are behind pointers only.
#[allow(improper_ctypes)]
extern "C" {
    fn ax650_coredump(dev: *mut bindings::device, text: *const c_void, len: usize);
}

/// A text that grows.
#[derive(Default)]
pub(crate) struct Text(KVVec<u8>);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let added = self.0.extend_from_slice(text.as_bytes(), GFP_KERNEL);
        added.map_err(|_| fmt::Error)
    }
}

/// Leaves `text` for root to read, in `/sys/class/devcoredump`.
pub(crate) fn leave(pdev: &pci::Device, text: &Text) {
    if !text.0.is_empty() {
        let bytes = text.0.as_ptr().cast();
        // SAFETY: a valid device; the bytes are copied.
        unsafe { ax650_coredump(raw_device(pdev.as_ref()), bytes, text.0.len()) };
    }
}
