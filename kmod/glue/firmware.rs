// SPDX-License-Identifier: GPL-2.0

//! Firmware files that the kernel does not keep for the time after a sleep.
//!
//! `kernel::firmware` asks in the name of a device, and before each sleep the kernel reads such files into
//! memory: more than 100 MiB for a card that the driver boots from its file at any time.

use core::{
    ptr::{
        self,
        NonNull, //
    },
    slice, //
};

use kernel::{
    bindings,
    error::to_result,
    prelude::*, //
};

/// A firmware file in memory.
///
/// # Invariants
///
/// Made by `request_firmware`, and owned.
pub(crate) struct Firmware(NonNull<bindings::firmware>);

impl Firmware {
    /// Reads the file `name`.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is none; what else the kernel has against it.
    pub(crate) fn request(name: &CStr) -> Result<Self> {
        let mut firmware = ptr::null();
        // SAFETY: writes to a local; the device is one that may be left out.
        to_result(unsafe {
            bindings::request_firmware(&mut firmware, name.as_char_ptr(), ptr::null_mut())
        })?;
        NonNull::new(firmware.cast_mut()).map(Self).ok_or(ENOENT)
    }

    /// Returns the file's bytes.
    pub(crate) fn data(&self) -> &[u8] {
        // SAFETY: by the invariant, it has as many bytes as it says, which do not change.
        unsafe { slice::from_raw_parts(self.0.as_ref().data, self.0.as_ref().size) }
    }
}

impl Drop for Firmware {
    fn drop(&mut self) {
        // SAFETY: by the invariant.
        unsafe { bindings::release_firmware(self.0.as_ptr()) };
    }
}
