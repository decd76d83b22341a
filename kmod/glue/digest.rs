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

/// Secret key of tags.
#[derive(Clone, Copy)]
pub(crate) struct Key([u64; 2]);

impl Key {
    /// Makes a key that nobody knows.
    pub(crate) fn random() -> Self {
        let mut key = [0; 2];
        // SAFETY: writes two words.
        unsafe { shim::ax650_siphash_key(key.as_mut_ptr()) };
        Self(key)
    }
}

/// Tag of what comes in pieces, SipHash-2-4: of the same pieces it is the same, and who does not know the key cannot
/// find others that have it.
pub(crate) struct Tag {
    key: Key,
    tag: u64,
}

impl Tag {
    /// Begins with nothing.
    pub(crate) fn new(key: Key) -> Self {
        Self { key, tag: 0 }
    }

    /// Goes on with a piece.
    pub(crate) fn update(&mut self, piece: &[u8]) {
        // SAFETY: reads `piece` and the two words of the key.
        self.tag = unsafe {
            shim::ax650_siphash(self.tag, piece.as_ptr(), piece.len(), self.key.0.as_ptr())
        };
    }

    /// Returns the tag of all pieces so far.
    pub(crate) fn finish(self) -> u64 {
        self.tag
    }
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
