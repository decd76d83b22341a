// SPDX-License-Identifier: GPL-2.0

//! `AX650_IOC_QUERY`.

use kernel::uaccess::{
    UserPtr,
    UserSlice, //
};

use super::{
    client::Client,
    DEFAULT_TIMEOUT,
    MAX_JOBS,
    MAX_SESSIONS_PER_FILE,
    MAX_STEPS,
    MAX_STEP_SIZE, //
};
use crate::{
    axcl::registry,
    buffer::{
        account::{
            MAX_BUFFERS_PER_FILE,
            MAX_BYTES_PER_FILE,
            MAX_BYTES_PER_USER, //
            MAX_FILES_PER_USER,
        },
        MAX_BUFFER,
        MAX_BYTES_PER_CARD, //
    },
    card::telemetry::MAX_AGE,
    glue::{
        plain::Plain,
        prelude::*, //
    },
    link::ports::{
        KEPT_SESSIONS,
        MAX_SESSIONS, //
    },
    session::base::{
        MAX_FRAME,
        MAX_QUEUED_STEPS,
        MAX_UNDER_WAY, //
    },
    uapi::{
        ClientInfo,
        Limits,
        Query,
        QUERY_CARD,
        QUERY_CLIENTS,
        QUERY_COUNTERS,
        QUERY_LIMITS,
        QUERY_TELEMETRY, //
    }, //
};

impl Client {
    /// Answers a query.  The card's state can be asked for whatever it is, even gone.
    ///
    /// # Errors
    ///
    /// `EINVAL` for flags or a kind that there is none of; those of [`Card::telemetry`]; `ENOMEM`;
    /// `EFAULT`.
    pub(super) fn answer_query(&self, args: &mut Query) -> Result {
        if args.flags != 0 || args.reserved != 0 {
            return Err(EINVAL);
        }
        let card = &self.card;
        match args.kind {
            QUERY_CARD => give(args, card.info().bytes()),
            QUERY_TELEMETRY => give(args, card.telemetry(MAX_AGE)?.bytes()),
            QUERY_COUNTERS => {
                let mut counters = card.link.counters.snapshot();
                counters.quarantined_bytes = card.pool.quarantined_bytes();
                counters.buffer_bytes = card.pool.memory.bytes();
                give(args, counters.bytes())
            }
            QUERY_CLIENTS => self.clients(args),
            QUERY_LIMITS => give(args, LIMITS.bytes()),
            _ => Err(EINVAL),
        }
    }

    fn clients(&self, args: &mut Query) -> Result {
        let mut all: KVec<u8> = KVec::new();
        for session in self.card.sessions.of_clients() {
            let (pid, command) = session.process.shown_to_caller(session.comm);
            let info = ClientInfo {
                pid,
                session: session.ports.first().copied().unwrap_or(0),
                buffer_bytes: session.seat.as_ref().map_or(0, |seat| seat.bytes()),
                jobs: session.jobs.get(),
                bytes_to_card: session.bytes_to_card.get(),
                bytes_from_card: session.bytes_from_card.get(),
                command,
                ..ClientInfo::default()
            };
            all.extend_from_slice(info.bytes(), GFP_KERNEL)?;
        }
        if let Some(clients) = registry::clients_of(&self.card) {
            for info in clients.infos()?.iter() {
                all.extend_from_slice(info.bytes(), GFP_KERNEL)?;
            }
        }
        give(args, &all)
    }
}

/// One session is the driver's own.
const LIMITS: Limits = Limits {
    max_sessions_per_card: MAX_SESSIONS - 1,
    max_sessions_per_file: MAX_SESSIONS_PER_FILE as u32,
    max_buffers_per_file: MAX_BUFFERS_PER_FILE as u32,
    max_jobs_per_session: MAX_JOBS as u32,
    max_steps_per_job: MAX_STEPS,
    max_frame_bytes: MAX_FRAME,
    max_buffer_bytes: MAX_BUFFER,
    max_bytes_per_file: MAX_BYTES_PER_FILE,
    max_bytes_per_card: MAX_BYTES_PER_CARD,
    default_timeout_ns: DEFAULT_TIMEOUT.as_nanos() as u64,
    max_bytes_per_user: MAX_BYTES_PER_USER,
    max_sessions_per_user: MAX_SESSIONS - 1 - KEPT_SESSIONS,
    max_queued_steps: MAX_QUEUED_STEPS as u32,
    max_calls_under_way: MAX_UNDER_WAY as u32,
    max_step_bytes: MAX_STEP_SIZE,
    max_files_per_user: MAX_FILES_PER_USER,
    reserved: 0,
};

/// Writes as much of `bytes` as the caller has room for, and says how many there are.
fn give(args: &mut Query, bytes: &[u8]) -> Result {
    let room = args.size as usize;
    if let Some(part) = bytes
        .get(..room.min(bytes.len()))
        .filter(|part| !part.is_empty())
    {
        let at = usize::try_from(args.data).map_err(|_| EFAULT)?;
        UserSlice::new(UserPtr::from_addr(at), part.len())
            .writer()
            .write_slice(part)?;
    }
    args.size = bytes.len() as u32;
    Ok(())
}
