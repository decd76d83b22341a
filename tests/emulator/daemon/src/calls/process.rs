// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card's process for a session: everything that the host process has on the card.

use std::sync::Arc;

use serde_json::{json, Value};

use crate::machine::card::Card;
use crate::ports::group::Ports;
use crate::ports::session::{Request, Session};
use crate::queues::contexts::Contexts;
use crate::services::engine::native::NativeEngine;
use crate::services::engine::state::Engine;
use crate::services::p2p::Peers;
use crate::services::usrwork::workers::Workers;

/// A process of the card.
pub(crate) struct Process {
    /// Whom it serves.
    pub(crate) session: Arc<Session>,
    /// Its way to the host.
    pub(super) ports: Arc<Ports>,
    /// Contexts, streams, events.
    pub(super) contexts: Contexts,
    /// Models.
    pub(super) engine: Arc<Engine>,
    /// Models of the native calls.
    pub(super) native_engine: NativeEngine,
    /// Programs of the user.
    pub(super) workers: Workers,
    /// Other cards that the host has told of.
    pub(super) peers: Peers,
}

impl Process {
    /// Makes the process; nothing runs yet.
    pub(super) fn new(card: Arc<Card>, request: Request) -> Result<Self, String> {
        let session = Arc::new(Session::new(card, request)?);
        let line = format!("/opt/bin/axcl/axcl_worker {}", session.pid);
        session.card.programs.lock().insert(session.card_pid, line);
        Ok(Self {
            ports: Arc::new(Ports::new(session.clone())),
            contexts: Contexts::default(),
            engine: Engine::new(&session.card),
            native_engine: NativeEngine::default(),
            workers: Workers::default(),
            peers: Peers::default(),
            session,
        })
    }

    /// Whether a program of the user has the port.
    pub(crate) fn lends(&self, port: u32) -> bool {
        self.workers.has(port)
    }

    /// Takes a message from the host; does not block.
    pub(crate) fn message(&self, port: u32, payload: Vec<u8>) {
        if self.session.ports.contains(&port) {
            self.ports.message(port, payload);
        } else if !self.workers.message(port, payload) {
            self.session.card.link.count("usrwork.flooded", 1);
        }
    }

    /// Ends the session: when this returns, nothing of it uses the link and nothing of it is left in
    /// card memory.
    pub(crate) fn end(&self) {
        let (session, card) = (&self.session, &self.session.card);
        if !session.ended.raise() {
            return;
        }
        self.ports.close();
        // Memory that goes with the session was not freed too early by anybody.
        card.link.cmm().holds().give_up(session.id);
        self.ports.wake();
        self.contexts.close();
        self.workers.end(card);
        self.engine.interrupt();
        self.native_engine.engine.interrupt();
        card.npu.wake();
        card.codec.session_end(session.id);
        drop(session.bus.write());
        session.join();
        // What calls that were under way have made since.
        self.contexts.close();
        self.workers.end(card);
        card.codec.session_end(session.id);
        card.programs.lock().remove(&session.card_pid);
        self.engine.clear();
        self.native_engine.engine.clear();
        let blocks = card.link.cmm().free_owner(session.id);
        card.link.count("sessions.closed", 1);
        let text = format!("ended, {blocks} memory blocks freed");
        session.note(log::Level::Info, &text);
    }

    /// State for the control socket.
    pub(crate) fn report(&self) -> Value {
        let session = &self.session;
        let blocks = session.card.link.cmm().list();
        let mine = blocks.iter().filter(|b| b.owner == session.id);
        json!({
            "id": session.id,
            "pid": session.pid,
            "card_pid": session.card_pid,
            "ports": session.ports,
            "window": session.window,
            "handshake": self.ports.is_synced(),
            "contexts": self.contexts.report(),
            "models": self.engine.report(),
            "native_models": self.native_engine.engine.report(),
            "workers": self.workers.report(),
            "peers": self.peers.lock().len(),
            "memory_bytes": mine.map(|b| b.size).sum::<u64>(),
        })
    }
}
