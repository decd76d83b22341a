// SPDX-License-Identifier: GPL-2.0

//! Digests, by the kernel's own functions: those use what the CPU has for them.

use core::mem::MaybeUninit;

use super::shim;

/// Bytes of `struct sha256_ctx`, at most; `shim.c` has the same number.
const STATE: usize = 128;

/// Returns the MD5 of `data`.
pub(crate) fn md5(data: &[u8]) -> [u8; 16] {
    let mut out = [0; 16];
    // SAFETY: reads `data`, writes 16 bytes.
    unsafe { shim::ax650_md5(data.as_ptr(), data.len(), out.as_mut_ptr()) };
    out
}

/// SHA-256 of what comes in pieces.
#[repr(C, align(8))]
pub(crate) struct Sha256(MaybeUninit<[u8; STATE]>);

impl Sha256 {
    /// Begins with nothing.
    pub(crate) fn new() -> Self {
        let mut this = Self(MaybeUninit::uninit());
        // SAFETY: writes no more than `STATE` bytes, which are aligned as the structure is.
        unsafe { shim::ax650_sha256_init(this.0.as_mut_ptr().cast()) };
        this
    }

    /// Goes on with `data`.
    pub(crate) fn update(&mut self, data: &[u8]) {
        // SAFETY: `new` has initialised the state; reads `data`.
        unsafe { shim::ax650_sha256_update(self.0.as_mut_ptr().cast(), data.as_ptr(), data.len()) };
    }

    /// Returns the digest.
    pub(crate) fn finish(mut self) -> [u8; 32] {
        let mut out = [0; 32];
        // SAFETY: `new` has initialised the state; writes 32 bytes.
        unsafe { shim::ax650_sha256_final(self.0.as_mut_ptr().cast(), out.as_mut_ptr()) };
        out
    }
}
