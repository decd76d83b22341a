// SPDX-License-Identifier: GPL-2.0

//! Transactions on port P0: copies, and calls too long for a message [rpc 2.3], [rpc 2.4], [rpc 5.3].
//!
//! The card moves the bytes; the messages here only say where they are.  As few messages as the
//! protocol allows stand alone: request, record and list of a copy go out under one doorbell, and so
//! does the end of one transaction with the beginning of the next.  For that the list of a pull goes ahead of
//! the card's word where it wants the data, as soon as that is known to have room for it; it waits in the port's
//! queue, like the record behind its request.

use super::{
    base::{
        role,
        Base, //
    },
    engine::{
        Caller,
        Engine,
        Phase, //
    },
    job::{
        Progress,
        Work, //
    },
    transaction::{
        Awaiting,
        Bulk,
        Moved, //
    }, //
};
use crate::{
    glue::{
        prelude::*,
        time::{
            Instant,
            Moment, //
        },
        trace, //
    },
    link::chains,
    wire::{
        frame::{
            self,
            COPY, //
        },
        record::{
            CopyRecord,
            RECORD_SIZE, //
        },
        transfer::{
            encode_list,
            ListKind,
            Transfer,
            MAX_LIST, //
        }, //
    }, //
};

/// A card with a smaller window than this is served with more messages than need be.
const LEAST_WINDOW: u32 = 4096;

impl Engine {
    /// Begins the transaction of the first step that waits for one.
    pub(super) fn begin_bulk(&mut self, session: &Base) -> bool {
        let queued = self.jobs.iter().find_map(|job| {
            let waits = |step: &super::job::Step| step.progress == Progress::Queued;
            Some((job.number, job.steps.iter().position(waits)?))
        });
        match queued {
            Some((job, step)) if self.may_begin(session, job, step) => {
                self.begin_transaction(session, job, step)
            }
            _ => false,
        }
    }

    /// Returns whether a step needs no credit, or there is some.
    fn may_begin(&mut self, session: &Base, job: u64, step: usize) -> bool {
        let step = self.job(job).and_then(|job| job.steps.get(step));
        match step.map(|step| &step.work) {
            Some(Work::Call(call)) => {
                let no_reply = call.no_reply;
                Self::has_credit(&self.pending, session, no_reply)
            }
            _ => true,
        }
    }

    fn begin_transaction(&mut self, session: &Base, number: u64, index: usize) -> bool {
        let window = self.card_window;
        let Some(step) = self.job(number).and_then(|job| job.steps.get_mut(index)) else {
            return false;
        };
        step.progress = Progress::Active;
        let now = Instant::now();
        if step.result.sent_ns == 0 {
            step.result.sent_ns = now.nanos();
        }
        let bulk = match &mut step.work {
            Work::Copy(copy) => {
                let mut bulk = Bulk::copy((number, index), copy, step.moved, window, now);
                let record = bulk.record(copy, step.moved, session.link.id);
                let to_card = copy.to_card;
                self.begin_copy(session, &mut bulk, &record, to_card)
                    .map(|()| bulk)
            }
            Work::Call(call) => {
                let Some(mut bulk) = Bulk::call((number, index), call, now) else {
                    return false;
                };
                let (header, no_reply) = (call.header, call.no_reply);
                self.begin_call(session, &mut bulk, header, no_reply)
                    .map(|()| bulk)
            }
        };
        let kind = bulk.as_ref().ok().and_then(|bulk| bulk.frame_type);
        trace::step_sent(
            &session.link.pdev,
            session.step(number, index),
            kind.unwrap_or(COPY),
        );
        match bulk {
            Ok(bulk) => self.keep(session, bulk),
            Err(e) => {
                self.fail(session, e);
                false
            }
        }
    }

    /// Says what is to be copied and, for a push, where to.
    fn begin_copy(
        &mut self,
        session: &Base,
        bulk: &mut Bulk,
        record: &CopyRecord,
        to_card: bool,
    ) -> Result {
        let request = Transfer::Request {
            frame_type: COPY,
            size: RECORD_SIZE as u32,
        };
        self.send_transfer(session, role::HOST_BULK, &request);
        self.send(session, role::HOST_BULK, &record.encode());
        if to_card {
            self.go_ahead(session, bulk)?;
        } else {
            let span = bulk.buffer.span(bulk.offset, bulk.total);
            bulk.buffer.give_to_card(bulk.offset, bulk.total)?;
            self.send_list(session, role::HOST_BULK, ListKind::Sglist, span.entries());
        }
        Ok(())
    }

    /// Says that a long frame is to be fetched.
    fn begin_call(
        &mut self,
        session: &Base,
        bulk: &mut Bulk,
        header: frame::Header,
        no_reply: bool,
    ) -> Result {
        self.ends += session.grants.sent(session.owner(), &header, None);
        let caller = match no_reply {
            true => Caller::NoReply,
            false => Caller::Step {
                job: bulk.job,
                step: bulk.step,
            },
        };
        self.expect(header, caller);
        let request = Transfer::Request {
            frame_type: header.kind,
            size: bulk.total,
        };
        self.send_transfer(session, role::HOST_BULK, &request);
        self.go_ahead(session, bulk)
    }

    /// Names the first chunk of a pull at once, if the card has had room for as much before.
    fn go_ahead(&mut self, session: &Base, bulk: &mut Bulk) -> Result {
        let fits = bulk.total <= self.card_room || self.is_room_limit;
        if bulk.total > 0 && fits && session.link.lists_lost.get() == 0 {
            bulk.window = self.card_room;
            bulk.is_ahead = true;
            bulk.went_ahead = true;
            self.send_chunk(session, bulk)?;
            self.short_copy |= bulk.total <= chains::COPY;
        }
        Ok(())
    }

    /// Begins again with a pull of which the card has refused what went ahead.
    fn ask_again(&mut self, session: &Base, bulk: &mut Bulk) -> Moved {
        let Some(frame_type) = bulk.frame_type else {
            return Moved::Nothing;
        };
        bulk.awaiting = Awaiting::Room;
        let request = Transfer::Request {
            frame_type,
            size: bulk.total,
        };
        self.send_transfer(session, role::HOST_BULK, &request);
        Moved::Part
    }

    /// Notes how much the card takes at a time in this pull.
    fn make_room(&mut self, bulk: &mut Bulk, room: u64) {
        bulk.window = u32::try_from(room).unwrap_or(u32::MAX);
        bulk.is_ahead = false;
        if bulk.window < bulk.total {
            self.card_room = bulk.window;
            self.is_room_limit = true;
        } else if bulk.window > self.card_room {
            self.card_room = bulk.window;
            self.is_room_limit = false;
        }
    }

    /// Goes on with a transaction, unless sending has failed and ended the session.
    fn keep(&mut self, session: &Base, bulk: Bulk) -> bool {
        if let Phase::Closed(_) = self.phase {
            self.put_away(session, bulk);
            return false;
        }
        self.bulk = Some(bulk);
        true
    }

    /// Gives up a transaction.
    pub(super) fn put_away(&mut self, session: &Base, bulk: Bulk) {
        if bulk.names_memory() {
            session.quarantine(bulk.buffer);
        }
    }

    /// Sends one of the messages of 17 bytes.
    pub(super) fn send_transfer(&mut self, session: &Base, role: usize, what: &Transfer<'_>) {
        if let Some(message) = what.encode() {
            self.send(session, role, &message);
        }
    }

    /// Sends a list of pieces.
    pub(super) fn send_list(
        &mut self,
        session: &Base,
        role: usize,
        kind: ListKind,
        entries: &[(u64, u32)],
    ) {
        let mut message = [0; MAX_LIST];
        let list = encode_list(kind, entries, &mut message).and_then(|len| message.get(..len));
        match list {
            Some(list) => self.send(session, role, list),
            // A piece at bus address 0, or none: the protocol has no word for that.
            None => self.fail(session, EFAULT),
        }
    }

    /// Takes a message that has come on port P0.
    pub(super) fn on_host_bulk(&mut self, session: &Base, message: &[u8]) {
        let transfer = match Transfer::parse(message) {
            Ok(transfer) => transfer,
            Err(error) => {
                session.link.counters.bad_messages.add(1);
                dev_warn_ratelimited!(session.link, "port {}: {}\n", session.ports[0], error);
                return;
            }
        };
        let Some(mut bulk) = self.bulk.take() else {
            // Left over from a transaction that was given up.
            session.link.counters.late_replies.add(1);
            return;
        };
        bulk.touched = Instant::now();
        let went_on = match (bulk.awaiting, transfer) {
            (Awaiting::Room, Transfer::List(list)) if list.kind == ListKind::Sglist => {
                self.make_room(&mut bulk, list.total());
                self.send_chunk(session, &mut bulk)
            }
            (Awaiting::Taken, Transfer::List(list))
                if list.kind == ListKind::Sglist && bulk.is_ahead =>
            {
                self.make_room(&mut bulk, list.total());
                Ok(Moved::Part)
            }
            (Awaiting::Taken, Transfer::ReadDone { bytes: 0 }) if bulk.was_too_much() => {
                Ok(self.ask_again(session, &mut bulk))
            }
            (Awaiting::Taken, Transfer::ReadDone { bytes }) if bulk.may_have_taken(bytes) => {
                bulk.done += bytes;
                if bulk.done == bulk.total {
                    Ok(Moved::All)
                } else {
                    self.send_chunk(session, &mut bulk)
                }
            }
            (Awaiting::Written, Transfer::TaskDone { bytes: 0 }) => Ok(Moved::Refused),
            (Awaiting::Written, Transfer::TaskDone { bytes }) => {
                self.chunk_written(session, &mut bulk, bytes)
            }
            (_, other) => {
                dev_warn_ratelimited!(
                    session.link,
                    "port {}: {:?} out of turn, closing the session\n",
                    session.ports[0],
                    other
                );
                Err(EPROTO)
            }
        };
        match went_on {
            Ok(Moved::Part) => {
                self.keep(session, bulk);
            }
            Ok(Moved::All) => self.end_transaction(session, bulk, Ok(())),
            Ok(Moved::Nothing) => {
                bulk.total = 0;
                self.end_transaction(session, bulk, Ok(()));
            }
            Ok(Moved::Refused) => self.end_transaction(session, bulk, Err(EIO)),
            Err(e) => {
                self.bulk = Some(bulk);
                session.link.counters.session_resets.add(1);
                self.fail(session, e);
            }
        }
    }

    /// Tells the card where the next chunk of a pull is.
    fn send_chunk(&mut self, session: &Base, bulk: &mut Bulk) -> Result<Moved> {
        let left = bulk.total - bulk.done;
        let at = bulk.offset + bulk.done as usize;
        let span = bulk.buffer.span(at, left.min(bulk.window));
        bulk.chunk = span.bytes;
        bulk.awaiting = Awaiting::Taken;
        bulk.buffer.give_to_card(at, bulk.chunk)?;
        self.send_list(session, role::HOST_BULK, ListKind::Linked, span.entries());
        Ok(Moved::Part)
    }

    /// Takes the `bytes` of a push that the card has written.
    fn chunk_written(&mut self, session: &Base, bulk: &mut Bulk, bytes: u32) -> Result<Moved> {
        let left = bulk.total - bulk.done;
        if bytes > left || bytes > bulk.window {
            return Err(EPROTO);
        }
        bulk.buffer.take_from_card(bulk.offset, bytes)?;
        if bytes < bulk.total && !bulk.buffer.is_own() {
            // Another driver's memory may take any time to be looked into, and this is the interrupt's thread.
            return Err(EIO);
        }
        if bytes < bulk.total {
            // The card's own window is smaller than we took it for: all chunks land where the first
            // did.  Sort them by hand this once, and ask for less from now on.
            let mut chunk: KVVec<u8> = KVVec::from_elem(0, bytes as usize, GFP_KERNEL)?;
            bulk.buffer.read(bulk.offset, &mut chunk)?;
            if bulk.done == 0 {
                self.card_window = self.card_window.min(bytes.max(LEAST_WINDOW));
                bulk.first = chunk;
            } else {
                bulk.buffer
                    .write(bulk.offset + bulk.done as usize, &chunk)?;
            }
        }
        bulk.done += bytes;
        let complete = bulk.done == bulk.total;
        if complete {
            if !bulk.first.is_empty() {
                bulk.buffer.write(bulk.offset, &bulk.first)?;
            }
        } else {
            bulk.buffer.give_to_card(bulk.offset, bulk.window)?;
            self.send_transfer(session, role::HOST_BULK, &Transfer::ReadDone { bytes });
            return Ok(Moved::Part);
        }
        self.send_last(session, role::HOST_BULK, bytes);
        Ok(Moved::All)
    }

    /// Ends the transaction: the step goes on with the next, or has done its part on this port.
    fn end_transaction(&mut self, session: &Base, mut bulk: Bulk, result: Result) {
        self.end_bulk_claim(session, &mut bulk);
        let Some(job) = self.job(bulk.job) else {
            // Its memory may go with it, which takes time that the interrupt's thread does not have.
            self.spent = Some(bulk.buffer);
            return;
        };
        let stopped = job.stopped;
        let Some(step) = job.steps.get_mut(bulk.step) else {
            return;
        };
        let (ended, to_card) = match &step.work {
            Work::Copy(copy) => {
                let of = session.step(bulk.job, bulk.step);
                trace::step_answered(&session.link.pdev, of, bulk.total);
                if result.is_ok() {
                    step.moved += bulk.total;
                    step.result.bytes = step.moved.into();
                }
                let more = step.moved < copy.size && result.is_ok();
                if more && stopped.is_none() {
                    // Its turn comes again at once: the port is free, and its job is the same.
                    step.progress = Progress::Queued;
                    session.count_bytes(copy.to_card, bulk.total);
                    return;
                }
                (
                    Some(if more { Err(ECANCELED) } else { result }),
                    copy.to_card,
                )
            }
            // The answer ends the step.
            Work::Call(call) if result.is_ok() && !call.no_reply => match stopped {
                Some(e) => (Some(Err(e)), true),
                None => (None, true),
            },
            Work::Call(_) => (Some(result), true),
        };
        job.on_p0 = job.on_p0.saturating_sub(1);
        if let Some(result) = ended {
            job.end_step(bulk.step, result);
        }
        if result.is_ok() {
            session.count_bytes(to_card, bulk.total);
        }
    }
}
