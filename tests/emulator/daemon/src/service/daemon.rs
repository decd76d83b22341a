// SPDX-License-Identifier: MIT OR Apache-2.0

//! The daemon as the card's hardware sees it: messages in, a stop, a report.

use std::sync::Arc;
use std::thread::JoinHandle;

use ax650_emu_api::{Daemon, Link};
use parking_lot::Mutex;
use serde_json::{json, Value};

use super::control_port::{ControlPort, PORT};
use super::sessions::Sessions;
use crate::machine::card::Card;
use crate::machine::codec::Codec;
use crate::machine::options::Options;
use crate::wait::inbox::Inbox;

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
