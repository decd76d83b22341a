// SPDX-License-Identifier: GPL-2.0

//! Transactions on port P0: copies, and calls too long for a message [rpc 2.3], [rpc 2.4], [rpc 5.3].
//!
//! The card moves the bytes; the messages here only say where they are.  As few messages as the
//! protocol allows stand alone: request, record and list of a copy go out under one doorbell, and so
//! does the end of one transaction with the beginning of the next.

use kernel::{prelude::*, sync::Arc};

use super::{
    engine::{Caller, Engine, Phase},
    job::{Frame, Progress, Work},
    role, Session,
};
use crate::glue::compat::errno::{ECANCELED, EPROTO};
use crate::{
    buffer::Buffer,
    glue::time,
    wire::{
        frame::COPY,
        record::{CopyRecord, Kind, RECORD_SIZE},
        transfer::{encode_list, ListKind, Transfer, MAX_LIST},
    },
};

/// A card with a smaller window than this is served with more messages than need be.
const LEAST_WINDOW: u32 = 4096;

/// What is awaited from the card.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    /// Pull: where it wants the data, that is, how much at a time.
    Room,
    /// Pull: that it has read the chunk.
    Taken,
    /// Push: that it has written a chunk.
    Written,
}

/// A transaction.
pub(super) struct Bulk {
    job: u64,
    step: usize,
    pub(super) buffer: Arc<Buffer>,
    /// First byte in the buffer.
    offset: usize,
    /// Bytes of this transaction.
    total: u32,
    done: u32,
    /// Pull: the most the card takes at a time.  Push: bytes of the list it was given.
    window: u32,
    /// Pull: bytes of the chunk under way.
    chunk: u32,
    awaiting: Awaiting,
    /// When it last moved.
    pub(super) touched: u64,
    /// Push: the first chunk, if the card writes all chunks to the beginning of the list.
    first: KVVec<u8>,
}

impl Bulk {
    /// Whether the card has been told of the buffer and has not said that it is done with it.
    pub(super) fn names_memory(&self) -> bool {
        self.awaiting != Awaiting::Room
    }

    /// Whether it is that of `step` of `job`.
    pub(super) fn is_of(&self, job: u64, step: usize) -> bool {
        self.job == job && self.step == step
    }
}

impl Engine {
    /// Begins the transaction of the first step that waits for one.
    pub(super) fn begin_bulk(&mut self, session: &Session) -> bool {
        let queued = self.jobs.iter().find_map(|job| {
            let waits = |step: &super::job::Step| step.progress == Progress::Queued;
            Some((job.number, job.steps.iter().position(waits)?))
        });
        match queued {
            Some((job, step)) => self.begin_transaction(session, job, step),
            None => false,
        }
    }

    fn begin_transaction(&mut self, session: &Session, number: u64, index: usize) -> bool {
        let window = self.card_window;
        let Some(step) = self.job(number).and_then(|job| job.steps.get_mut(index)) else {
            return false;
        };
        step.progress = Progress::Active;
        let now = time::now();
        if step.result.sent_ns == 0 {
            step.result.sent_ns = now;
        }
        let mut bulk = Bulk {
            job: number,
            step: index,
            // Replaced below.
            buffer: match &step.work {
                Work::Copy(copy) => copy.buffer.clone(),
                Work::Call(call) => match &call.frame {
                    Frame::Long(buffer, _) => buffer.clone(),
                    Frame::Short(_) => return false,
                },
            },
            offset: 0,
            total: 0,
            done: 0,
            window: 0,
            chunk: 0,
            awaiting: Awaiting::Room,
            touched: now,
            first: KVVec::new(),
        };
        match &step.work {
            Work::Copy(copy) => {
                let left = copy.size - step.moved;
                bulk.offset = copy.offset + step.moved as usize;
                // A list is named once per push, and all of the card's chunks go to it: so a push is
                // never longer than one chunk.
                let span = bulk.buffer.span(bulk.offset, left.min(window));
                bulk.total = if copy.to_card { left } else { span.bytes };
                let record = CopyRecord {
                    sequence: copy.sequence,
                    card: session.card.id,
                    context: copy.context,
                    stream: copy.stream,
                    kind: if copy.to_card {
                        Kind::ToCard
                    } else {
                        Kind::FromCard
                    },
                    address: copy.address.wrapping_add(step.moved.into()),
                    size: bulk.total,
                };
                let request = Transfer::Request {
                    frame_type: COPY,
                    size: RECORD_SIZE as u32,
                };
                let to_card = copy.to_card;
                self.send_transfer(session, role::HOST_BULK, &request);
                self.send(session, role::HOST_BULK, &record.encode());
                if !to_card {
                    bulk.awaiting = Awaiting::Written;
                    bulk.window = span.bytes;
                    if let Err(e) = bulk.buffer.give_to_card(bulk.offset, bulk.total) {
                        self.fail(session, e);
                        return false;
                    }
                    self.send_list(session, role::HOST_BULK, ListKind::Sglist, span.entries());
                }
            }
            Work::Call(call) => {
                let Frame::Long(_, len) = call.frame else {
                    return false;
                };
                bulk.total = len;
                let (header, no_reply) = (call.header, call.no_reply);
                let request = Transfer::Request {
                    frame_type: header.kind,
                    size: len,
                };
                if !no_reply {
                    self.expect(
                        header,
                        Caller::Step {
                            job: number,
                            step: index,
                        },
                    );
                }
                self.send_transfer(session, role::HOST_BULK, &request);
            }
        }
        self.keep(session, bulk)
    }

    /// Goes on with a transaction, unless sending has failed and ended the session.
    fn keep(&mut self, session: &Session, bulk: Bulk) -> bool {
        if let Phase::Closed(_) = self.phase {
            self.put_away(session, bulk);
            return false;
        }
        self.bulk = Some(bulk);
        true
    }

    /// Gives up a transaction.
    pub(super) fn put_away(&mut self, session: &Session, bulk: Bulk) {
        if bulk.names_memory() {
            session.card.quarantine(session.generation, bulk.buffer);
        }
    }

    /// Sends one of the messages of 17 bytes.
    pub(super) fn send_transfer(&mut self, session: &Session, role: usize, what: &Transfer<'_>) {
        if let Some(message) = what.encode() {
            self.send(session, role, &message);
        }
    }

    /// Sends a list of pieces.
    pub(super) fn send_list(
        &mut self,
        session: &Session,
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

    /// A message has come on port P0.
    pub(super) fn on_host_bulk(&mut self, session: &Session, message: &[u8]) {
        let transfer = match Transfer::parse(message) {
            Ok(transfer) => transfer,
            Err(error) => {
                session.card.counters.bad_messages.add(1);
                dev_warn_ratelimited!(session.card, "port {}: {}\n", session.ports[0], error);
                return;
            }
        };
        let Some(mut bulk) = self.bulk.take() else {
            // Left over from a transaction that was given up.
            session.card.counters.late_replies.add(1);
            return;
        };
        bulk.touched = time::now();
        let went_on = match (bulk.awaiting, transfer) {
            (Awaiting::Room, Transfer::List(list)) if list.kind == ListKind::Sglist => {
                bulk.window = u32::try_from(list.total()).unwrap_or(u32::MAX);
                self.send_chunk(session, &mut bulk)
            }
            (Awaiting::Taken, Transfer::ReadDone { bytes }) if bytes == bulk.chunk => {
                bulk.done += bulk.chunk;
                if bulk.done == bulk.total {
                    Ok(true)
                } else {
                    self.send_chunk(session, &mut bulk)
                }
            }
            (Awaiting::Written, Transfer::TaskDone { bytes: 0 }) => Err(EIO),
            (Awaiting::Written, Transfer::TaskDone { bytes }) => {
                self.chunk_written(session, &mut bulk, bytes)
            }
            (_, other) => {
                dev_warn_ratelimited!(
                    session.card,
                    "port {}: {:?} out of turn, closing the session\n",
                    session.ports[0],
                    other
                );
                Err(EPROTO)
            }
        };
        match went_on {
            Ok(false) => {
                self.keep(session, bulk);
            }
            Ok(true) => self.end_transaction(session, &bulk, Ok(())),
            // The card has said itself that it is not going to touch the memory.
            Err(e) if e == EIO => self.end_transaction(session, &bulk, Err(EIO)),
            Err(e) => {
                self.bulk = Some(bulk);
                session.card.counters.session_resets.add(1);
                self.fail(session, e);
            }
        }
    }

    /// Pull: tells the card where the next chunk is.
    fn send_chunk(&mut self, session: &Session, bulk: &mut Bulk) -> Result<bool> {
        let left = bulk.total - bulk.done;
        let at = bulk.offset + bulk.done as usize;
        let span = bulk.buffer.span(at, left.min(bulk.window));
        bulk.chunk = span.bytes;
        bulk.awaiting = Awaiting::Taken;
        bulk.buffer.give_to_card(at, bulk.chunk)?;
        self.send_list(session, role::HOST_BULK, ListKind::Linked, span.entries());
        Ok(false)
    }

    /// Push: the card has written `bytes`.
    fn chunk_written(&mut self, session: &Session, bulk: &mut Bulk, bytes: u32) -> Result<bool> {
        let left = bulk.total - bulk.done;
        if bytes > left || bytes > bulk.window {
            return Err(EPROTO);
        }
        bulk.buffer.take_from_card(bulk.offset, bytes)?;
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
            bulk.buffer.write(bulk.offset, &bulk.first)?;
        } else {
            bulk.buffer.give_to_card(bulk.offset, bulk.window)?;
        }
        self.send_transfer(session, role::HOST_BULK, &Transfer::ReadDone { bytes });
        Ok(complete)
    }

    /// The transaction is over: the step goes on with the next, or has done its part on this port.
    fn end_transaction(&mut self, session: &Session, bulk: &Bulk, result: Result) {
        let Some(job) = self.job(bulk.job) else {
            return;
        };
        let stopped = job.stopped;
        let Some(step) = job.steps.get_mut(bulk.step) else {
            return;
        };
        let (ended, to_card) = match &step.work {
            Work::Copy(copy) => {
                if result.is_ok() {
                    step.moved += bulk.total;
                    step.result.bytes = step.moved.into();
                }
                let more = step.moved < copy.size && result.is_ok();
                if more && stopped.is_none() {
                    // Its turn comes again at once: the port is free, and its job is the same.
                    step.progress = Progress::Queued;
                    Self::count_bytes(session, copy.to_card, bulk.total);
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
            Self::count_bytes(session, to_card, bulk.total);
        }
    }

    fn count_bytes(session: &Session, to_card: bool, bytes: u32) {
        let (all, own) = if to_card {
            (&session.card.counters.bytes_to_card, &session.bytes_to_card)
        } else {
            (
                &session.card.counters.bytes_from_card,
                &session.bytes_from_card,
            )
        };
        all.add(bytes.into());
        own.add(bytes.into());
    }
}
