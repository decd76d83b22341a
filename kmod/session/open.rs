// SPDX-License-Identifier: GPL-2.0

//! Opening a session, and calls that the driver makes itself.

use kernel::{
    new_condvar,
    new_mutex,
    sync::Arc, //
};

use super::{
    base::{
        role,
        Base,
        FRAME,
        WINDOW, //
    },
    engine::{
        Caller,
        Engine,
        Phase, //
    },
    grants::Grants,
    staging::Staging,
    Session, //
};
use crate::{
    buffer::{
        account::Account,
        pool::Pool, //
    },
    counters::Counter,
    glue::{
        prelude::*,
        shim,
        task::{
            self,
            Process, //
        },
        time::{
            self,
            Delta,
            Instant,
            Moment,
            Signals, //
        }, //
    },
    link::{
        ports::{
            Claim,
            Group, //
        },
        tx::SendError,
        Link, //
    },
    wire::{
        control::{
            Packet,
            CREATE, //
        },
        frame,
        rpc,
        transfer::Transfer, //
    }, //
};

// TIMEOUT: how often SYNC is repeated, and how long each is waited for [rpc 2.2].
const SYNC_TRIES: u32 = 25;
const SYNC_WAIT: Delta = Delta::from_millis(200);

/// How long ports of sessions that are just ending are waited for.
// TIMEOUT: the card answers a farewell within a few milliseconds; who waits longer waits in vain.
const PORTS_WAIT: Delta = Delta::from_millis(500);
const PORTS_PAUSE: Delta = Delta::from_millis(10);

/// Between looks for room in the ring.
const ROOM_PAUSE: Delta = Delta::from_millis(1);

/// Context and stream that the driver makes and uses.
pub(crate) const CONTEXT: u32 = 1;
const STREAM: u32 = 1;

impl Session {
    /// Makes a session that is not on the card yet, with its ports.
    ///
    /// # Errors
    ///
    /// Why the card does not serve; `ENOSPC` if no ports are free; `ENOMEM`.
    pub(super) fn new(
        link: &Arc<Link>,
        pool: &Arc<Pool>,
        grants: &Arc<Grants>,
        account: Option<&Arc<Account>>,
    ) -> Result<Arc<Self>> {
        let generation = link.life.generation();
        link.life.check_serving(generation)?;
        let seat = account.map(Account::take_seat);
        let claim = seat.as_ref().map_or(Claim::Driver, |seat| seat.claim);
        let ports = reserve(link, claim)?;
        let mut number = [0; 4];
        crate::glue::random(&mut number);
        let number = u32::from_le_bytes(number);
        let owner = ports[role::HOST_BULK];
        let made = grants.open(owner).and_then(|()| Process::current());
        let made = made.and_then(|process| {
            let base = Base {
                link: link.clone(),
                pool: pool.clone(),
                grants: grants.clone(),
                generation,
                ports,
                process,
                comm: shim::current_comm(),
                seat,
                jobs: Counter::default(),
                bytes_to_card: Counter::default(),
                bytes_from_card: Counter::default(),
            };
            Arc::pin_init(
                pin_init!(Self {
                    base,
                    number,
                    sequence: Counter::default(),
                    engine <- new_mutex!(Engine::new(number.wrapping_add(1)), "ax650_session"),
                    posting <- new_mutex!((), "ax650_posting"),
                    changed <- new_condvar!("ax650_session"),
                    staging <- Staging::new(),
                    calling <- new_mutex!((), "ax650_call"),
                }),
                GFP_KERNEL,
            )
        });
        made.inspect_err(|_| {
            grants.close(owner);
            link.free(&ports);
        })
    }

    /// Receives what comes on the session's ports.  To be called before the session is listed: whoever ends it
    /// from there on frees what is connected.
    pub(super) fn connect(self: &Arc<Self>) {
        for port in self.ports {
            self.link.ports.lock().connect(port, self.clone());
        }
    }

    /// Brings the session up: serving process, handshake, context.
    ///
    /// # Errors
    ///
    /// Why the card does not serve; `ETIMEDOUT`; `ERESTARTSYS` for a signal; `EPROTO` for an answer that
    /// makes no sense; `EREMOTEIO` if the card refuses.
    pub(super) fn bring_up(self: &Arc<Self>, log_level: u32, deadline: Instant) -> Result {
        let link = &self.link;
        // A reset that began before the session was in the table has not seen it.
        link.life.check_serving(self.generation)?;
        let request = Packet {
            command: CREATE,
            dma_size: WINDOW,
            log_level,
            ..link.destroy_packet(self.process.number() as u32, &self.ports)
        };
        link.create(&request, deadline, Signals::All)?;
        self.handshake(deadline)?;
        let answer = self.call(deadline, |call, out| call.create_context(out))?;
        let answer = rpc::control_answer(&answer).map_err(|error| {
            dev_warn_ratelimited!(link, "context: {}\n", error);
            EPROTO
        })?;
        if answer.status != 0 {
            return Err(EREMOTEIO);
        }
        Ok(())
    }

    /// Sends SYNC, waits for its acknowledgement, sends DONE.  DONE shares the doorbell of the first call.
    fn handshake(&self, deadline: Instant) -> Result {
        let number = self.number;
        for _ in 0..SYNC_TRIES {
            self.with(|engine, session| {
                engine.send_transfer(session, role::HOST_BULK, &Transfer::Sync(number));
            });
            let until = Instant::now() + deadline.left().min(SYNC_WAIT);
            let acknowledged = self.wait(until, |engine| {
                matches!(engine.phase, Phase::Acknowledged).then_some(())
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
                Err(e) if e == ETIMEDOUT && !deadline.left().is_zero() => {}
                Err(e) => return Err(e),
            }
        }
        Err(ETIMEDOUT)
    }

    /// Waits until `f` finds what it looks for.
    fn wait<R>(&self, deadline: Instant, mut f: impl FnMut(&mut Engine) -> Option<R>) -> Result<R> {
        let look = |engine: &mut Engine| match f(engine) {
            Some(found) => Ok(Some(found)),
            None => engine.check_open().map(|()| None),
        };
        // TIMEOUT: the caller's.
        time::wait_for(&self.engine, &self.changed, deadline, Signals::All, look)
    }

    /// Makes a call of the driver's own and returns the answer frame.  `build` writes the request.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if `build` finds no room; the error that ended the session; `ETIMEDOUT`; `ERESTARTSYS` for a signal; `ENOMEM`.
    pub(crate) fn call(
        &self,
        deadline: Instant,
        build: impl FnOnce(&rpc::Call, &mut [u8]) -> Option<usize>,
    ) -> Result<KVec<u8>> {
        let _one = self.calling.lock();
        let sequence = self.next_sequence();
        let pid = self.process.number() as u32;
        let call = rpc::Call {
            sequence,
            card: self.link.id,
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
        // TIMEOUT: the caller's.
        let sent = time::poll(ROOM_PAUSE, deadline.left(), || {
            self.with(|engine, session| {
                engine.check_open()?;
                engine.answer = None;
                engine.pending.reserve(1, GFP_KERNEL)?;
                match session.publish(role::CALLS, request) {
                    Ok(()) => engine.expect(header, Caller::Internal),
                    Err(SendError::Full) if task::must_leave() => return Err(ERESTARTSYS),
                    Err(SendError::Full) => return Ok(None),
                    Err(SendError::Failed(e)) => return Err(e),
                }
                Ok(Some(()))
            })
        });
        sent.and_then(|sent| sent.ok_or(ETIMEDOUT))
            .and_then(|()| self.wait(deadline, |engine| engine.answer.take()))
            .inspect_err(|_| {
                let mut engine = self.engine.lock();
                engine.pending.retain(|p| p.caller != Caller::Internal);
            })
    }

    /// Returns a sequence number for an internal call: the first makes the context, the rest is used by
    /// sessions that are the driver's own only.  Where they begin is left to chance, so that a late answer to
    /// the former owner of the ports is not taken for one to this.  The card must do with that: programs of
    /// Axera count on through all their cards and sessions [rpc 3.1].
    fn next_sequence(&self) -> u64 {
        self.sequence.add_to(1) + u64::from(self.number)
    }

    /// Returns where the client goes on counting: the context was made by the first request.
    pub(crate) fn first_sequence(&self) -> u64 {
        u64::from(self.number) + 2
    }
}

/// Takes four ports, waiting a little for those of sessions that are just ending.
fn reserve(link: &Link, claim: Claim) -> Result<Group> {
    let group = time::poll(PORTS_PAUSE, PORTS_WAIT, || {
        let group = link.ports.lock().reserve(claim);
        if group.is_none() {
            link.life.orders.kick();
        }
        Ok::<_, Error>(group)
    });
    group?.ok_or(ENOSPC)
}
