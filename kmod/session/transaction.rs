// SPDX-License-Identifier: GPL-2.0

//! What is known of the transaction on port P0 [rpc 2.3], [rpc 2.4].

use kernel::sync::Arc;

use super::{
    claim::Claim,
    job::{
        Call,
        Copy,
        Frame, //
    },
    staging::Pages, //
};
use crate::{
    buffer::Buffer,
    glue::{
        prelude::*,
        time::Instant, //
    },
    wire::record::{
        CopyRecord,
        Kind, //
    }, //
};

/// What is awaited from the card.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaiting {
    /// Pull: where it wants the data, that is, how much at a time.
    Room,
    /// Pull: that it has read the chunk.
    Taken,
    /// Push: that it has written a chunk.
    Written,
}

/// A transaction.
pub(super) struct Bulk {
    pub(super) job: u64,
    pub(super) step: usize,
    pub(super) buffer: Arc<Buffer>,
    /// First byte in the buffer.
    pub(super) offset: usize,
    /// What of a shared buffer is the transaction's.
    _pages: Option<Pages>,
    /// Type of the frame; none for copies.
    pub(super) frame_type: Option<u32>,
    /// Bytes of this transaction.
    pub(super) total: u32,
    pub(super) done: u32,
    /// Pull: the most the card takes at a time.  Push: bytes of the list it was given.
    pub(super) window: u32,
    /// Pull: bytes of the chunk under way.
    pub(super) chunk: u32,
    pub(super) awaiting: Awaiting,
    /// Pull: the first chunk was named before the card has said how much it takes.
    pub(super) is_ahead: bool,
    /// Pull: whether the first chunk was named so, also after the card has said it.
    pub(super) went_ahead: bool,
    /// When it last moved.
    pub(super) touched: Instant,
    /// What it names, if its job has ended without it.
    pub(super) claim: Option<KBox<Claim>>,
    /// Push: the first chunk, if the card writes all chunks to the beginning of the list.
    pub(super) first: KVVec<u8>,
}

/// How far a transaction has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    /// More is to come.
    Part,
    /// Everything has been moved.
    All,
    /// Nothing has: it is to be tried again.
    Nothing,
    /// The card has said itself that it is not going to touch the memory.
    Refused,
}

impl Bulk {
    /// Makes the next transaction of a copy, of which `moved` bytes are done.  `of`: its job and step.
    pub(super) fn copy(
        of: (u64, usize),
        copy: &Copy,
        moved: u32,
        window: u32,
        now: Instant,
    ) -> Self {
        let left = copy.size - moved;
        let offset = copy.offset + moved as usize;
        if copy.to_card {
            return Self::pull(of, copy.buffer.clone(), offset, left, now);
        }
        // A list is named once per push, and all of the card's chunks go to it: so a push is
        // never longer than one chunk.
        let total = copy.buffer.span(offset, left.min(window)).bytes;
        Self {
            window: total,
            awaiting: Awaiting::Written,
            ..Self::pull(of, copy.buffer.clone(), offset, total, now)
        }
    }

    /// Makes the transaction of a call whose frame is too long for a message.
    pub(super) fn call(of: (u64, usize), call: &mut Call, now: Instant) -> Option<Self> {
        match &mut call.frame {
            Frame::Long(frame) => Some(Self {
                frame_type: Some(call.header.kind),
                _pages: frame.pages.take(),
                ..Self::pull(of, frame.buffer.clone(), frame.offset, frame.len, now)
            }),
            Frame::Short(_) => None,
        }
    }

    /// Makes the transaction in which the card is to fetch `total` bytes.
    fn pull(
        (job, step): (u64, usize),
        buffer: Arc<Buffer>,
        offset: usize,
        total: u32,
        now: Instant,
    ) -> Self {
        Self {
            job,
            step,
            buffer,
            offset,
            _pages: None,
            frame_type: None,
            total,
            done: 0,
            window: 0,
            chunk: 0,
            awaiting: Awaiting::Room,
            is_ahead: false,
            went_ahead: false,
            touched: now,
            claim: None,
            first: KVVec::new(),
        }
    }

    /// Returns what the card is told of a copy.
    pub(super) fn record(&self, copy: &Copy, moved: u32, card: u32) -> CopyRecord {
        CopyRecord {
            sequence: copy.sequence,
            card,
            context: copy.context,
            stream: copy.stream,
            kind: if copy.to_card {
                Kind::ToCard
            } else {
                Kind::FromCard
            },
            address: copy.address.wrapping_add(moved.into()),
            size: self.total,
        }
    }

    /// Returns whether what went ahead was more than the card takes, as it has said meanwhile.
    pub(super) fn was_too_much(&self) -> bool {
        !self.is_ahead && self.chunk > self.window
    }

    /// Returns whether the card may say that it has taken `bytes`: the chunk, or as much as it takes of one that was
    /// too much.
    pub(super) fn may_have_taken(&self, bytes: u32) -> bool {
        let of_too_much = self.was_too_much() && bytes == self.window;
        !self.is_ahead && (bytes == self.chunk || of_too_much)
    }

    /// Returns how many messages of the card are to come for what it has been told.
    pub(super) fn messages_due(&self) -> usize {
        match self.awaiting {
            // How much it takes, and that it has it.
            Awaiting::Taken if self.is_ahead => 2,
            Awaiting::Room | Awaiting::Taken | Awaiting::Written => 1,
        }
    }

    /// Returns whether the card has been told of the buffer and has not said that it is done with it.
    pub(super) fn names_memory(&self) -> bool {
        self.awaiting != Awaiting::Room
    }
}
