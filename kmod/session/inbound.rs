// SPDX-License-Identifier: GPL-2.0

//! Transactions on port P1: answers too long for a message [rpc 2.4].

use kernel::sync::Arc;

use super::{
    answers::Answer,
    base::{
        role,
        Base,
        MAX_FRAME, //
    },
    engine::{
        Engine,
        Phase, //
    }, //
};
use crate::{
    buffer::{
        account::Payer,
        Buffer, //
    },
    glue::{
        prelude::*,
        time::Instant, //
    },
    wire::{
        frame::{
            self,
            COPY,
            COPY_DUE, //
        },
        transfer::{
            ListKind,
            Transfer, //
        }, //
    }, //
};

/// Host memory for answers on their way in.
const INBOX: usize = 256 * 1024;

/// What goes on on port P1.
pub(super) enum Inbound {
    /// Nothing.
    Idle,
    /// The next message is a frame, as it is.
    Frame,
    /// The next message is the record of a queued copy.  Clients of the driver cannot queue copies.
    Record,
    /// The card writes an answer into the inbox.
    Answer {
        total: u32,
        done: u32,
        window: u32,
        /// Once its header is known.
        answer: Option<Answer>,
        touched: Instant,
    },
}

impl Inbound {
    /// Returns whether the card has been told of the inbox and may write to it.
    pub(super) fn is_active(&self) -> bool {
        matches!(self, Self::Answer { .. })
    }

    /// Returns when the transaction last moved.
    pub(super) fn touched(&self) -> Option<Instant> {
        match self {
            Self::Answer { touched, .. } => Some(*touched),
            _ => None,
        }
    }
}

impl Engine {
    /// Takes a message that has come on port P1.
    pub(super) fn on_card_bulk(&mut self, session: &Base, message: &[u8]) {
        match self.inbound {
            Inbound::Frame => {
                self.inbound = Inbound::Idle;
                return self.on_answer(session, message);
            }
            Inbound::Record => {
                self.inbound = Inbound::Idle;
                session.link.counters.late_replies.add(1);
                return;
            }
            Inbound::Idle | Inbound::Answer { .. } => {}
        }
        let went_on = match Transfer::parse(message) {
            Ok(Transfer::SyncAck(number)) => {
                if matches!(self.phase, Phase::Handshake(of) if of == number) {
                    self.phase = Phase::Acknowledged;
                }
                Ok(())
            }
            Ok(Transfer::Request { frame_type, size }) if !self.inbound.is_active() => {
                self.begin_inbound(session, frame_type, size)
            }
            Ok(Transfer::TaskDone { bytes }) if self.inbound.is_active() => {
                self.inbound_chunk(session, bytes)
            }
            Ok(other) => {
                dev_warn_ratelimited!(
                    session.link,
                    "port {}: {:?} out of turn, closing the session\n",
                    session.ports[1],
                    other
                );
                Err(EPROTO)
            }
            Err(error) => {
                session.link.counters.bad_messages.add(1);
                dev_warn_ratelimited!(session.link, "port {}: {}\n", session.ports[1], error);
                Ok(())
            }
        };
        if let Err(e) = went_on {
            session.link.counters.session_resets.add(1);
            self.fail(session, e);
        }
    }

    fn begin_inbound(&mut self, session: &Base, frame_type: u32, size: u32) -> Result {
        if frame_type == COPY_DUE || frame_type == COPY {
            self.inbound = Inbound::Record;
            return Ok(());
        }
        if (size as usize) < frame::MAX_MESSAGE {
            self.inbound = Inbound::Frame;
            return Ok(());
        }
        if size > MAX_FRAME {
            return Err(EMSGSIZE);
        }
        let inbox = self.inbox(session)?;
        let span = inbox.span(0, size.min(INBOX as u32));
        inbox.give_to_card(0, span.bytes)?;
        self.inbound = Inbound::Answer {
            total: size,
            done: 0,
            window: span.bytes,
            answer: None,
            touched: Instant::now(),
        };
        self.send_list(session, role::CARD_BULK, ListKind::Sglist, span.entries());
        Ok(())
    }

    fn inbox(&mut self, session: &Base) -> Result<Arc<Buffer>> {
        if let Some(inbox) = &self.inbox {
            return Ok(inbox.clone());
        }
        let inbox = Buffer::new(&session.pool.memory, INBOX, Payer::Driver)?;
        let inbox = Arc::new(inbox, GFP_KERNEL)?;
        self.inbox = Some(inbox.clone());
        Ok(inbox)
    }

    /// Takes the `bytes` that the card has written into the inbox.
    fn inbound_chunk(&mut self, session: &Base, bytes: u32) -> Result {
        let Inbound::Answer {
            total,
            done,
            window,
            answer,
            ..
        } = core::mem::replace(&mut self.inbound, Inbound::Idle)
        else {
            return Err(EPROTO);
        };
        // From here on an error leaves the inbox without an owner that knows of the card: keep it.
        let result = self.take_chunk(session, total - done, window, bytes, answer);
        let answer = match result {
            Ok(answer) => answer,
            Err(e) => {
                if let Some(inbox) = self.inbox.take() {
                    session.quarantine(inbox);
                }
                return Err(e);
            }
        };
        let done = done + bytes;
        if done < total {
            self.inbound = Inbound::Answer {
                total,
                done,
                window,
                answer: Some(answer),
                touched: Instant::now(),
            };
            self.send_transfer(session, role::CARD_BULK, &Transfer::ReadDone { bytes });
        } else {
            self.end_answer(session, answer);
            self.send_last(session, role::CARD_BULK, bytes);
        }
        Ok(())
    }

    fn take_chunk(
        &mut self,
        session: &Base,
        left: u32,
        window: u32,
        bytes: u32,
        answer: Option<Answer>,
    ) -> Result<Answer> {
        if bytes == 0 || bytes > left || bytes > window {
            return Err(EPROTO);
        }
        let inbox = self.inbox(session)?;
        inbox.take_from_card(0, bytes)?;
        let mut chunk: KVVec<u8> = KVVec::from_elem(0, bytes as usize, GFP_KERNEL)?;
        inbox.read(0, &mut chunk)?;
        if bytes < left {
            // The next chunk comes to the same place.
            inbox.give_to_card(0, window)?;
        }
        let mut answer = match answer {
            Some(answer) => answer,
            None => {
                let header = frame::Header::parse(&chunk).ok_or(EPROTO)?;
                self.begin_answer(session, &header)
            }
        };
        answer.put(&chunk);
        Ok(answer)
    }
}
