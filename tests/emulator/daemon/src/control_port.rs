// SPDX-License-Identifier: MIT OR Apache-2.0

//! Port 11: groups of ports come and go (pcie notes, section 5).

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::card::Card;
use crate::inbox::Inbox;
use crate::messages::u32_at;
use crate::service::Sessions;
use crate::session::{Request, Session};
use crate::switches;

/// The control port.
pub(crate) const PORT: u32 = 11;

const CREATE: u32 = 1;
const DESTROY: u32 = 2;
const CREATED: u32 = 3;
const CREATE_FAILED: u32 = 5;

/// Bytes of a control packet.
const LEN: usize = 40;
/// The window when the packet names none, and the limits of what it may name.
const DEFAULT_WINDOW: u32 = 4 << 20;
const WINDOWS: std::ops::RangeInclusive<u32> = 4 << 10..=16 << 20;

/// The server of the control port: one packet after the other.
pub(crate) struct ControlPort {
    pub(crate) card: Arc<Card>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) sessions: Arc<Sessions>,
    /// Sessions that are ending, which takes as long as what they have begun.
    dying: Vec<(Arc<Session>, JoinHandle<()>)>,
}

impl ControlPort {
    /// A server that takes its packets from `inbox`.
    pub(crate) fn new(card: Arc<Card>, inbox: Arc<Inbox>, sessions: Arc<Sessions>) -> Self {
        Self {
            card,
            inbox,
            sessions,
            dying: Vec::new(),
        }
    }

    /// Serves until the inbox is closed, and then until all sessions that were told to end have.
    pub(crate) fn serve(mut self) {
        while let Ok(packet) = self.inbox.take(None) {
            self.dying.retain(|(_, thread)| !thread.is_finished());
            if packet.len() != LEN {
                self.odd(&format!("a control packet of {} bytes", packet.len()));
                continue;
            }
            match u32_at(&packet, 0) {
                CREATE => self.create(packet),
                DESTROY => self.destroy(&packet),
                other => self.odd(&format!("control command {other}")),
            }
        }
        for (_, thread) in self.dying {
            let _ = thread.join();
        }
    }

    fn odd(&self, text: &str) {
        self.card.link.count("port11.odd", 1);
        self.card.log.write(log::Level::Warn, 1, text);
    }

    fn create(&mut self, mut packet: Vec<u8>) {
        self.card.link.count("port11.creates", 1);
        let failed = self.card.switches.fires(&*self.card.link, "port11.fail");
        let made = if failed {
            Err("port11.fail is set".to_owned())
        } else {
            match self.check(&packet) {
                Ok(Some(request)) => self.make(request),
                Ok(None) => {
                    self.odd("a group of less than 4 ports: answered, but there is no worker");
                    Ok(())
                }
                Err(error) => Err(error),
            }
        };
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

    /// What a create packet asks for; nothing if it is good but has too few ports for a worker.
    /// A host whose ports run out sends such packets, and takes any answer but a failure for success.
    fn check(&self, packet: &[u8]) -> Result<Option<Request>, String> {
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

    fn make(&mut self, request: Request) -> Result<(), String> {
        // The host gives ports out, so a group that is in its way is one that it has forgotten.
        for session in self.sessions.remove_any(&request.ports) {
            self.odd(&format!(
                "ports of session {} are given out again",
                session.id
            ));
            self.end(session);
        }
        // A worker that is not yet gone would answer on the new one's ports.
        let (old, dying) = std::mem::take(&mut self.dying)
            .into_iter()
            .partition(|(session, _)| {
                session
                    .ports
                    .iter()
                    .any(|port| request.ports.contains(port))
            });
        self.dying = dying;
        let old: Vec<(Arc<Session>, JoinHandle<()>)> = old;
        for (_, thread) in old {
            let _ = thread.join();
        }
        let session = Session::start(self.card.clone(), request)?;
        let text = format!(
            "of process {}, ports {:?}, window {}",
            request.pid, request.ports, request.window
        );
        session.note(log::Level::Info, &text);
        if !self.sessions.insert(session.clone()) {
            session.end();
            return Err("the card is stopping".into());
        }
        Ok(())
    }

    /// The group is named by its ports: at process exit the rest of the packet is garbage.
    fn destroy(&mut self, packet: &[u8]) {
        self.card.link.count("port11.destroys", 1);
        if u32_at(packet, 12) == 0 {
            // Without ports even the first place is garbage.
            return self.odd("destroy of a group without ports");
        }
        match self.sessions.remove(u32_at(packet, 16)) {
            Some(session) => self.end(session),
            None => self.odd(&format!(
                "destroy of port {}, which no session has",
                u32_at(packet, 16)
            )),
        }
    }

    fn end(&mut self, session: Arc<Session>) {
        let ending = session.clone();
        let thread = std::thread::Builder::new()
            .name(format!("card-{}-end", session.id))
            .spawn(move || ending.end());
        match thread {
            Ok(thread) => self.dying.push((session, thread)),
            Err(_) => session.end(),
        }
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
