// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where things lie in the shared region, and how much room a message takes [pcie 4.3], [pcie 4.5].

/// Bytes of a message header.
const HEADER: u64 = 24;

/// Messages must be shorter than this [pcie 4.6].
pub const MAX_PAYLOAD: usize = 0x6_0000;

/// One ring.  All places are offsets from the start of the region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring {
    /// First data byte.
    pub data: u64,
    /// Data bytes; not a power of two.
    pub size: u64,
    /// The consumer's pointer.
    pub read_pointer: u64,
    /// The producer's pointer.
    pub write_pointer: u64,
}

/// Both rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Host to card: first half of the region.
    pub h2c: Ring,
    /// Card to host: second half.
    pub c2h: Ring,
}

impl Ring {
    fn new(data: u64, size: u64) -> Self {
        Self {
            data,
            size,
            read_pointer: data - 0x40,
            write_pointer: data - 0x20,
        }
    }
}

impl Geometry {
    /// Smallest region that this card accepts: each ring holds at least a few messages.
    pub const MIN: u64 = 0x1000;

    /// The rings in a region of `n` bytes, `n >= MIN`.
    pub fn new(n: u64) -> Self {
        let half = n / 2;
        Self {
            h2c: Ring::new(0x80, half - 0x140),
            c2h: Ring::new(half + 0x80, half - 0x1c0),
        }
    }
}

/// Bytes that a message of `len` payload bytes takes in a ring: header and payload, and 33 to 64
/// bytes of padding.
pub fn total(len: u64) -> u64 {
    (len + HEADER) / 32 * 32 + 64
}

/// Where one message lies in its ring; places are offsets from the ring's first data byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placement {
    /// Place of the header.
    pub header: u64,
    /// Place of the first payload byte.
    pub payload: u64,
    /// Payload bytes before the end of the ring; the others follow at offset 0.
    pub first: u64,
    /// How far the pointer moves.
    pub advance: u64,
}

impl Ring {
    /// What pointers move by a multiple of: 32, unless messages may have to skip the end of a ring of
    /// odd size.
    pub(super) fn step(&self) -> u64 {
        match self.size % 32 {
            0 => 32,
            _ => 8,
        }
    }

    /// Where a message of `len` payload bytes lies when the pointer is `pointer`.
    pub(super) fn place(&self, pointer: u64, len: u64) -> Placement {
        let at = pointer % self.size;
        let tail = self.size - at;
        if tail < HEADER {
            // The rest of the ring is skipped.
            return Placement {
                header: 0,
                payload: HEADER,
                first: len,
                advance: total(len) + tail,
            };
        }
        Placement {
            header: at,
            payload: at + HEADER,
            first: (len + HEADER).min(tail) - HEADER,
            advance: total(len),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_size() {
        let g = Geometry::new(0x40_0000);
        let h2c = Ring {
            data: 0x80,
            size: 0x1f_fec0,
            read_pointer: 0x40,
            write_pointer: 0x60,
        };
        let c2h = Ring {
            data: 0x20_0080,
            size: 0x1f_fe40,
            read_pointer: 0x20_0040,
            write_pointer: 0x20_0060,
        };
        assert_eq!(g, Geometry { h2c, c2h });
        assert_eq!(h2c.data + h2c.size, 0x1f_ff40);
        assert_eq!(c2h.data + c2h.size, 0x3f_fec0);
    }

    #[test]
    fn totals() {
        let table = [
            (1, 64),
            (7, 64),
            (8, 96),
            (9, 96),
            (40, 128),
            (100, 160),
            (128, 192),
            (4096, 4160),
            (393_215, 393_280),
        ];
        for (len, expected) in table {
            assert_eq!(total(len), expected, "{len}");
        }
    }

    #[test]
    fn wrap_vector() {
        let ring = Geometry::new(0x40_0000).h2c;
        let mut wp = 0;
        let mut starts = Vec::new();
        let mut last = None;
        for _ in 0..6 {
            let place = ring.place(wp, 0x5_ffff);
            starts.push(place.header);
            wp += place.advance;
            last = Some(place);
        }
        assert_eq!(
            starts,
            [0, 0x6_0040, 0xc_0080, 0x12_00c0, 0x18_0100, 0x1e_0140]
        );
        assert_eq!(wp, 0x24_0180);
        assert_eq!(wp % ring.size, 0x4_02c0);
        // 130 408 bytes at the end, 262 807 from the start.
        let last = last.unwrap();
        assert_eq!((last.first, 0x5_ffff - last.first), (130_408, 262_807));
    }

    #[test]
    fn skip_rule() {
        let ring = Ring {
            data: 0x80,
            size: 0x1000 - 8,
            read_pointer: 0x40,
            write_pointer: 0x60,
        };
        let place = ring.place(ring.size - 16, 10);
        assert_eq!(
            place,
            Placement {
                header: 0,
                payload: 24,
                first: 10,
                advance: 96 + 16
            }
        );
        let edge = ring.place(ring.size - 24, 10);
        assert_eq!(
            (edge.header, edge.first, edge.advance),
            (ring.size - 24, 0, 96)
        );
    }
}
