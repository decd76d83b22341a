// SPDX-License-Identifier: GPL-2.0

//! What the card says of itself, asked with the fixed command lines that its own tools use [rpc 4.2].

use kernel::{
    new_condvar,
    new_mutex,
    sync::{
        Arc,
        CondVar,
        Mutex, //
    }, //
};

use super::status::{
    put_text,
    Status, //
};
use crate::{
    glue::{
        prelude::*,
        time::{
            self,
            Delta,
            Instant,
            Signals, //
        }, //
    },
    link::life::Life,
    session::{
        table::Sessions,
        Session, //
    },
    uapi::{
        Telemetry,
        TELEMETRY_CMM,
        TELEMETRY_CPU,
        TELEMETRY_MEMORY,
        TELEMETRY_NPU,
        TELEMETRY_TEMPERATURE, //
    },
    wire::{
        proctext::{
            self,
            command, //
        },
        rpc, //
    }, //
};

/// Values are asked for again after this.
pub(crate) const MAX_AGE: Delta = Delta::from_secs(1);

// TIMEOUT: all questions together; each takes a few milliseconds on a card in order.
const TIMEOUT: Delta = Delta::from_secs(2);

// TIMEOUT: of whoever waits for another's questions.
const TURN: Delta = Delta::from_secs(3);

const LOG_LEVEL: u32 = 2;

/// What came of the last time that the card was asked.
#[derive(Default)]
struct Cache {
    last: Option<(Instant, Result<Telemetry>)>,
    /// Somebody asks it now.
    asking: bool,
}

impl Cache {
    /// Returns what is not older than `max_age`.
    fn fresh(&self, max_age: Delta) -> Option<Result<Telemetry>> {
        let (at, result) = self.last?;
        let age = at.elapsed();
        let dated = |mut values: Telemetry| {
            values.age_ns = age.as_nanos() as u64;
            values
        };
        (age < max_age).then(|| result.map(dated))
    }
}

/// A question: its command line, and what takes the answer in.
type Question = (&'static str, fn(&[u8], &mut Telemetry) -> Option<()>);

const QUESTIONS: [Question; 5] = [
    (command::TEMPERATURE, |text, values| {
        values.temperature_mc = proctext::temperature(text)?;
        values.valid |= TELEMETRY_TEMPERATURE;
        Some(())
    }),
    (command::CPU, |text, values| {
        values.cpu_load = proctext::cpu_load(text)?;
        values.valid |= TELEMETRY_CPU;
        Some(())
    }),
    (command::NPU, |text, values| {
        values.npu_load = proctext::npu_load(text)?;
        values.valid |= TELEMETRY_NPU;
        Some(())
    }),
    (command::MEMORY, |text, values| {
        let memory = proctext::meminfo(text)?;
        values.memory_total = memory.total << 10;
        values.memory_free = memory.part << 10;
        values.valid |= TELEMETRY_MEMORY;
        Some(())
    }),
    (command::CMM, |text, values| {
        let memory = proctext::cmm(text)?;
        values.cmm_total = memory.total << 10;
        values.cmm_used = memory.part << 10;
        values.valid |= TELEMETRY_CMM;
        Some(())
    }),
];

/// What the card has answered about itself.
#[derive(Default)]
pub(super) struct Identity {
    pub(super) version: bool,
    chip: bool,
    uid: bool,
    /// Whether the question for memory was answered,
    asked: bool,
    /// and the bytes that it has for clients, if the answer could be read.
    pub(super) memory: Option<u64>,
}

impl Identity {
    /// Returns whether all questions have been answered.
    pub(super) fn is_complete(&self) -> bool {
        self.version && self.chip && self.uid && self.asked
    }
}

/// The driver's own session, and what was asked through it.
#[pin_data]
pub(super) struct Management {
    /// Until the card goes down or it does not answer.  A leaf.
    #[pin]
    session: Mutex<Option<Arc<Session>>>,
    /// A leaf; the card is asked without it, by one at a time.
    #[pin]
    cache: Mutex<Cache>,
    #[pin]
    asked: CondVar,
}

impl Management {
    /// Makes the management of a card without a session.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            session <- new_mutex!(None, "ax650_management"),
            cache <- new_mutex!(Cache::default(), "ax650_telemetry"),
            asked <- new_condvar!("ax650_asked"),
        })
    }

    /// Returns the session, if it serves.
    pub(super) fn session(&self) -> Option<Arc<Session>> {
        self.session
            .lock()
            .clone()
            .filter(|session| session.is_open())
    }

    /// Takes the session away.
    pub(super) fn take(&self) -> Option<Arc<Session>> {
        self.session.lock().take()
    }

    /// Opens the session.
    ///
    /// # Errors
    ///
    /// Those of [`Sessions::open`].
    pub(super) fn open(&self, sessions: &Sessions, deadline: Instant) -> Result {
        let session = sessions.open(None, LOG_LEVEL, deadline)?;
        *self.session.lock() = Some(session);
        Ok(())
    }

    /// Runs a command line on the card and hands its output to `f`; `None` if that makes nothing of it.
    ///
    /// # Errors
    ///
    /// Those of [`Session::call`].
    fn ask<R>(
        session: &Session,
        deadline: Instant,
        line: &str,
        f: impl FnOnce(&[u8]) -> Option<R>,
    ) -> Result<Option<R>> {
        let answer = session.call(deadline, |call, out| call.shell(out, line))?;
        let answer = rpc::control_answer(&answer).ok();
        Ok(answer.and_then(|answer| f(answer.output)))
    }

    /// Asks for chip, firmware version, unique id and memory, as far as `known` has not got them.  A
    /// question is answered by whatever the card says, even if it makes no sense.
    pub(super) fn ask_identity(&self, known: &mut Identity, status: &Mutex<Status>) {
        let Some(session) = self.session() else {
            return;
        };
        let deadline = Instant::now() + TIMEOUT;
        let ask = |answered: &mut bool, line, f: &mut dyn FnMut(&[u8])| {
            if !*answered {
                let heard = |text: &[u8]| {
                    f(text);
                    Some(())
                };
                *answered = matches!(Self::ask(&session, deadline, line, heard), Ok(Some(())));
            }
        };
        ask(&mut known.version, command::VERSION, &mut |text| {
            if let Some(version) = proctext::version(text) {
                put_text(&mut status.lock().firmware_version, version.as_bytes());
            }
        });
        ask(&mut known.chip, command::CHIP, &mut |text| {
            if let Some(chip) = proctext::chip_name(text) {
                put_text(&mut status.lock().chip, chip.as_bytes());
            }
        });
        ask(&mut known.uid, command::UID, &mut |text| {
            if let Some(uid) = proctext::uid(text) {
                status.lock().uid = uid;
            }
        });
        let memory = &mut known.memory;
        ask(&mut known.asked, command::CMM, &mut |text| {
            *memory = proctext::cmm(text).map(|cmm| cmm.total << 10);
        });
    }

    /// Returns the card's values, not older than `max_age`; that they could not be had is a value, too.
    ///
    /// # Errors
    ///
    /// Those of [`Life::check_serving`]; `EAGAIN` if there is no session yet; `ETIMEDOUT` if the card answers
    /// nothing; `ERESTARTSYS` for a signal.
    pub(super) fn telemetry(&self, life: &Life, max_age: Delta) -> Result<Telemetry> {
        let generation = life.generation();
        life.check_serving(generation)?;
        let session = self.session().ok_or(EAGAIN)?;
        let deadline = Instant::now() + TURN;
        let cached = time::wait_for(&self.cache, &self.asked, deadline, Signals::All, |cache| {
            let fresh = cache.fresh(max_age);
            if fresh.is_none() && cache.asking {
                return Ok(None);
            }
            cache.asking |= fresh.is_none();
            Ok(Some(fresh))
        })?;
        if let Some(result) = cached {
            return result;
        }
        let result = Self::read(&session);
        let mut cache = self.cache.lock();
        cache.asking = false;
        // What a signal has cut off says nothing of the card.
        if !matches!(result, Err(e) if e == ERESTARTSYS) {
            cache.last = Some((Instant::now(), result));
        }
        drop(cache);
        self.asked.notify_all();
        if result.is_err() {
            life.check_serving(generation)?;
        }
        result
    }

    fn read(session: &Session) -> Result<Telemetry> {
        let deadline = Instant::now() + TIMEOUT;
        let mut values = Telemetry::default();
        for (line, take) in QUESTIONS {
            match Self::ask(session, deadline, line, |text| take(text, &mut values)) {
                Err(e) if e == ERESTARTSYS => return Err(e),
                // The others may be answered.
                _ => {}
            }
        }
        if values.valid == 0 {
            return Err(ETIMEDOUT);
        }
        Ok(values)
    }
}
