// SPDX-License-Identifier: MIT OR Apache-2.0

//! Bits of a NAL unit.

/// Reads bits, most significant first, leaving out the emulation prevention bytes.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// Bytes of value 0 just read.
    zeros: u8,
    current: u8,
    left: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            zeros: 0,
            current: 0,
            left: 0,
        }
    }

    fn next_byte(&mut self) -> Option<u8> {
        let (mut byte, mut rest) = self.bytes.split_first()?;
        if self.zeros >= 2 && *byte == 3 {
            self.zeros = 0;
            (byte, rest) = rest.split_first()?;
        }
        self.bytes = rest;
        self.zeros = if *byte == 0 {
            self.zeros.saturating_add(1)
        } else {
            0
        };
        Some(*byte)
    }

    /// Reads one bit.
    pub(super) fn flag(&mut self) -> Option<bool> {
        if self.left == 0 {
            self.current = self.next_byte()?;
            self.left = 8;
        }
        self.left -= 1;
        Some((self.current >> self.left) & 1 == 1)
    }

    /// Reads a number of `count` bits, 32 at most.
    pub(super) fn number(&mut self, count: u32) -> Option<u32> {
        let mut value: u32 = 0;
        for _ in 0..count {
            value = (value << 1) | u32::from(self.flag()?);
        }
        Some(value)
    }

    pub(super) fn skip(&mut self, count: u32) -> Option<()> {
        for _ in 0..count {
            self.flag()?;
        }
        Some(())
    }

    /// Reads an Exp-Golomb number.
    pub(super) fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        // At most 2^32 - 2.
        Some(((1_u64 << zeros) - 1) as u32 + self.number(zeros)?)
    }

    /// Reads a signed Exp-Golomb number.
    pub(super) fn signed_golomb(&mut self) -> Option<i64> {
        let code = i64::from(self.golomb()?);
        Some(if code % 2 == 1 {
            (code + 1) / 2
        } else {
            -(code / 2)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golomb_numbers() {
        // 1 010 011 00100 00101 then ones
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1111_1111]);
        assert_eq!(
            (0..5).map(|_| bits.golomb().unwrap()).collect::<Vec<_>>(),
            [0, 1, 2, 3, 4]
        );
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1111_1111]);
        let signed: Vec<_> = (0..5).map(|_| bits.signed_golomb().unwrap()).collect();
        assert_eq!(signed, [0, 1, -1, 2, -2]);
    }

    #[test]
    fn emulation_prevention() {
        let mut bits = Bits::new(&[0, 0, 3, 1, 0, 0, 0, 3]);
        assert_eq!(bits.number(32), Some(0x0000_0100));
        assert_eq!(bits.number(16), Some(0));
        assert_eq!(bits.flag(), None);
    }

    #[test]
    fn endless_zeros_end() {
        assert_eq!(Bits::new(&[0; 16]).golomb(), None);
        assert_eq!(Bits::new(&[]).golomb(), None);
    }
}
