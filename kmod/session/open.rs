// SPDX-License-Identifier: GPL-2.0

//! Opening a session, and calls that the driver makes itself.

use kernel::{new_condvar, new_mutex, prelude::*, sync::Arc};

use super::{
    engine::{Caller, Engine, Phase},
    role, Session,
};
use crate::glue::compat::errno::{EPROTO, EREMOTEIO};
use crate::{
    card::Card,
    counters::Counter,
    glue::{
        shim,
        task::Process,
        time::{self, Delta, Signals, MS},
    },
    transport::{control, tx::SendError},
    wire::{frame, rpc, transfer::Transfer},
};

/// How often SYNC is repeated, and how long each is waited for [rpc 2.2].
const SYNC_TRIES: u32 = 25;
const SYNC_WAIT_NS: u64 = 200 * MS;

/// How long ports of sessions that are just ending are waited for.
// TIMEOUT: the card answers a farewell within a few milliseconds; who waits longer waits in vain.
const PORTS_WAIT: Delta = Delta::from_millis(500);
const PORTS_PAUSE: Delta = Delta::from_millis(10);

/// Context and stream that the driver makes and uses.
pub(crate) const CONTEXT: u32 = 1;
const STREAM: u32 = 1;

/// Where clients go on counting: the context was made by request 1.
pub(crate) const FIRST_SEQUENCE: u64 = 2;

/// A frame built by the driver, header included; the longest is a shell call.
const FRAME: usize = 256;

impl Session {
    /// Opens a session for the calling process: ports, serving process, handshake, context.
    /// `held` counts the bytes of the caller's buffers; `None`: it is the driver's own session.
    pub(crate) fn open(
        card: &Arc<Card>,
        held: Option<Arc<Counter>>,
        log_level: u32,
        deadline: u64,
    ) -> Result<Arc<Self>> {
        let generation = card.generation();
        card.check_serving(generation)?;
        let ports = reserve(card, held.is_none())?;
        let mut number = [0; 4];
        crate::glue::random(&mut number);
        let number = u32::from_le_bytes(number);
        let made = Process::current().and_then(|process| {
            Arc::pin_init(
                try_pin_init!(Self {
                    card: card.clone(),
                    generation,
                    ports,
                    process,
                    comm: shim::current_comm(),
                    held,
                    jobs: Counter::default(),
                    bytes_to_card: Counter::default(),
                    bytes_from_card: Counter::default(),
                    sequence: Counter::default(),
                    engine <- new_mutex!(Engine::new(number.wrapping_add(1)), "ax650_session"),
                    changed <- new_condvar!("ax650_session"),
                    calling <- new_mutex!((), "ax650_call"),
                }),
                GFP_KERNEL,
            )
        });
        let session = match made {
            Ok(session) => session,
            Err(e) => {
                drop(card.ports.lock().free(&ports));
                return Err(e);
            }
        };
        let opened = session.bring_up(number, log_level, deadline);
        if let Err(e) = opened {
            session.fail(e);
            // The card may still act on what it has got: end it there before the ports are free.
            session.retire();
            return Err(e);
        }
        Ok(session)
    }

    fn bring_up(self: &Arc<Self>, number: u32, log_level: u32, deadline: u64) -> Result {
        let card = &self.card;
        card.ports.lock().listen(self);
        // A reset that began before the session was in the table has not seen it.
        card.check_serving(self.generation)?;
        let packet = control::create_packet(card, self.process.number(), &self.ports, log_level);
        card.control
            .create(card, packet, deadline, time::Signals::All)?;
        self.handshake(number, deadline)?;
        let answer = self.call(deadline, |call, out| call.create_context(out))?;
        let answer = rpc::control_answer(&answer).map_err(|error| {
            dev_warn_ratelimited!(card, "context: {}\n", error);
            EPROTO
        })?;
        if answer.status != 0 {
            return Err(EREMOTEIO);
        }
        Ok(())
    }

    /// SYNC, its acknowledgement, DONE.  DONE shares the doorbell of the first call.
    fn handshake(&self, number: u32, deadline: u64) -> Result {
        for _ in 0..SYNC_TRIES {
            self.with(|engine, session| {
                engine.send_transfer(session, role::HOST_BULK, &Transfer::Sync(number));
            });
            let until = deadline.min(time::now() + SYNC_WAIT_NS);
            let acknowledged = self.wait(until, |engine| {
                (engine.phase == Phase::Acknowledged).then_some(())
            });
            match acknowledged {
                Ok(()) => {
                    let mut engine = self.engine.lock();
                    let done = Transfer::Done(number.wrapping_add(2));
                    engine.send_transfer(self, role::HOST_BULK, &done);
                    engine.check_open()?;
                    engine.phase = Phase::Open;
                    return Ok(());
                }
                Err(e) if e == ETIMEDOUT && time::now() < deadline => {}
                Err(e) => return Err(e),
            }
        }
        Err(ETIMEDOUT)
    }

    /// Waits until `f` finds what it looks for.
    fn wait<R>(&self, deadline: u64, mut f: impl FnMut(&mut Engine) -> Option<R>) -> Result<R> {
        let look = |engine: &mut Engine| match f(engine) {
            Some(found) => Ok(Some(found)),
            None => engine.check_open().map(|()| None),
        };
        // TIMEOUT: the caller's.
        time::wait_for(&self.engine, &self.changed, deadline, Signals::All, look)
    }

    /// Makes a call of the driver's own and returns the answer frame.  `build` writes the request.
    pub(crate) fn call(
        &self,
        deadline: u64,
        build: impl FnOnce(&rpc::Call, &mut [u8]) -> Option<usize>,
    ) -> Result<KVec<u8>> {
        let _one = self.calling.lock();
        let sequence = self.next_sequence();
        let pid = self.process.number() as u32;
        let call = rpc::Call {
            sequence,
            card: self.card.id,
            context: CONTEXT,
            stream: STREAM,
            pid,
            tid: pid,
            timestamp: time::wall_clock().0.max(0) as u64,
        };
        let mut request = [0u8; FRAME];
        let len = build(&call, &mut request).ok_or(EMSGSIZE)?;
        let request = request.get(..len).ok_or(EMSGSIZE)?;
        let header = frame::Header::parse(request).ok_or(EINVAL)?;
        self.with(|engine, session| {
            engine.check_open()?;
            engine.answer = None;
            engine.pending.reserve(1, GFP_KERNEL)?;
            engine.expect(header, Caller::Internal);
            let port = session.ports[role::CALLS];
            match session.card.tx.lock().publish(&session.card, port, request) {
                Ok(()) => Ok(()),
                Err(SendError::Full) => Err(EAGAIN),
                Err(SendError::Failed(e)) => Err(e),
            }
        })
        .and_then(|()| self.wait(deadline, |engine| engine.answer.take()))
        .inspect_err(|_| {
            let mut engine = self.engine.lock();
            engine.pending.retain(|p| p.caller != Caller::Internal);
        })
    }

    /// Sequence numbers of internal calls: 1 makes the context, the rest is used by sessions that
    /// are the driver's own only.
    fn next_sequence(&self) -> u64 {
        self.sequence.add_to(1)
    }
}

/// Takes four ports, waiting a little for those of sessions that are just ending.
fn reserve(card: &Card, for_driver: bool) -> Result<crate::transport::ports::Group> {
    let reserved = time::poll(PORTS_PAUSE, PORTS_WAIT, || {
        match card.ports.lock().reserve(for_driver) {
            Err(e) if e == ENOSPC => {}
            other => return other.map(Some),
        }
        card.kick();
        Ok(None)
    });
    reserved.map_err(|e| if e == ETIMEDOUT { ENOSPC } else { e })
}
