// SPDX-License-Identifier: GPL-2.0

//! Statistics of the messages of a card in one direction, since the driver was bound [pcie 8.4].

use crate::glue::time::Delta;

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
}

impl Traffic {
    /// Counts a message of `size` bytes that was copied in the time that it `took`.
    pub(crate) fn note(&mut self, size: usize, took: Delta) {
        // The clock does not go back.
        let ns = took.as_nanos() as u64;
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.bytes = self.bytes.wrapping_add(size.into());
        self.last_size = size;
        self.largest = self.largest.max(size);
        self.ns = self.ns.wrapping_add(ns);
        self.last_ns = ns;
        self.longest_ns = self.longest_ns.max(ns);
    }
}
