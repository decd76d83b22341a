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
        Engine,
        Pending, //
    },
    transaction::Bulk, //
};
use crate::{
    glue::time,
    link::chains::{
        First,
        CHAIN, //
    },
    wire::{
        frame,
        rpc, //
    }, //
};

/// Calls without an answer behind which one is asked for, at the latest.
const SYNC_EVERY: usize = 8;

impl Engine {
    /// Returns whether one more call may be sent now, where `pending` are under way.
    pub(super) fn has_credit(pending: &[Pending], session: &Base, no_reply: bool) -> bool {
        let comes = |caller| match caller {
            Caller::Step { .. } | Caller::Internal => true,
            Caller::NoReply | Caller::Sync => no_reply,
            Caller::Nobody { .. } => false,
        };
        let most = if !pending.iter().any(|p| comes(p.caller)) {
            MAX_GIVEN_UP
        } else if session.link.senders.get() > 1 {
            MAX_UNDER_WAY_SHARED
        } else {
            MAX_UNDER_WAY
        };
        pending.len() < most
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

    /// Tells the link how many messages a chain of the session waits for.  To be called before a doorbell is rung for what
    /// was sent.
    pub(super) fn follow_chain(&mut self, session: &Base) {
        let burst = core::mem::take(&mut self.burst);
        let copy = core::mem::take(&mut self.short_copy);
        if self.chain.is_none() && burst < CHAIN && !copy {
            return;
        }
        let quiet = |caller| matches!(caller, Caller::Nobody { .. } | Caller::NoReply);
        let answers = self.pending.iter().filter(|p| !quiet(p.caller)).count();
        let due = answers + self.bulk.as_ref().map_or(0, Bulk::messages_due);
        let first = if burst >= CHAIN && answers >= CHAIN {
            Some(First::Calls)
        } else {
            copy.then_some(First::Copy)
        };
        let begins = first.is_some();
        let counted = self.chain.take().unwrap_or(0);
        self.chain = (due > 0 && (begins || counted > 0)).then_some(due);
        let chains = &session.link.chains;
        chains.change(counted, self.chain.unwrap_or(0));
        if let (Some(first), true) = (first, due > 0) {
            chains.begin(first);
        }
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
        if self.pending.iter().any(|p| p.caller == Caller::Sync) {
            return;
        }
        // The answer to a later call of the same stream tells as much.
        let is_covered = |at: usize, silent: &Pending| {
            let mut later = self.pending.iter().skip(at);
            later.any(|p| {
                matches!(p.caller, Caller::Step { .. } | Caller::Internal)
                    && p.header.context == silent.header.context
                    && p.header.stream == silent.header.stream
            })
        };
        let silent = || {
            let calls = self.pending.iter().enumerate();
            let silent = calls.filter(|(_, p)| p.caller == Caller::NoReply);
            silent.filter(|&(at, p)| !is_covered(at, p))
        };
        let Some((_, oldest)) = silent().next() else {
            return;
        };
        if silent().count() < SYNC_EVERY && Self::has_credit(&self.pending, session, true) {
            return;
        }
        let oldest = oldest.header;
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
