// SPDX-License-Identifier: GPL-2.0

//! Answers of the card, by message or by DMA, and the calls they belong to [rpc 1.2].

use kernel::sync::Arc;

use super::{
    base::Base,
    engine::{
        Caller,
        Engine, //
    },
    job::Work, //
};
use crate::{
    buffer::Buffer,
    glue::{
        prelude::*,
        trace, //
    },
    wire::{
        frame,
        grants::answer::MOST, //
    }, //
};

/// Where the bytes of an answer go.
pub(super) enum Destination {
    /// Nobody waits for the bytes.
    Nowhere,
    /// Nobody any more: this step of this job has ended.
    Late(u64, usize),
    /// A step's reply buffer.
    Step {
        job: u64,
        step: usize,
        buffer: Option<(Arc<Buffer>, usize, u32)>,
    },
    /// The internal call.
    Internal(KVec<u8>),
}

impl Destination {
    /// Returns which step the answer is for.
    fn step(&self) -> Option<(u64, usize)> {
        match *self {
            Self::Late(job, step) | Self::Step { job, step, .. } => Some((job, step)),
            Self::Nowhere | Self::Internal(_) => None,
        }
    }
}

/// An answer that is coming in.
pub(super) struct Answer {
    destination: Destination,
    received: u32,
    /// The beginning, if the kernel reads it too: before anybody can change it.
    copy: Option<KVec<u8>>,
}

impl Engine {
    /// Takes a message that has come on port P3.
    pub(super) fn on_answer(&mut self, session: &Base, message: &[u8]) {
        let Some(header) = frame::Header::parse(message) else {
            session.link.counters.bad_messages.add(1);
            return;
        };
        let mut answer = self.begin_answer(session, &header);
        answer.put(message);
        self.end_answer(session, answer);
    }

    /// Finds out whose answer this is.  Sequence number, context and stream decide; the card id is
    /// not looked at, as it may be what the card takes itself for [pcie 1.7].
    pub(super) fn begin_answer(&mut self, session: &Base, header: &frame::Header) -> Answer {
        let at = self.pending.iter().position(|p| {
            let own = &p.header;
            (own.sequence, own.context, own.stream)
                == (header.sequence, header.context, header.stream)
        });
        let pending = at.and_then(|at| {
            let answered = self.pending.remove(at).ok();
            self.settle(at, header);
            answered
        });
        let destination = match pending.map(|p| p.caller) {
            Some(Caller::Sync) => Destination::Nowhere,
            Some(Caller::Nobody { job, step }) => {
                session.link.counters.late_replies.add(1);
                Destination::Late(job, step)
            }
            None | Some(Caller::NoReply) => {
                session.link.counters.late_replies.add(1);
                match self.late(header) {
                    Some((job, step)) => Destination::Late(job, step),
                    None => Destination::Nowhere,
                }
            }
            Some(Caller::Internal) => Destination::Internal(KVec::new()),
            Some(Caller::Step { job, step }) => Destination::Step {
                job,
                step,
                buffer: self.reply_buffer(job, step),
            },
        };
        let is_read = match &destination {
            Destination::Late(..) => true,
            Destination::Step { job, step, .. } => self.is_claimed(*job, *step),
            Destination::Nowhere | Destination::Internal(_) => false,
        };
        Answer {
            destination,
            received: 0,
            copy: is_read.then(KVec::new),
        }
    }

    fn reply_buffer(&mut self, job: u64, step: usize) -> Option<(Arc<Buffer>, usize, u32)> {
        match &self.job(job)?.steps.get(step)?.work {
            Work::Call(call) => {
                let reply = call.reply.as_ref()?;
                Some((reply.buffer.clone(), reply.offset, reply.capacity))
            }
            Work::Copy(_) => None,
        }
    }

    /// Ends an answer of which all has come.
    pub(super) fn end_answer(&mut self, session: &Base, answer: Answer) {
        if let (Some((job, step)), Some(copy)) = (answer.destination.step(), &answer.copy) {
            self.learn(session, job, step, copy);
        }
        match answer.destination {
            Destination::Nowhere | Destination::Late(..) => {}
            Destination::Internal(bytes) => self.answer = Some(bytes),
            Destination::Step { job, step, buffer } => {
                let of = session.step(job, step);
                trace::step_answered(&session.link.pdev, of, answer.received);
                let fits = buffer.is_none_or(|(_, _, capacity)| answer.received <= capacity);
                if let Some(job) = self.job(job) {
                    if let Some(step) = job.steps.get_mut(step) {
                        step.result.bytes = answer.received.into();
                    }
                    job.end_step(step, if fits { Ok(()) } else { Err(EMSGSIZE) });
                }
            }
        }
    }
}

impl Answer {
    /// Takes the next bytes.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        let at = self.received;
        self.received = at.saturating_add(bytes.len() as u32);
        if let Some(copy) = &mut self.copy {
            // What is longer, or finds no memory, is understood as if it had been cut: not at all.
            let part = bytes.get(..MOST.saturating_sub(copy.len()).min(bytes.len()));
            let _ = copy.extend_from_slice(part.unwrap_or(&[]), GFP_KERNEL);
        }
        match &mut self.destination {
            Destination::Nowhere
            | Destination::Late(..)
            | Destination::Step { buffer: None, .. } => {}
            Destination::Step {
                buffer: Some((buffer, offset, capacity)),
                ..
            } => {
                let room = capacity.saturating_sub(at) as usize;
                let part = bytes.get(..room.min(bytes.len())).unwrap_or(&[]);
                // SUBMIT has checked that the reply area is inside the buffer.
                let _ = buffer.write(*offset + at as usize, part);
            }
            // The driver's own calls have short answers.  One that is cut, for that or for lack of memory, is refused by
            // its parser.
            Destination::Internal(all) => {
                let part = bytes.get(..MOST.saturating_sub(all.len()).min(bytes.len()));
                let _ = all.extend_from_slice(part.unwrap_or(&[]), GFP_KERNEL);
            }
        }
    }
}
