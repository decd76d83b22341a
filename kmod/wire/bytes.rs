// SPDX-License-Identifier: GPL-2.0

//! Little-endian fields in byte slices, and text of unknown origin.

use core::fmt;

/// Reads the `M` bytes at `at`, if they are all there.
pub fn array_at<const M: usize>(bytes: &[u8], at: usize) -> Option<[u8; M]> {
    bytes.get(at..)?.first_chunk::<M>().copied()
}

/// Reads the u32 at `at`.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

/// Reads the u64 at `at`.
pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_le_bytes)
}

/// Copies as much of `from` as `to` has room for.
///
/// Unlike `copy_from_slice` it has no lengths to panic at, and objtool of some kernels does not know that
/// the function which that calls to panic does not return.
pub fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// Appends to a slice; running out of room is remembered and reported once, by [`Self::finish`].
pub struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
    fits: bool,
}

impl<'a> Writer<'a> {
    /// Starts at the beginning of `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self {
            out,
            len: 0,
            fits: true,
        }
    }

    /// Appends `bytes`, all of them or none.
    pub fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.out.get_mut(self.len..end) {
            Some(room) if self.fits => {
                copy(room, bytes);
                self.len = end;
            }
            _ => self.fits = false,
        }
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    /// Appends a u32.
    pub fn u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    /// Appends a u64.
    pub fn u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }

    /// Bytes written, or `None` if not everything fitted.
    pub fn finish(self) -> Option<usize> {
        self.fits.then_some(self.len)
    }
}

/// Text from a file or a card: ends at the first NUL or with the slice, and is printed with `?` for
/// everything that is not printable ASCII, so that it can neither run over nor forge a log line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// Cuts `field` at its first NUL.
    pub fn new(field: &'a [u8]) -> Self {
        Self(field.split(|&byte| byte == 0).next().unwrap_or(field))
    }

    /// Returns the bytes before the NUL.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&byte| {
            let shown = if matches!(byte, b' '..=b'~') {
                byte
            } else {
                b'?'
            };
            fmt::Write::write_char(f, char::from(shown))
        })
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
