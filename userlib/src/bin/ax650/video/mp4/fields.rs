// SPDX-License-Identifier: MIT OR Apache-2.0

//! Boxes and the numbers in them.

/// The kind of a box.
pub type Kind = [u8; 4];

/// Reads numbers, big endian; `None` where the bytes end.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// Takes the next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    /// Takes 8 bits.
    pub fn u8(&mut self) -> Option<u8> {
        Some(self.array::<1>()?[0])
    }

    /// Takes 16 bits.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// Takes 32 bits.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Takes 32 bits with a sign.
    pub fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_be_bytes)
    }

    /// Takes 64 bits.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Takes 64 bits in boxes of version 1, else 32.
    pub fn long(&mut self, version: u8) -> Option<u64> {
        match version {
            1 => self.u64(),
            _ => self.u32().map(u64::from),
        }
    }

    /// Takes the kind of a box.
    pub fn kind(&mut self) -> Option<Kind> {
        self.array()
    }

    /// Takes version and flags at the head of many boxes.
    pub fn version(&mut self) -> Option<(u8, u32)> {
        let word = self.u32()?;
        Some(((word >> 24) as u8, word & 0xFF_FFFF))
    }
}

/// Returns the boxes in the body of another, as far as there are any: ends at a terminator (a size of 0 without a
/// kind), at what cannot be a box, and at the end; a box that is longer than what is left ends there too.
pub fn boxes(body: &[u8]) -> impl Iterator<Item = (Kind, &[u8])> {
    let mut rest = Fields(body);
    std::iter::from_fn(move || {
        let whole = rest.0.len();
        let (size, kind) = (rest.u32()?, rest.kind()?);
        if kind == [0; 4] {
            return None;
        }
        let size = match size {
            0 => whole as u64,
            1 => rest.u64()?,
            size => size.into(),
        };
        let header = (whole - rest.0.len()) as u64;
        let length = usize::try_from(size.checked_sub(header)?).unwrap_or(usize::MAX);
        Some((kind, rest.bytes(length.min(rest.0.len()))?))
    })
}

/// Finds the first box of this kind.
pub fn find<'a>(body: &'a [u8], wanted: &Kind) -> Option<&'a [u8]> {
    boxes(body)
        .find(|(kind, _)| kind == wanted)
        .map(|(_, body)| body)
}

/// Finds the first box at the end of a path of kinds.
pub fn find_at<'a>(body: &'a [u8], path: &[&Kind]) -> Option<&'a [u8]> {
    path.iter().try_fold(body, |body, kind| find(body, kind))
}

/// Writes a kind as text.
pub fn name(kind: Kind) -> String {
    kind.iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_of_all_sizes() {
        let bytes = [
            &[0, 0, 0, 9][..],
            b"aaaa\x01",
            &[0, 0, 0, 1],
            b"bbbb",
            &[0, 0, 0, 0, 0, 0, 0, 18, 2, 3],
            &[0, 0, 0, 0],
            b"ccccrest",
        ]
        .concat();
        let all: Vec<_> = boxes(&bytes).collect();
        assert_eq!(
            all,
            [
                (*b"aaaa", &[1][..]),
                (*b"bbbb", &[2, 3]),
                (*b"cccc", b"rest")
            ]
        );
    }

    #[test]
    fn boxes_end_at_what_is_none() {
        let one = [&[0, 0, 0, 8][..], b"aaaa"].concat();
        for tail in [&[0; 4][..], &[0; 16], &[0, 0, 0, 7, 1, 1, 1, 1], &[1]] {
            assert_eq!(boxes(&[&one[..], tail].concat()).count(), 1, "{tail:?}");
        }
        let long = [&[0, 0, 0, 99][..], b"aaaa12"].concat();
        assert_eq!(boxes(&long).collect::<Vec<_>>(), [(*b"aaaa", &b"12"[..])]);
    }
}
