// SPDX-License-Identifier: GPL-2.0

//! What the card says of itself, asked with the fixed command lines that its own tools use [rpc 4.2].

use kernel::{
    new_mutex,
    sync::{
        Arc,
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
            Delta,
            Instant, //
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

const LOG_LEVEL: u32 = 2;

/// The values last read.
#[derive(Default)]
struct Cache {
    values: Telemetry,
    read_at: Option<Instant>,
}

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
    /// Held while the card is asked, so that it is asked once; outside of a session's locks.
    #[pin]
    cache: Mutex<Cache>,
}

impl Management {
    /// Makes the management of a card without a session.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            session <- new_mutex!(None, "ax650_management"),
            cache <- new_mutex!(Cache::default(), "ax650_telemetry"),
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

    /// Runs a command line on the card and hands its output to `f`.
    fn ask<R>(
        session: &Session,
        deadline: Instant,
        line: &str,
        f: impl FnOnce(&[u8]) -> Option<R>,
    ) -> Option<R> {
        let answer = session
            .call(deadline, |call, out| call.shell(out, line))
            .ok()?;
        let answer = rpc::control_answer(&answer).ok()?;
        f(answer.output)
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
                *answered = Self::ask(&session, deadline, line, heard).is_some();
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

    /// Returns the card's values, not older than `max_age`.
    ///
    /// # Errors
    ///
    /// Those of [`Life::check_serving`]; `EAGAIN` if there is no session yet; `ETIMEDOUT` if the card answers
    /// nothing.
    pub(super) fn telemetry(&self, life: &Life, max_age: Delta) -> Result<Telemetry> {
        let generation = life.generation();
        life.check_serving(generation)?;
        let session = self.session().ok_or(EAGAIN)?;
        let mut cache = self.cache.lock();
        if let Some(at) = cache.read_at {
            let age = at.elapsed();
            if age < max_age {
                cache.values.age_ns = age.as_nanos() as u64;
                return Ok(cache.values);
            }
        }
        let deadline = Instant::now() + TIMEOUT;
        let ask = |line, f: &dyn Fn(&[u8]) -> Option<u64>| {
            Self::ask(&session, deadline, line, |text| f(text))
        };
        let mut values = Telemetry::default();
        Self::ask(&session, deadline, command::TEMPERATURE, |text| {
            values.temperature_mc = proctext::temperature(text)?;
            values.valid |= TELEMETRY_TEMPERATURE;
            Some(())
        });
        let cpu = ask(command::CPU, &|text| {
            proctext::cpu_load(text).map(u64::from)
        });
        if let Some(load) = cpu {
            values.cpu_load = load as u32;
            values.valid |= TELEMETRY_CPU;
        }
        let npu = ask(command::NPU, &|text| {
            proctext::npu_load(text).map(u64::from)
        });
        if let Some(load) = npu {
            values.npu_load = load as u32;
            values.valid |= TELEMETRY_NPU;
        }
        Self::ask(&session, deadline, command::MEMORY, |text| {
            let memory = proctext::meminfo(text)?;
            values.memory_total = memory.total << 10;
            values.memory_free = memory.part << 10;
            values.valid |= TELEMETRY_MEMORY;
            Some(())
        });
        Self::ask(&session, deadline, command::CMM, |text| {
            let memory = proctext::cmm(text)?;
            values.cmm_total = memory.total << 10;
            values.cmm_used = memory.part << 10;
            values.valid |= TELEMETRY_CMM;
            Some(())
        });
        if values.valid == 0 {
            life.check_serving(generation)?;
            return Err(ETIMEDOUT);
        }
        cache.values = values;
        cache.read_at = Some(Instant::now());
        Ok(values)
    }
}
