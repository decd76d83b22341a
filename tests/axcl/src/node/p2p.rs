// SPDX-License-Identifier: MIT OR Apache-2.0

//! `/dev/p2p`: where other cards are, in the cards' eyes [pcie 8.3].

use std::io;

use super::Node;

/// Name of the node.
pub const NAME: &str = "p2p";

/// The table of cards; the only request of a host.
pub const TABLE: u32 = 0x8148_5002;
/// Entries that it has room for.
pub const ENTRIES: usize = 8;
/// Length of its argument.
pub const TABLE_SIZE: usize = 328;

/// Requests of the card side: 1, 3, 5, 6, 7, 14, 15.
pub const CARD_SIDE: [u32; 7] = [
    0x4148_5001,
    0xC0C8_5003,
    0x8040_5005,
    0x8020_5006,
    0x0000_5007,
    0x8004_500E,
    0x4008_500F,
];

/// An open file of the node.
#[derive(Debug)]
pub struct P2pNode {
    /// The file.
    pub node: Node,
}

impl P2pNode {
    /// Opens it.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            node: Node::open(NAME)?,
        })
    }

    /// Nr 2: the table as it is.
    pub fn table(&self) -> io::Result<[u8; TABLE_SIZE]> {
        let mut table = [0; TABLE_SIZE];
        self.node.bytes(TABLE, &mut table)?;
        Ok(table)
    }
}
