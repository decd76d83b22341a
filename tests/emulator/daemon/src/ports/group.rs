// SPDX-License-Identifier: MIT OR Apache-2.0

//! The ports of a session, and what is under way on each.

use std::sync::Arc;

use parking_lot::Mutex;

use super::channel::{BulkError, Channel, Place};
use super::session::Session;
use super::started::Started;
use crate::protocol::frames::INLINE;
use crate::protocol::messages::{u32_at, Control};
use crate::wait::inbox::Inbox;

/// The four ports of a session.
pub(crate) struct Ports {
    /// Whose they are.
    pub(crate) session: Arc<Session>,
    /// Transactions begun by the host.
    pub(super) p0: Channel,
    /// Transactions begun by the card.
    pub(super) p1: Channel,
    /// Frames from the host.
    pub(crate) p2: Inbox,
    /// Held for the length of a transaction on P1.
    pub(super) p1_turn: Mutex<()>,
    /// Queued copies that the host is to run.
    pub(super) started: Started,
    /// Number of the last SYNC.
    pub(super) synced: Mutex<Option<u32>>,
}

impl Ports {
    /// The ports of `session`.
    pub(crate) fn new(session: Arc<Session>) -> Self {
        let [p0, p1, ..] = session.ports;
        Self {
            session,
            p0: Channel::new(p0),
            p1: Channel::new(p1),
            p2: Inbox::default(),
            p1_turn: Mutex::default(),
            started: Started::default(),
            synced: Mutex::default(),
        }
    }

    /// Whether the host has begun the handshake.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced.lock().is_some()
    }

    /// Lets nothing in any more.
    pub(crate) fn close(&self) {
        self.p0.inbox.close();
        self.p1.inbox.close();
        self.p2.close();
    }

    /// Lets those who wait for a copy look whether the session has ended.
    pub(crate) fn wake(&self) {
        self.started.wake();
    }

    /// A message from the host; does not block.
    pub(crate) fn message(&self, port: u32, payload: Vec<u8>) {
        let [p0, p1, p2, _p3] = self.session.ports;
        if port == p2 && payload.len() > INLINE {
            // The worker reads this port into a buffer of that size, which loses the message.
            self.session.card.link.count("rpc.oversized", 1);
            let text = format!("a frame of {} bytes on P2, lost", payload.len());
            self.session.note(log::Level::Warn, &text);
            return;
        }
        let inbox = if port == p0 {
            &self.p0.inbox
        } else if port == p1 {
            &self.p1.inbox
        } else if port == p2 {
            &self.p2
        } else {
            self.session.card.link.count("session.unexpected_p3", 1);
            self.session
                .note(log::Level::Warn, &format!("{} bytes on P3", payload.len()));
            return;
        };
        if !inbox.put(payload) && !self.session.ended.is_raised() {
            self.session.card.link.count("session.flooded", 1);
        }
    }

    /// Sends a frame: on P3 if it is short enough, else by push on P1 [rpc 2.4].
    pub(crate) fn send_frame(&self, frame: &[u8]) {
        let [.., p3] = self.session.ports;
        if frame.len() <= INLINE {
            let _ = self.session.send(p3, frame);
            return;
        }
        let _turn = self.p1_turn.lock();
        self.p1.inbox.drain();
        let announce = Control::Transfer {
            kind: u32_at(frame, 0),
            size: frame.len() as u32,
        };
        if self.session.send(self.p1.port, &announce.bytes()).is_err() {
            return;
        }
        let place = Place {
            address: self.session.windows[1],
            total: frame.len() as u32,
            window: true,
            whole: false,
            held: None,
        };
        let dram = self.session.card.link.dram();
        let result = self.p1.push(&self.session, place, None, |offset, len| {
            let part = &frame[offset as usize..][..len as usize];
            dram.write(place.address, part)
                .map_err(|e| BulkError::BadRange {
                    address: e.address,
                    len: e.len,
                })
        });
        if let Err(error) = result {
            self.session.bulk_failed("answer", &error);
        }
    }
}
