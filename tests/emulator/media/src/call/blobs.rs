// SPDX-License-Identifier: MIT OR Apache-2.0

//! Arguments and structures as they travel: little endian, LP64 layout [rpc 7], [rpc 7.6].

/// Reads fields of a structure by offset.  What lies beyond its end reads as zero; the sizes of
/// all arguments are checked before a call is looked at.
#[derive(Debug, Clone, Copy)]
pub struct View<'a>(pub &'a [u8]);

impl<'a> View<'a> {
    fn bytes<const N: usize>(self, at: usize) -> [u8; N] {
        self.0
            .get(at..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .unwrap_or([0; N])
    }

    /// The byte at `at`.
    pub fn u8(self, at: usize) -> u8 {
        self.bytes::<1>(at)[0]
    }

    /// The 16-bit number at `at`.
    pub fn i16(self, at: usize) -> i16 {
        i16::from_le_bytes(self.bytes(at))
    }

    /// The 32-bit number at `at`.
    pub fn u32(self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    /// The signed 32-bit number at `at`.
    pub fn i32(self, at: usize) -> i32 {
        i32::from_le_bytes(self.bytes(at))
    }

    /// The 64-bit number at `at`.
    pub fn u64(self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }

    /// The float at `at`.
    pub fn f32(self, at: usize) -> f32 {
        f32::from_le_bytes(self.bytes(at))
    }

    /// Three consecutive 32-bit numbers.
    pub fn u32s(self, at: usize) -> [u32; 3] {
        [0, 4, 8].map(|i| self.u32(at + i))
    }

    /// Three consecutive 64-bit numbers.
    pub fn u64s(self, at: usize) -> [u64; 3] {
        [0, 8, 16].map(|i| self.u64(at + i))
    }

    /// The part from `at` on.
    pub fn at(self, at: usize) -> View<'a> {
        View(self.0.get(at..).unwrap_or_default())
    }

    /// The text of a zero-terminated array of `len` bytes.
    pub fn text(self, at: usize, len: usize) -> String {
        let bytes = self.at(at).0;
        let bytes = &bytes[..len.min(bytes.len())];
        let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
        String::from_utf8_lossy(&bytes[..end]).into_owned()
    }
}

/// The arguments of a call, whose number and sizes have been checked.
#[derive(Debug, Clone, Copy)]
pub struct Args<'a>(pub &'a [Vec<u8>]);

impl<'a> Args<'a> {
    /// The bytes of argument `i`.
    pub fn bytes(self, i: usize) -> &'a [u8] {
        self.0.get(i).map(Vec::as_slice).unwrap_or_default()
    }

    /// Argument `i` as a structure.
    pub fn view(self, i: usize) -> View<'a> {
        View(self.bytes(i))
    }

    /// Argument `i` as a 32-bit number.
    pub fn u32(self, i: usize) -> u32 {
        self.view(i).u32(0)
    }

    /// Argument `i` as a signed 32-bit number.
    pub fn i32(self, i: usize) -> i32 {
        self.view(i).i32(0)
    }

    /// Argument `i` as a 64-bit number.
    pub fn u64(self, i: usize) -> u64 {
        self.view(i).u64(0)
    }
}

/// A structure being filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record(Vec<u8>);

impl Record {
    /// `size` zero bytes.
    pub fn new(size: usize) -> Self {
        Self(vec![0; size])
    }

    /// A structure with the content `bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Puts `bytes` at `at`; what would lie beyond the end is dropped.
    pub fn bytes(&mut self, at: usize, bytes: &[u8]) -> &mut Self {
        if let Some(room) = self.0.get_mut(at..) {
            let n = room.len().min(bytes.len());
            room[..n].copy_from_slice(&bytes[..n]);
        }
        self
    }

    /// Puts a 16-bit number at `at`.
    pub fn u16(&mut self, at: usize, value: u16) -> &mut Self {
        self.bytes(at, &value.to_le_bytes())
    }

    /// Puts a 32-bit number at `at`.
    pub fn u32(&mut self, at: usize, value: u32) -> &mut Self {
        self.bytes(at, &value.to_le_bytes())
    }

    /// Puts a 64-bit number at `at`.
    pub fn u64(&mut self, at: usize, value: u64) -> &mut Self {
        self.bytes(at, &value.to_le_bytes())
    }

    /// The finished structure.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// `usize` as the 32-bit number of a structure; what does not fit becomes the largest.
pub fn clamp32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_by_offset() {
        let mut r = Record::new(12);
        r.u32(0, 0x0403_0201).u16(4, 0x0605).bytes(10, &[9, 9, 9]);
        let bytes = r.finish();
        assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 9, 9]);
        let v = View(&bytes);
        assert_eq!((v.u32(0), v.i16(4), v.u8(11)), (0x0403_0201, 0x0605, 9));
        assert_eq!((v.u64(8), v.u32(12), v.u32(usize::MAX)), (0, 0, 0));
        assert_eq!(View(b"abc\0def").text(0, 32), "abc");
        assert_eq!(View(b"abc").text(1, 32), "bc");
    }
}
