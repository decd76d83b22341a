// SPDX-License-Identifier: MIT OR Apache-2.0

//! One worker: the card's side of a group of four ports [rpc 1.1].

use std::sync::Arc;
use std::thread::JoinHandle;

use ax650_emu_api::{priority, CmmError, Held};
use parking_lot::{Mutex, RwLock};
use serde_json::{json, Value};

use crate::bulk::{BulkError, Channel, Place};
use crate::card::Card;
use crate::contexts::Contexts;
use crate::copy::Started;
use crate::engine::{Engine, NativeEngine};
use crate::frames::INLINE;
use crate::inbox::Inbox;
use crate::latch::Latch;
use crate::messages::{u32_at, Control};
use crate::usrwork::Workers;
use crate::wire::p2p;

/// What a create packet asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    /// The host process.
    pub(crate) pid: u32,
    /// P0 to P3.
    pub(crate) ports: [u32; 4],
    /// Bytes of the card's DMA buffer.
    pub(crate) window: u32,
}

/// A worker.
pub(crate) struct Session {
    /// First port; names the session everywhere.
    pub(crate) id: u32,
    /// The host process.
    pub(crate) pid: u32,
    /// The card process that the host is told of.
    pub(crate) card_pid: u32,
    /// P0 to P3.
    pub(crate) ports: [u32; 4],
    /// Bytes of each DMA buffer.
    pub(crate) window: u32,
    /// Card addresses of the DMA buffers of P0 and P1.
    pub(crate) windows: [u64; 2],
    /// The card around it.
    pub(crate) card: Arc<Card>,
    /// Transactions begun by the host.
    pub(crate) p0: Channel,
    /// Transactions begun by the card.
    pub(crate) p1: Channel,
    /// Frames from the host.
    pub(crate) p2: Inbox,
    /// Held for the length of a transaction on P1.
    pub(crate) p1_turn: Mutex<()>,
    /// Queued copies that the host is to run.
    pub(crate) started: Started,
    /// Contexts, streams, events.
    pub(crate) contexts: Contexts,
    /// Models.
    pub(crate) engine: Engine,
    /// Models of the native calls.
    pub(crate) native_engine: NativeEngine,
    /// Programs of the user.
    pub(crate) workers: Workers,
    /// Other cards that the host has told of.
    pub(crate) peers: Mutex<Vec<p2p::Config>>,
    /// Raised at the end of the session.
    pub(crate) ended: Latch,
    /// Held for reading during each use of the link, for writing to end them: after that, the host
    /// may give the ports and the memory to somebody else.
    pub(crate) bus: RwLock<()>,
    /// Number of the last SYNC.
    pub(crate) synced: Mutex<Option<u32>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Session {
    /// Makes the worker and starts its threads.
    pub(crate) fn start(card: Arc<Card>, request: Request) -> Result<Arc<Self>, String> {
        let [p0, p1, ..] = request.ports;
        let windows = Self::buffers(&card, &request).map_err(|e| {
            card.link.cmm().free_owner(p0);
            e.to_string()
        })?;
        let session = Arc::new(Self {
            id: p0,
            pid: request.pid,
            card_pid: card.next_pid(),
            ports: request.ports,
            window: request.window,
            windows,
            p0: Channel::new(p0),
            p1: Channel::new(p1),
            p2: Inbox::default(),
            p1_turn: Mutex::default(),
            started: Started::default(),
            contexts: Contexts::default(),
            engine: Engine::default(),
            native_engine: NativeEngine::default(),
            workers: Workers::default(),
            peers: Mutex::default(),
            ended: Latch::default(),
            bus: RwLock::default(),
            synced: Mutex::default(),
            threads: Mutex::default(),
            card,
        });
        let line = format!("/opt/bin/axcl/axcl_worker {}", session.pid);
        session.card.programs.lock().insert(session.card_pid, line);
        let started = session
            .spawn("p0", Self::serve_p0)
            .and_then(|()| session.spawn("p2", Self::serve_p2));
        if let Err(error) = started {
            session.end();
            return Err(format!("no thread: {error}"));
        }
        session.card.link.count("sessions.opened", 1);
        Ok(session)
    }

    /// The DMA buffers for frames above 1024 bytes, one for each transaction port.
    fn buffers(card: &Card, request: &Request) -> Result<[u64; 2], CmmError> {
        let cmm = card.link.cmm();
        let mut windows = [0; 2];
        for (at, name) in windows.iter_mut().zip(["p0", "p1"]) {
            let name = format!("axcl_{name}_pid{}", request.pid);
            *at = cmm.alloc(request.window.into(), &name, request.ports[0])?;
        }
        Ok(windows)
    }

    /// Starts a thread that [`Self::end`] waits for.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        what: &str,
        body: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> std::io::Result<()> {
        let session = self.clone();
        let mut threads = self.threads.lock();
        // Threads of streams that are gone.
        threads.retain(|thread| !thread.is_finished());
        let thread = std::thread::Builder::new()
            .name(format!("card-{}-{what}", self.id))
            .spawn(move || {
                // Whoever starts it may be more urgent.
                priority::usual();
                body(&session);
            })?;
        threads.push(thread);
        Ok(())
    }

    /// A message from the host; does not block.
    pub(crate) fn message(&self, port: u32, payload: Vec<u8>) {
        let [p0, p1, p2, p3] = self.ports;
        if port == p2 && payload.len() > INLINE {
            // The worker reads this port into a buffer of that size, which loses the message.
            self.card.link.count("rpc.oversized", 1);
            let text = format!("a frame of {} bytes on P2, lost", payload.len());
            self.note(log::Level::Warn, &text);
            return;
        }
        let inbox = if port == p0 {
            &self.p0.inbox
        } else if port == p1 {
            &self.p1.inbox
        } else if port == p2 {
            &self.p2
        } else if port != p3 {
            if !self.workers.message(port, payload) {
                self.card.link.count("usrwork.flooded", 1);
            }
            return;
        } else {
            self.card.link.count("session.unexpected_p3", 1);
            self.note(log::Level::Warn, &format!("{} bytes on P3", payload.len()));
            return;
        };
        if !inbox.put(payload) && !self.ended.is_raised() {
            self.card.link.count("session.flooded", 1);
        }
    }

    /// Sends one message, unless the session has ended or the host takes nothing.
    pub(crate) fn send(&self, port: u32, payload: &[u8]) -> Result<(), ()> {
        let _guard = self.bus.read();
        if self.ended.is_raised() {
            return Err(());
        }
        self.card.link.send(port, payload).map_err(|error| {
            self.card.link.count("session.send_failed", 1);
            self.note(log::Level::Warn, &format!("port {port}: {error}"));
        })
    }

    /// Sends a frame: on P3 if it is short enough, else by push on P1 [rpc 2.4].
    pub(crate) fn send_frame(&self, frame: &[u8]) {
        let [.., p3] = self.ports;
        if frame.len() <= INLINE {
            let _ = self.send(p3, frame);
            return;
        }
        let _turn = self.p1_turn.lock();
        self.p1.inbox.drain();
        let announce = Control::Transfer {
            kind: u32_at(frame, 0),
            size: frame.len() as u32,
        };
        if self.send(self.p1.port, &announce.bytes()).is_err() {
            return;
        }
        let place = Place {
            address: self.windows[1],
            total: frame.len() as u32,
            window: true,
            whole: false,
            held: None,
        };
        let dram = self.card.link.dram();
        let result = self.p1.push(self, place, None, |offset, len| {
            let part = &frame[offset as usize..][..len as usize];
            dram.write(place.address, part)
                .map_err(|e| BulkError::BadRange {
                    address: e.address,
                    len: e.len,
                })
        });
        if let Err(error) = result {
            self.bulk_failed("answer", &error);
        }
    }

    /// Logs and counts a transaction that came to nothing.
    pub(crate) fn bulk_failed(&self, what: &str, error: &BulkError) {
        let counter = match error {
            BulkError::Ended => return,
            BulkError::Timeout(_) => "bulk.timeouts",
            BulkError::Violation(_) => "bulk.violations",
            BulkError::BadRange { .. } => "bulk.bad_ranges",
            BulkError::Dma(_) => "bulk.dma_errors",
        };
        self.card.link.count(counter, 1);
        self.note(log::Level::Warn, &format!("{what}: {error}"));
    }

    /// Logs on the card.
    pub(crate) fn note(&self, level: log::Level, text: &str) {
        self.card.log.write(
            level,
            self.card_pid,
            &format!("session {}: {text}", self.id),
        );
    }

    /// Says that memory was freed which the card's own work still uses.
    pub(crate) fn freed_in_use(&self, block: &str, users: &[Held]) {
        for user in users {
            let text = format!(
                "block {block:?} was freed while session {} uses {:#x} bytes at {:#x} of it for {}",
                user.owner, user.len, user.address, user.what
            );
            self.note(log::Level::Error, &text);
        }
    }

    /// Ends the session: when this returns, nothing of it uses the link and nothing of it is left in
    /// card memory.
    pub(crate) fn end(&self) {
        if !self.ended.raise() {
            return;
        }
        self.p0.inbox.close();
        self.p1.inbox.close();
        self.p2.close();
        // Memory that goes with the session was not freed too early by anybody.
        self.card.link.cmm().holds().give_up(self.id);
        self.started.wake();
        self.contexts.close();
        self.workers.end(&self.card);
        self.engine.interrupt();
        self.native_engine.engine.interrupt();
        self.card.npu.wake();
        self.card.codec.session_end(self.id);
        drop(self.bus.write());
        // A thread that is about to start another has done so, or fails, once it is joined.
        loop {
            let Some(thread) = self.threads.lock().pop() else {
                break;
            };
            if thread.join().is_err() {
                self.card.link.count("session.panics", 1);
            }
        }
        // What calls that were under way have made since.
        self.contexts.close();
        self.workers.end(&self.card);
        self.card.codec.session_end(self.id);
        self.card.programs.lock().remove(&self.card_pid);
        self.engine.clear();
        self.native_engine.engine.clear();
        let blocks = self.card.link.cmm().free_owner(self.id);
        self.card.link.count("sessions.closed", 1);
        self.note(
            log::Level::Info,
            &format!("ended, {blocks} memory blocks freed"),
        );
    }

    /// State for the control socket.
    pub(crate) fn report(&self) -> Value {
        let blocks = self.card.link.cmm().list();
        let mine = blocks.iter().filter(|b| b.owner == self.id);
        json!({
            "id": self.id,
            "pid": self.pid,
            "card_pid": self.card_pid,
            "ports": self.ports,
            "window": self.window,
            "handshake": self.synced.lock().is_some(),
            "contexts": self.contexts.report(),
            "models": self.engine.report(),
            "native_models": self.native_engine.engine.report(),
            "workers": self.workers.report(),
            "peers": self.peers.lock().len(),
            "memory_bytes": mine.map(|b| b.size).sum::<u64>(),
        })
    }
}
