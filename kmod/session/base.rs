// SPDX-License-Identifier: GPL-2.0

//! What all parts of a session work with: its place on the card, its client, its counts.

use kernel::sync::Arc;

use super::grants::Grants;
use crate::{
    buffer::{
        account::Seat,
        pool::Pool,
        Buffer, //
    },
    counters::Counter,
    glue::{
        prelude::*,
        task::Process,
        time::Delta,
        trace, //
    },
    link::{
        ports::Group,
        tx::{
            SendError,
            Sender, //
        },
        Link, //
    }, //
};

/// The card's DMA buffer for a session, hence the most one chunk of a copy moves [rpc 2.3].
pub(crate) const WINDOW: u32 = 0x40_0000;

/// Sequence numbers of the driver's own calls in a client's session begin here; a client that counts up does
/// not get here.
pub(super) const OWN_SEQUENCES: u64 = 1 << 63;

/// Calls of a session that are under way.  A message has 1 KiB at most, so all sessions together leave room in
/// the ring.
pub(crate) const MAX_UNDER_WAY: usize = 64;

/// Calls that are under way while other sessions send some, too: what is in the ring is ahead of theirs.
pub(crate) const MAX_UNDER_WAY_SHARED: usize = 16;

/// Calls that are under way when all of them are given up: one at a time may still find out that the card goes on.
pub(crate) const MAX_GIVEN_UP: usize = 128;

/// Steps that a session has queued: those of some dozen of the longest jobs.
pub(crate) const MAX_QUEUED_STEPS: usize = 4096;

/// A frame built by the driver, header included; the longest is a shell call.
pub(super) const FRAME: usize = 288;

/// Longest request or answer frame.
pub(crate) const MAX_FRAME: u32 = 8 << 20;

// TIMEOUT: a transaction that has not moved for so long never will.
pub(super) const STALL: Delta = Delta::from_secs(10);

/// Roles of the four ports, as indices into [`Base::ports`] [rpc 1.1].
pub(crate) mod role {
    /// Transactions begun by the host.
    pub(crate) const HOST_BULK: usize = 0;
    /// Transactions begun by the card.
    pub(crate) const CARD_BULK: usize = 1;
    /// Calls.
    pub(crate) const CALLS: usize = 2;
    /// Answers.
    pub(crate) const ANSWERS: usize = 3;
}

/// What does not change of a session.  No locks; it lives as long as the session.
pub(crate) struct Base {
    pub(super) link: Arc<Link>,
    pub(super) pool: Arc<Pool>,
    pub(super) grants: Arc<Grants>,
    /// The card's boot that it belongs to.
    pub(crate) generation: u32,
    pub(crate) ports: Group,
    pub(crate) process: Process,
    /// Name of the process.
    pub(crate) comm: [u8; 16],
    /// Place of its client.  None: the driver's own session, for telemetry and health.
    pub(crate) seat: Option<Seat>,
    pub(crate) jobs: Counter,
    pub(crate) bytes_to_card: Counter,
    pub(crate) bytes_from_card: Counter,
}

impl Base {
    /// Puts a message into the ring, on the port of this `role`.
    pub(super) fn publish(&self, role: usize, message: &[u8]) -> Result<(), SendError> {
        let port = self.ports.get(role).copied().unwrap_or(0);
        let sender = match self.seat {
            Some(_) => Sender::Client,
            None => Sender::Driver,
        };
        self.link.publish(sender, port, message)
    }

    /// Returns the number by which the session's table is known.
    pub(super) fn owner(&self) -> u32 {
        self.ports[role::HOST_BULK]
    }

    /// Returns a step in the terms of events.
    pub(super) fn step(&self, job: u64, index: usize) -> trace::Step {
        trace::Step {
            session: self.owner(),
            job,
            index,
        }
    }

    /// Keeps memory that the card may still write to.
    pub(super) fn quarantine(&self, buffer: Arc<Buffer>) {
        self.pool.quarantine(self.generation, buffer);
    }

    /// Counts bytes that the card has moved.
    pub(super) fn count_bytes(&self, to_card: bool, bytes: u32) {
        let all = &self.link.counters;
        let (all, own) = if to_card {
            (&all.bytes_to_card, &self.bytes_to_card)
        } else {
            (&all.bytes_from_card, &self.bytes_from_card)
        };
        all.add(bytes.into());
        own.add(bytes.into());
    }
}
