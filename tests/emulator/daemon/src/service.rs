// SPDX-License-Identifier: MIT OR Apache-2.0

//! The daemon as the card's hardware sees it: messages in, a stop, a report.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use ax650_emu_api::{Daemon, Link};
use parking_lot::{Mutex, RwLock};
use serde_json::{json, Value};

use crate::card::Card;
use crate::codec::Codec;
use crate::control_port::{ControlPort, PORT};
use crate::inbox::Inbox;
use crate::session::Session;
use crate::Options;

/// The sessions that are alive, by each of their ports.
#[derive(Default)]
pub(crate) struct Sessions {
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    by_port: BTreeMap<u32, Arc<Session>>,
    closed: bool,
}

impl Sessions {
    /// Adds a session; false if the card is stopping.
    pub(crate) fn insert(&self, session: Arc<Session>) -> bool {
        let mut table = self.table.write();
        if !table.closed {
            for port in session.ports {
                table.by_port.insert(port, session.clone());
            }
        }
        !table.closed
    }

    /// Takes out the session whose first port is `id`.
    pub(crate) fn remove(&self, id: u32) -> Option<Arc<Session>> {
        let mut table = self.table.write();
        let session = table.by_port.get(&id).filter(|s| s.id == id)?.clone();
        table.by_port.retain(|_, s| s.id != id);
        Some(session)
    }

    /// Takes out all sessions that have one of `ports`.
    pub(crate) fn remove_any(&self, ports: &[u32]) -> Vec<Arc<Session>> {
        let ids: Vec<u32> = {
            let table = self.table.read();
            ports
                .iter()
                .filter_map(|p| table.by_port.get(p))
                .map(|s| s.id)
                .collect()
        };
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Takes out all, for good.
    fn close(&self) -> Vec<Arc<Session>> {
        let mut table = self.table.write();
        table.closed = true;
        let all = std::mem::take(&mut table.by_port);
        all.into_iter()
            .filter(|(port, s)| *port == s.id)
            .map(|(_, s)| s)
            .collect()
    }

    /// The session that has the port, or whose worker has it.
    fn get(&self, port: u32) -> Option<Arc<Session>> {
        let own = self.table.read().by_port.get(&port).cloned();
        own.or_else(|| self.all().into_iter().find(|s| s.workers.has(port)))
    }

    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        let table = self.table.read();
        let first = table.by_port.iter().filter(|(port, s)| **port == s.id);
        first.map(|(_, s)| s.clone()).collect()
    }
}

/// The daemon.
pub(crate) struct Service {
    card: Arc<Card>,
    control: Arc<Inbox>,
    sessions: Arc<Sessions>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Service {
    /// Starts the daemon's threads.
    pub(crate) fn start(
        link: Arc<dyn Link>,
        options: Options,
        codec: Arc<dyn Codec>,
    ) -> std::io::Result<Self> {
        let card = Arc::new(Card::new(link, options, codec)?);
        let control = Arc::new(Inbox::default());
        let sessions = Arc::new(Sessions::default());
        let server = ControlPort::new(card.clone(), control.clone(), sessions.clone());
        let thread = std::thread::Builder::new()
            .name("card-control".into())
            .spawn(move || server.serve())?;
        card.log.write(log::Level::Info, 1, "daemon started");
        Ok(Self {
            card,
            control,
            sessions,
            thread: Mutex::new(Some(thread)),
        })
    }
}

impl Daemon for Service {
    fn message(&self, port: u32, payload: Vec<u8>) {
        let link = &self.card.link;
        if port == PORT {
            if !self.control.put(payload) {
                link.count("port11.flooded", 1);
            }
        } else if let Some(session) = self.sessions.get(port) {
            session.message(port, payload);
        } else {
            link.count("ports.unowned", 1);
            log::debug!(target: "card", "{} bytes on port {port}, which no session has", payload.len());
        }
    }

    fn stop(&self) {
        self.control.close();
        // Calls that wait for the codec end with it; then the sessions end side by side.
        self.card.codec.stop();
        let sessions = self.sessions.close();
        std::thread::scope(|scope| {
            for session in &sessions {
                let ending = std::thread::Builder::new().spawn_scoped(scope, || session.end());
                if ending.is_err() {
                    session.end();
                }
            }
        });
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
        self.card.timer.stop();
    }

    fn report(&self) -> Value {
        let sessions: Vec<Value> = self.sessions.all().iter().map(|s| s.report()).collect();
        let cmm = self.card.link.cmm();
        let files = self.card.files.usage();
        json!({
            "uptime_ms": self.card.boot.elapsed().as_millis() as u64,
            "sessions": sessions,
            "calls": self.card.calls(),
            "unknown_calls": self.card.unknown_calls(),
            "npu": self.card.npu.report(),
            "cpu_percent": self.card.cpu.percent(),
            "cmm": { "size": cmm.size(), "used": cmm.used(), "blocks": cmm.list().len() },
            "files": { "count": files.0, "bytes": files.1 },
            "pcie_sub_id": *self.card.pcie_sub_id.lock(),
            "media": self.card.codec.report(),
        })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}
