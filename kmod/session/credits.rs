// SPDX-License-Identifier: GPL-2.0

//! How much of a session may be on its way: so no client fills the ring for all, and none has the card keep
//! calls without end.
//!
//! A call counts from the moment it is sent until the card is known to have done with it: its answer has
//! come, or the answer to a later call of the same context and stream, as the card carries those out in
//! order [rpc 4.1].  So calls whose time is over count on, and calls that are not answered by intention
//! (`noresp`) count like others; behind a number of those the driver asks for an answer itself, with
//! SYNC_STREAM, which comes after everything that was queued on the stream.

use super::{
    base::{
        role,
        Base,
        FRAME,
        MAX_GIVEN_UP,
        MAX_UNDER_WAY,
        MAX_UNDER_WAY_SHARED,
        OWN_SEQUENCES, //
    },
    engine::{
        Caller,
        Engine, //
    }, //
};
use crate::{
    glue::time,
    wire::{
        frame,
        rpc, //
    }, //
};

/// Calls without an answer behind which one is asked for, at the latest.
const SYNC_EVERY: usize = 8;

impl Engine {
    /// Returns whether one more call may be sent now.
    pub(super) fn has_credit(&self, session: &Base, no_reply: bool) -> bool {
        let comes = |caller| match caller {
            Caller::Step { .. } | Caller::Internal => true,
            Caller::NoReply | Caller::Sync => no_reply,
            Caller::Nobody { .. } => false,
        };
        let most = if !self.pending.iter().any(|p| comes(p.caller)) {
            MAX_GIVEN_UP
        } else if session.link.senders.get() > 1 {
            MAX_UNDER_WAY_SHARED
        } else {
            MAX_UNDER_WAY
        };
        self.pending.len() < most
    }

    /// Returns whether somebody waits for an answer.
    fn is_awaited(&self) -> bool {
        let waits = |caller| matches!(caller, Caller::Step { .. } | Caller::Internal);
        self.pending.iter().any(|pending| waits(pending.caller))
    }

    /// Returns whether calls were sent since this was last asked, or an answer is waited for.
    pub(super) fn has_sent(&mut self) -> bool {
        core::mem::take(&mut self.sent) || self.is_awaited()
    }

    /// Notes that nobody waits for the answers to calls of job `number` any more; the card has them still.
    pub(super) fn give_up_calls(&mut self, number: u64) {
        for pending in self.pending.iter_mut() {
            if let Caller::Step { job, step } = pending.caller {
                if job == number {
                    pending.caller = Caller::Nobody { job, step };
                }
            }
        }
    }

    /// Forgets calls on the same stream that were sent before the one that was at `at`, which is answered.
    pub(super) fn settle(&mut self, at: usize, answered: &frame::Header) {
        let mut index = 0;
        self.pending.retain(|pending| {
            let earlier = index < at;
            index += 1;
            let same = pending.header.context == answered.context
                && pending.header.stream == answered.stream;
            let waits = !matches!(pending.caller, Caller::Nobody { .. } | Caller::NoReply);
            !earlier || !same || waits
        });
    }

    /// Asks for an answer behind calls that have none, unless that is under way.
    pub(super) fn ask_for_answer(&mut self, session: &Base) {
        let mut silent = self
            .pending
            .iter()
            .filter(|p| p.caller == Caller::NoReply)
            .map(|p| p.header);
        let Some(oldest) = silent.next() else {
            return;
        };
        let enough = silent.count() + 1 >= SYNC_EVERY || !self.has_credit(session, true);
        if !enough || self.pending.iter().any(|p| p.caller == Caller::Sync) {
            return;
        }
        self.syncs += 1;
        let pid = session.process.number() as u32;
        let call = rpc::Call {
            sequence: OWN_SEQUENCES | self.syncs,
            card: session.link.id,
            context: oldest.context,
            stream: oldest.stream,
            pid,
            tid: pid,
            timestamp: time::wall_clock().0.max(0) as u64,
        };
        let mut request = [0; FRAME];
        let request = call
            .sync_stream(&mut request)
            .and_then(|len| request.get(..len));
        let Some((request, header)) = request.and_then(|r| Some((r, frame::Header::parse(r)?)))
        else {
            return;
        };
        // A full ring has room later, and then this comes again.
        if session.publish(role::CALLS, request).is_ok() {
            self.expect(header, Caller::Sync);
        }
    }
}
