// SPDX-License-Identifier: MIT OR Apache-2.0

//! The memory through which a process and the card exchange data: a scatter buffer, or parts of
//! one in a shape that a test wants.

use anyhow::{ensure, Context, Result};

use ax650_test_kit::map::Map;

use crate::node::buffer::{BufferNode, Piece, PIECES};

/// Which bytes of a buffer the card is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Bytes of the buffer that are left out at first.
    pub start: usize,
    /// Bytes of a part.
    pub part: usize,
    /// Bytes left out between parts.
    pub gap: usize,
    /// Most parts.
    pub parts: usize,
}

impl Cut {
    /// The pieces as the driver gives them.
    pub const WHOLE: Self = Self {
        start: 0,
        part: usize::MAX,
        gap: 0,
        parts: PIECES,
    };
}

/// A part of the buffer that the card is told of.
#[derive(Debug, Clone, Copy)]
struct Part {
    offset: usize,
    piece: Piece,
}

/// A buffer with the parts of it that are used.
#[derive(Debug)]
pub struct Window {
    map: Map,
    parts: Vec<Part>,
    // Held open as long as the mapping, as Axera's library does.
    _node: BufferNode,
}

impl Window {
    /// Allocates `size` bytes for the card and cuts them.
    pub fn new(device: u32, size: u32, cut: Cut) -> Result<Self> {
        let node = BufferNode::open().context("ax_mmb_dev")?;
        let pieces = node
            .scatter(device, size)
            .with_context(|| format!("a scatter buffer of {size} bytes"))?;
        let map = node.map(0, size as usize).context("mmap")?;
        let parts = parts(&pieces, cut);
        ensure!(!parts.is_empty(), "nothing left of {size} bytes: {cut:?}");
        Ok(Self {
            map,
            parts,
            _node: node,
        })
    }

    /// Bytes that go through it at a time.
    pub fn capacity(&self) -> usize {
        self.parts.iter().map(|part| part.piece.size as usize).sum()
    }

    /// The pieces that hold the first `bytes` bytes.
    pub fn pieces(&self, bytes: usize) -> Vec<Piece> {
        self.shares(bytes)
            .map(|(part, share)| Piece {
                bus: part.piece.bus,
                size: share as u32,
            })
            .collect()
    }

    /// Puts data into the parts, in order.
    pub fn put(&self, mut data: &[u8]) {
        for (part, share) in self.shares(data.len()) {
            let (now, rest) = data.split_at(share);
            self.map.write(part.offset, now);
            data = rest;
        }
    }

    /// Takes `bytes` bytes out of the parts, in order.
    pub fn take(&self, bytes: usize) -> Vec<u8> {
        let mut data = Vec::with_capacity(bytes);
        for (part, share) in self.shares(bytes) {
            data.extend(self.map.read(part.offset, share));
        }
        data
    }

    /// Fills the whole buffer, parts and gaps.
    pub fn fill(&self, value: u8) {
        self.map.write(0, &vec![value; self.map.len()]);
    }

    /// Whether all bytes outside of the first `bytes` of the parts have this value.
    pub fn rest_is(&self, bytes: usize, value: u8) -> bool {
        let mut all = self.map.read(0, self.map.len());
        for (part, share) in self.shares(bytes) {
            all[part.offset..part.offset + share].fill(value);
        }
        all.iter().all(|&byte| byte == value)
    }

    /// The parts with as much of each as `bytes` bytes take.
    fn shares(&self, bytes: usize) -> impl Iterator<Item = (Part, usize)> + '_ {
        let mut left = bytes;
        self.parts.iter().map_while(move |part| {
            let share = left.min(part.piece.size as usize);
            left -= share;
            (share > 0).then_some((*part, share))
        })
    }
}

/// Cuts pieces that lie one after another in a mapping.
fn parts(pieces: &[Piece], cut: Cut) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut begin = 0;
    // The next part begins here, and has this many bytes to go.
    let mut at = cut.start;
    let mut left = cut.part;
    for piece in pieces {
        let end = begin + piece.size as usize;
        while at < end && parts.len() < cut.parts.min(PIECES) {
            let share = left.min(end - at);
            parts.push(Part {
                offset: at,
                piece: Piece {
                    bus: piece.bus + (at - begin) as u64,
                    size: share as u32,
                },
            });
            at += share;
            left -= share;
            if left == 0 {
                at += cut.gap;
                left = cut.part;
            }
        }
        begin = end;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECES_OF_TWO: [Piece; 2] = [
        Piece {
            bus: 0x1000,
            size: 100,
        },
        Piece {
            bus: 0x9000,
            size: 50,
        },
    ];

    fn cut(start: usize, part: usize, gap: usize, count: usize) -> Vec<(usize, u64, u32)> {
        let cut = Cut {
            start,
            part,
            gap,
            parts: count,
        };
        let parts = parts(&PIECES_OF_TWO, cut);
        parts
            .iter()
            .map(|p| (p.offset, p.piece.bus, p.piece.size))
            .collect()
    }

    #[test]
    fn whole() {
        assert_eq!(
            cut(0, usize::MAX, 0, 64),
            [(0, 0x1000, 100), (100, 0x9000, 50)]
        );
    }

    #[test]
    fn parts_cross_pieces_in_two() {
        assert_eq!(
            cut(90, 20, 5, 64),
            [
                (90, 0x105a, 10),
                (100, 0x9000, 10),
                (115, 0x900f, 20),
                (140, 0x9028, 10)
            ]
        );
        assert_eq!(cut(3, 1, 0, 2), [(3, 0x1003, 1), (4, 0x1004, 1)]);
    }
}
