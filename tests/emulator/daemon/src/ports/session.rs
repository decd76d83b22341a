// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who a session is: a host process and its four ports [rpc 1.1].

use std::sync::Arc;
use std::thread::JoinHandle;

use ax650_emu_api::{priority, CmmError, Held};
use parking_lot::{Mutex, RwLock};

use crate::machine::card::Card;
use crate::protocol::frames::Header;
use crate::wait::latch::Latch;
use crate::wire;

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

/// Whose call it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    /// The frame's header.
    pub(crate) header: &'a Header,
    /// The head of the request.
    pub(crate) head: &'a wire::Head,
}

/// A host process on the card, and what every part of its work needs to know.
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
    /// Raised at the end of the session.
    pub(crate) ended: Latch,
    /// Held for reading during each use of the link, for writing to end them: after that, the host
    /// may give the ports and the memory to somebody else.
    pub(crate) bus: RwLock<()>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Session {
    /// Makes a session with its DMA buffers; nothing runs yet.
    pub(crate) fn new(card: Arc<Card>, request: Request) -> Result<Self, String> {
        let [id, ..] = request.ports;
        let windows = Self::buffers(&card, &request).map_err(|e| {
            card.link.cmm().free_owner(id);
            e.to_string()
        })?;
        Ok(Self {
            id,
            pid: request.pid,
            card_pid: card.next_pid(),
            ports: request.ports,
            window: request.window,
            windows,
            ended: Latch::default(),
            bus: RwLock::default(),
            threads: Mutex::default(),
            card,
        })
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

    /// Starts a thread that [`Self::join`] waits for.
    pub(crate) fn spawn(
        &self,
        what: &str,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<()> {
        let mut threads = self.threads.lock();
        // Threads of streams that are gone.
        threads.retain(|thread| !thread.is_finished());
        let thread = std::thread::Builder::new()
            .name(format!("card-{}-{what}", self.id))
            .spawn(move || {
                // Whoever starts it may be more urgent.
                priority::usual();
                body();
            })?;
        threads.push(thread);
        Ok(())
    }

    /// Waits until all threads of the session have ended.
    pub(crate) fn join(&self) {
        // A thread that is about to start another has done so, or fails, once it is joined.
        loop {
            let Some(thread) = self.threads.lock().pop() else {
                break;
            };
            if thread.join().is_err() {
                self.card.link.count("session.panics", 1);
            }
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

    /// Logs on the card.
    pub(crate) fn note(&self, level: log::Level, text: &str) {
        self.card.log.write(
            level,
            self.card_pid,
            &format!("session {}: {text}", self.id),
        );
    }

    /// Writes to the card's log why a call is refused, in the form that docs/emulator.md gives: the host,
    /// which the protocol tells a number only, finds its own call by what it knows of it.
    pub(crate) fn explain(&self, caller: &Caller<'_>, name: &str, status: u32, why: &str) {
        let env = caller.head.env.unwrap_or_default();
        let Header {
            context,
            stream,
            sequence,
            ..
        } = caller.header;
        let text = format!(
            "pid {} tid {} context {context} stream {stream} call {sequence}: {name} refused with {status:#010x}: {why}",
            env.pid, env.tid
        );
        self.note(log::Level::Error, &text);
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
}
