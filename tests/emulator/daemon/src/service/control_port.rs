// SPDX-License-Identifier: MIT OR Apache-2.0

//! Port 11: groups of ports come and go [pcie 5].

use std::sync::Arc;
use std::thread::JoinHandle;

use ax650_emu_api::priority;
use parking_lot::Mutex;

use super::sessions::Sessions;
use crate::calls::dispatch;
use crate::calls::process::Process;
use crate::machine::card::Card;
use crate::machine::switches;
use crate::ports::session::Request;
use crate::protocol::messages::u32_at;
use crate::wait::inbox::Inbox;

/// The control port.
pub(super) const PORT: u32 = 11;

const CREATE: u32 = 1;
const DESTROY: u32 = 2;
const CREATED: u32 = 3;
const CREATE_FAILED: u32 = 5;

/// Most threads that are not done with their ports.
pub(crate) const MAX_WAITS: usize = 256;

/// Bytes of a control packet.
const LEN: usize = 40;
/// The window when the packet names none, and the limits of what it may name.
const DEFAULT_WINDOW: u32 = 4 << 20;
const WINDOWS: std::ops::RangeInclusive<u32> = 4 << 10..=16 << 20;

/// The server of the control port: one packet after the other, none of which waits for a worker.
pub(super) struct ControlPort {
    inbox: Arc<Inbox>,
    port: Arc<Port>,
    /// Sessions that are ending, which takes as long as what they have begun, and those that wait for
    /// the ports of such.
    waits: Vec<Wait>,
}

/// What makes and ends sessions.
struct Port {
    card: Arc<Card>,
    sessions: Arc<Sessions>,
}

/// A thread that is not done with some ports.
struct Wait {
    ports: [u32; 4],
    /// Set when the group that is to be made has been destroyed in the meantime.
    cancelled: Arc<Mutex<bool>>,
    thread: JoinHandle<()>,
}

impl ControlPort {
    /// A server that takes its packets from `inbox`.
    pub(super) fn new(card: Arc<Card>, inbox: Arc<Inbox>, sessions: Arc<Sessions>) -> Self {
        Self {
            inbox,
            port: Arc::new(Port { card, sessions }),
            waits: Vec::new(),
        }
    }

    /// Serves until the inbox is closed, and then until all sessions that were told to end have.
    pub(super) fn serve(mut self) {
        priority::urgent();
        while let Ok(packet) = self.inbox.take(None) {
            self.waits.retain(|wait| !wait.thread.is_finished());
            if packet.len() != LEN {
                self.port
                    .odd(&format!("a control packet of {} bytes", packet.len()));
                continue;
            }
            match u32_at(&packet, 0) {
                CREATE => self.create(packet),
                DESTROY => self.destroy(&packet),
                other => self.port.odd(&format!("control command {other}")),
            }
        }
        for wait in self.waits {
            *wait.cancelled.lock() = true;
            let _ = wait.thread.join();
        }
    }

    fn create(&mut self, packet: Vec<u8>) {
        let card = &self.port.card;
        card.link.count("port11.creates", 1);
        if card.switches.fires(&*card.link, "port11.fail") {
            return self.port.answer(packet, Err("port11.fail is set".into()));
        }
        match check(&packet) {
            Ok(Some(request)) => self.make(request, packet),
            Ok(None) => {
                self.port
                    .odd("a group of less than 4 ports: answered, but there is no worker");
                self.port.answer(packet, Ok(()));
            }
            Err(error) => self.port.answer(packet, Err(error)),
        }
    }

    /// Makes a session and answers, now or once the ports are free.
    fn make(&mut self, request: Request, packet: Vec<u8>) {
        // The host gives ports out, so a group that is in its way is one that it has forgotten.
        for process in self.port.sessions.remove_any(&request.ports) {
            self.port.odd(&format!(
                "ports of session {} are given out again",
                process.session.id
            ));
            self.end(process);
        }
        // A worker that is not yet gone would answer on the new one's ports.
        let shares = |wait: &Wait| wait.ports.iter().any(|port| request.ports.contains(port));
        let (old, waits): (Vec<Wait>, _) = std::mem::take(&mut self.waits)
            .into_iter()
            .partition(shares);
        self.waits = waits;
        if old.is_empty() {
            let made = self.port.make(request);
            return self.port.answer(packet, made);
        }
        for wait in &old {
            *wait.cancelled.lock() = true;
        }
        if self.waits.len() + old.len() >= MAX_WAITS {
            self.waits.extend(old);
            return self
                .port
                .answer(packet, Err("too many groups wait for their ports".into()));
        }
        self.port.card.link.count("port11.waits", 1);
        let cancelled = Arc::new(Mutex::new(false));
        let (port, dropped) = (self.port.clone(), cancelled.clone());
        let waiting = move || {
            priority::usual();
            for wait in old {
                let _ = wait.thread.join();
            }
            // With the lock, so that a destroy comes before the session or finds it.
            let dropped = dropped.lock();
            if !*dropped {
                let made = port.make(request);
                port.answer(packet, made);
            }
        };
        let thread = std::thread::Builder::new()
            .name(format!("card-{}-wait", request.ports[0]))
            .spawn(waiting);
        match thread {
            Ok(thread) => self.waits.push(Wait {
                ports: request.ports,
                cancelled,
                thread,
            }),
            Err(error) => self
                .port
                .odd(&format!("create dropped: no thread: {error}")),
        }
    }

    /// The group is named by its ports: at process exit the rest of the packet is garbage.
    fn destroy(&mut self, packet: &[u8]) {
        self.port.card.link.count("port11.destroys", 1);
        if u32_at(packet, 12) == 0 {
            // Without ports even the first place is garbage.
            return self.port.odd("destroy of a group without ports");
        }
        let first = u32_at(packet, 16);
        let mut waited = false;
        for wait in self.waits.iter().filter(|wait| wait.ports[0] == first) {
            // Of one that ends already nothing is cancelled.
            waited |= !std::mem::replace(&mut *wait.cancelled.lock(), true);
        }
        match self.port.sessions.remove(first) {
            Some(process) => self.end(process),
            None if waited => {}
            None => self
                .port
                .odd(&format!("destroy of port {first}, which no session has")),
        }
    }

    fn end(&mut self, process: Arc<Process>) {
        let ports = process.session.ports;
        let ending = process.clone();
        let thread = std::thread::Builder::new()
            .name(format!("card-{}-end", process.session.id))
            .spawn(move || {
                priority::usual();
                ending.end();
            });
        match thread {
            Ok(thread) => self.waits.push(Wait {
                ports,
                cancelled: Arc::new(Mutex::new(true)),
                thread,
            }),
            Err(_) => process.end(),
        }
    }
}

/// What a create packet asks for; nothing if it is good but has too few ports for a worker.
/// A host whose ports run out sends such packets, and takes any answer but a failure for success.
fn check(packet: &[u8]) -> Result<Option<Request>, String> {
    let pid = u32_at(packet, 8);
    if pid == 0 {
        return Err("process id 0".into());
    }
    let count = u32_at(packet, 12) as usize;
    let ports = [16, 20, 24, 28].map(|at| u32_at(packet, at));
    // Unused places hold anything.
    let named = ports.get(..count).ok_or(format!("{count} ports"))?;
    for (index, port) in named.iter().enumerate() {
        if !(21..=127).contains(port) || ports[..index].contains(port) {
            return Err(format!("port {port}"));
        }
    }
    if count < ports.len() {
        return Ok(None);
    }
    let window = match u32_at(packet, 32) {
        0 => DEFAULT_WINDOW,
        window => window.clamp(*WINDOWS.start(), *WINDOWS.end()),
    };
    Ok(Some(Request { pid, ports, window }))
}

impl Port {
    fn odd(&self, text: &str) {
        self.card.link.count("port11.odd", 1);
        self.card.log.write(log::Level::Warn, 1, text);
    }

    fn make(&self, request: Request) -> Result<(), String> {
        let process = dispatch::start(self.card.clone(), request)?;
        let text = format!(
            "of process {}, ports {:?}, window {}",
            request.pid, request.ports, request.window
        );
        process.session.note(log::Level::Info, &text);
        if !self.sessions.insert(process.clone()) {
            process.end();
            return Err("the card is stopping".into());
        }
        Ok(())
    }

    fn answer(&self, mut packet: Vec<u8>, made: Result<(), String>) {
        let command = match &made {
            Ok(()) => CREATED,
            Err(error) => {
                self.odd(&format!("create refused: {error}"));
                CREATE_FAILED
            }
        };
        packet[..4].copy_from_slice(&command.to_le_bytes());
        self.reply(packet);
    }

    fn reply(&self, mut packet: Vec<u8>) {
        let link = &self.card.link;
        if self.card.switches.fires(&**link, "port11.no_reply") {
            return;
        }
        if let Some(len) = switches::number(&**link, "port11.short", 20) {
            packet.truncate(len as usize);
        }
        if let Some(len) = switches::number(&**link, "port11.long", 41) {
            packet.resize((len as usize).clamp(packet.len(), 4096), 0);
        }
        let send = {
            let link = link.clone();
            move || {
                if link.send(PORT, &packet).is_err() {
                    link.count("port11.send_failed", 1);
                }
            }
        };
        match switches::delay(&**link, "port11.late_ms") {
            Some(delay) => self.card.timer.after(delay, send),
            None => send(),
        }
    }
}
