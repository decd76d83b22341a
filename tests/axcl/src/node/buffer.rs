// SPDX-License-Identifier: MIT OR Apache-2.0

//! `/dev/ax_mmb_dev`: host memory that the card reaches [pcie 7].

use std::io;

use ax650_test_kit::map::Map;

use super::{get32, get64, put32, put64, Node};

/// Name of the node.
pub const NAME: &str = "ax_mmb_dev";

/// One contiguous buffer, mapped uncached.
pub const ALLOCATE: u32 = 0xC020_4804;
/// One contiguous buffer, mapped cached.
pub const ALLOCATE_CACHED: u32 = 0xC020_4805;
/// Cleans and invalidates the CPU's cache.
pub const FLUSH: u32 = 0x4020_4806;
/// Invalidates it.
pub const INVALIDATE: u32 = 0x4020_4807;
/// A list of pieces.
pub const SCATTER: u32 = 0x4610_4808;
/// Pools, which are not built in.
pub const POOL: [u32; 2] = [0x4010_4809, 0x4010_480A];

/// Length of the argument for a contiguous buffer.
pub const SINGLE: usize = 32;
/// Length of the argument for a list.
pub const LIST: usize = 1552;
/// Most pieces of a list.
pub const PIECES: usize = 64;

/// The argument for a contiguous buffer (7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Single {
    /// Bus number of the card.
    pub device: u32,
    /// Bytes.
    pub size: u32,
    /// Where the card finds it.
    pub bus: u64,
    /// Where this process does; only read by the cache requests.
    pub address: u64,
}

impl Single {
    /// Its bytes.
    pub fn to_bytes(self) -> [u8; SINGLE] {
        let mut bytes = [0; SINGLE];
        put32(&mut bytes, 0, self.device);
        put32(&mut bytes, 8, self.size);
        put64(&mut bytes, 16, self.bus);
        put64(&mut bytes, 24, self.address);
        bytes
    }

    /// From its bytes.
    pub fn from_bytes(bytes: &[u8; SINGLE]) -> Self {
        Self {
            device: get32(bytes, 0),
            size: get32(bytes, 8),
            bus: get64(bytes, 16),
            address: get64(bytes, 24),
        }
    }
}

/// A piece of memory in the card's eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Bus address.
    pub bus: u64,
    /// Bytes.
    pub size: u32,
}

/// The argument for a list, with the size and id that go in.
pub fn list_argument(device: u32, size: u32) -> Box<[u8; LIST]> {
    let mut bytes = Box::new([0; LIST]);
    put32(&mut bytes[..], 0, device);
    put32(&mut bytes[..], 4, size);
    bytes
}

/// The pieces that the driver has put into it.
pub fn pieces_of(bytes: &[u8; LIST]) -> Vec<Piece> {
    let count = (get32(bytes, 8) as usize).min(PIECES);
    (0..count)
        .map(|at| 16 + at * 24)
        .map(|at| Piece {
            size: get32(bytes, at),
            bus: get64(bytes, at + 8),
        })
        .collect()
}

/// An open file of the node.
#[derive(Debug)]
pub struct BufferNode {
    /// The file.
    pub node: Node,
}

impl BufferNode {
    /// Opens it.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            node: Node::open(NAME)?,
        })
    }

    /// Nr 4, or 5 for a cached one: the buffer's bus address.
    pub fn allocate(&self, device: u32, size: u32, cached: bool) -> io::Result<u64> {
        let mut bytes = Single {
            device,
            size,
            ..Single::default()
        }
        .to_bytes();
        let code = if cached { ALLOCATE_CACHED } else { ALLOCATE };
        self.node.bytes(code, &mut bytes)?;
        Ok(Single::from_bytes(&bytes).bus)
    }

    /// Nr 8: the pieces.
    pub fn scatter(&self, device: u32, size: u32) -> io::Result<Vec<Piece>> {
        let mut bytes = list_argument(device, size);
        self.node.bytes(SCATTER, &mut bytes)?;
        Ok(pieces_of(&bytes))
    }

    /// Nr 6 or 7, for any address.
    pub fn cache(&self, code: u32, device: u32, address: u64, size: u32) -> io::Result<()> {
        let mut bytes = Single {
            device,
            size,
            bus: 0,
            address,
        }
        .to_bytes();
        self.node.bytes(code, &mut bytes).map(drop)
    }

    /// Maps `len` bytes from `offset`.
    pub fn map(&self, offset: u64, len: usize) -> io::Result<Map> {
        Map::new(&self.node, offset, len)
    }
}
