// SPDX-License-Identifier: GPL-2.0

//! Statistics of the messages of a card in one direction, since the driver was bound [pcie 8.4].

use crate::{
    glue::time::{
        Delta,
        Instant,
        Moment, //
    },
    wire::bytes::u32_at, //
};

/// How many of the last messages are remembered.
const HEADS: usize = 16;

/// What is remembered of a message.
#[derive(Clone, Copy, Default)]
pub(crate) struct Head {
    pub(crate) port: u32,
    /// Bytes; 0: no message.
    pub(crate) size: u32,
    /// When it was copied, nanoseconds.
    pub(crate) at: u64,
    /// The type of a frame, 0 for anything else: messages may hold what is a client's.
    pub(crate) kind: u32,
}

impl Head {
    fn new(port: u32, message: &[u8], at: u64) -> Self {
        // The first and the last byte of a type.
        let is_type = |word: &u32| word & 0xff00_00fe == 0;
        Self {
            port,
            size: u32::try_from(message.len()).unwrap_or(u32::MAX),
            at,
            kind: u32_at(message, 0).filter(is_type).unwrap_or(0),
        }
    }
}

/// Sizes and times.
#[derive(Clone, Copy, Default)]
pub(crate) struct Traffic {
    /// Payload of all messages.
    pub(crate) bytes: u64,
    /// Payload of the last one,
    pub(crate) last_size: u32,
    /// and of the largest.
    pub(crate) largest: u32,
    /// What it took to copy all of them into or out of the ring, nanoseconds,
    pub(crate) ns: u64,
    /// the last one,
    pub(crate) last_ns: u64,
    /// and the one that took longest.
    pub(crate) longest_ns: u64,
    heads: [Head; HEADS],
    /// Messages that were remembered.
    count: usize,
}

impl Traffic {
    /// Counts a message that was copied in the time that it `took`, from `begun` on.
    pub(crate) fn note(&mut self, port: u32, message: &[u8], begun: Instant, took: Delta) {
        // The clock does not go back.
        let ns = took.as_nanos() as u64;
        let head = Head::new(port, message, begun.nanos());
        let size = head.size;
        if let Some(slot) = self.heads.get_mut(self.count % HEADS) {
            *slot = head;
        }
        self.count = self.count.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(size.into());
        self.last_size = size;
        self.largest = self.largest.max(size);
        self.ns = self.ns.wrapping_add(ns);
        self.last_ns = ns;
        self.longest_ns = self.longest_ns.max(ns);
    }

    /// Iterates over the last messages, the oldest first.
    pub(crate) fn heads(&self) -> impl Iterator<Item = &Head> {
        let from = self.count % HEADS;
        let (newer, older) = self.heads.split_at_checked(from).unwrap_or((&[], &[]));
        Iterator::chain(older.iter(), newer).filter(|head| head.size > 0)
    }
}
