// SPDX-License-Identifier: MIT OR Apache-2.0

//! Programs of the user.  They are made for the card's processor and are not run here: a placeholder
//! has a process id and takes what the host sends to its ports.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{json, Value};

use crate::machine::card::Card;
use crate::ports::channel::{BulkError, Channel, Place};
use crate::ports::session::Session;
use crate::protocol::errors::{code, About, Why, NO_WORKER, WORKER_PORTS};
use crate::protocol::frames::INLINE;
use crate::protocol::messages::Control;
use crate::wire::usrwork::RequestBody;

/// Most workers of a session.
const MAX_WORKERS: usize = 16;

/// Ports that the host has for workers.
const PORTS: std::ops::RangeInclusive<u32> = 21..=127;

/// A placeholder for a program that runs.
#[derive(Debug)]
struct Worker {
    path: String,
    argv: Vec<String>,
    ports: Vec<u32>,
    heartbeat_ms: u32,
    /// The first of the ports: from the host.
    input: Channel,
    taken: AtomicU64,
}

impl Worker {
    fn end(&self, card: &Card, pid: u32) {
        self.input.inbox.close();
        card.programs.lock().remove(&pid);
    }
}

/// The workers of a session, by process id.
#[derive(Debug, Default)]
pub(crate) struct Workers {
    by_pid: Mutex<BTreeMap<u32, Arc<Worker>>>,
}

impl Workers {
    /// Whether a worker has the port.
    pub(crate) fn has(&self, port: u32) -> bool {
        let workers = self.by_pid.lock();
        workers.values().any(|worker| worker.ports.contains(&port))
    }

    /// A message from the host on a worker's port; false if it is not taken.
    pub(crate) fn message(&self, port: u32, payload: Vec<u8>) -> bool {
        let workers = self.by_pid.lock();
        let worker = workers.values().find(|worker| worker.ports.contains(&port));
        match worker {
            Some(worker) if worker.input.port == port => worker.input.inbox.put(payload),
            // The second port is for what the program sends; nothing is known of the others.
            Some(worker) => {
                worker
                    .taken
                    .fetch_add(payload.len() as u64, Ordering::Relaxed);
                true
            }
            None => false,
        }
    }

    /// Ends a worker.
    pub(super) fn kill(&self, card: &Card, pid: u32) -> Result<(), u32> {
        let worker = self.by_pid.lock().remove(&pid).ok_or(NO_WORKER)?;
        worker.end(card, pid);
        Ok(())
    }

    /// Ends all: the session has ended.
    pub(crate) fn end(&self, card: &Card) {
        for (pid, worker) in std::mem::take(&mut *self.by_pid.lock()) {
            worker.end(card, pid);
        }
    }

    /// State for the control socket.
    pub(crate) fn report(&self) -> Value {
        let workers = self.by_pid.lock();
        let workers = workers.iter().map(|(pid, worker)| {
            json!({
                "pid": pid,
                "path": worker.path,
                "argv": worker.argv,
                "ports": worker.ports,
                "heartbeat_ms": worker.heartbeat_ms,
                "taken_bytes": worker.taken.load(Ordering::Relaxed),
            })
        });
        workers.collect()
    }
}

/// Starts a placeholder; returns its process id.
pub(super) fn exec(
    session: &Arc<Session>,
    workers: &Workers,
    request: &RequestBody,
) -> Result<u32, u32> {
    let path = session
        .card
        .files
        .program(request.path.as_deref().unwrap_or_default())?;
    let count = request.port_num.unwrap_or(request.ports.len() as u32) as usize;
    let ports = request.ports.get(..count).ok_or(WORKER_PORTS)?;
    for (index, port) in ports.iter().enumerate() {
        let twice = ports[..index].contains(port) || session.ports.contains(port);
        if count > 4 || twice || !PORTS.contains(port) {
            return Err(WORKER_PORTS);
        }
    }
    let pid = session.card.next_pid();
    let worker = Arc::new(Worker {
        path,
        argv: request.argv.clone(),
        ports: ports.to_vec(),
        heartbeat_ms: request.heartbeat_interval.unwrap_or(0),
        input: Channel::new(ports.first().copied().unwrap_or(0)),
        taken: AtomicU64::default(),
    });
    let mut workers = workers.by_pid.lock();
    // The host gives ports out: whoever has them still is one that it has forgotten.
    workers.retain(|pid, old| {
        let keep = !old.ports.iter().any(|port| ports.contains(port));
        if !keep {
            old.end(&session.card, *pid);
        }
        keep
    });
    if workers.len() >= MAX_WORKERS || session.ended.is_raised() {
        return Err(code(About::UsrWork, Why::NoMemory));
    }
    if !ports.is_empty() {
        let (session_of, served) = (session.clone(), worker.clone());
        session
            .spawn(&format!("worker{pid}"), move || serve(&session_of, &served))
            .map_err(|_| code(About::UsrWork, Why::NoMemory))?;
    }
    let text = format!(
        "worker {pid}: {}, ports {:?}, a placeholder that runs nothing",
        worker.path, worker.ports
    );
    let words = std::iter::once(&worker.path).chain(worker.argv.iter().skip(1));
    let line = words.cloned().collect::<Vec<_>>().join(" ");
    session.card.programs.lock().insert(pid, line);
    workers.insert(pid, worker);
    drop(workers);
    session.card.link.count("usrwork.workers", 1);
    session.note(log::Level::Info, &text);
    Ok(pid)
}

/// Takes what the host sends until the worker is ended.
fn serve(session: &Session, worker: &Worker) {
    while let Ok(message) = worker.input.inbox.take(None) {
        let result = match Control::parse(&message) {
            Ok(Control::Transfer { size, .. }) => take(session, worker, size),
            Ok(other) => Err(BulkError::Violation(format!("{other:?} to a worker"))),
            Err(error) => Err(BulkError::Violation(error.to_string())),
        };
        match result {
            Ok(bytes) => {
                worker.taken.fetch_add(bytes, Ordering::Relaxed);
                session.card.link.count("usrwork.taken_bytes", bytes);
            }
            Err(error) => session.bulk_failed("worker", &error),
        }
    }
}

/// Takes `size` bytes: one message, or by pull [rpc 8.2].
fn take(session: &Session, worker: &Worker, size: u32) -> Result<u64, BulkError> {
    if (size as usize) < INLINE {
        let patience = session.card.options.patience;
        let data = worker.input.inbox.take(Some(patience));
        let data = data.map_err(|_| BulkError::Timeout(patience.as_secs()))?;
        if data.len() != size as usize {
            let text = format!("{} bytes where {size} were announced", data.len());
            return Err(BulkError::Violation(text));
        }
        return Ok(data.len() as u64);
    }
    let card = &session.card;
    let name = format!("usrwork_pid{}", session.pid);
    let window = card.alloc(session.window.into(), &name, session.id);
    // Without memory of its own the host is told of a failure, through a window that is never written.
    let refuse = window.is_err().then_some(BulkError::BadRange {
        address: 0,
        len: size.into(),
    });
    let place = Place {
        address: window.unwrap_or(session.windows[0]),
        total: size,
        window: true,
        whole: false,
        held: None,
    };
    let result = worker.input.pull(session, place, refuse, |_| Ok(()));
    if let Ok(address) = window {
        let _ = card.link.cmm().free(address);
    }
    result.map(|()| size.into())
}
