// SPDX-License-Identifier: MIT OR Apache-2.0

//! Copies between host and card memory: those that the host begins [rpc 5.3], and those that the card
//! starts when a stream reaches them [rpc 5.4].

use std::time::Instant;

use ax650_emu_api::Held;
use parking_lot::Mutex;

use super::channel::{BulkError, Place};
use super::group::Ports;
use crate::protocol::errors::{code, About, Why};
use crate::protocol::frames::Header;
use crate::protocol::messages::Control;
use crate::protocol::record::{Kind, Record, COPY_START};

impl Ports {
    /// Runs the copy of `record` on P0, where the host has just sent it.
    pub(crate) fn run_copy(&self, record: &Record) -> Result<(), BulkError> {
        let link = &self.session.card.link;
        let to_card = matches!(record.kind, Kind::FromHost | Kind::FromBus);
        let address = if to_card {
            record.target
        } else {
            record.source
        };
        let len = u64::from(record.len);
        let held = Held {
            address,
            len,
            owner: self.session.id,
            what: "a copy".into(),
        };
        let held = link.cmm().hold(vec![held]).ok();
        let refuse = held
            .is_none()
            .then_some(BulkError::BadRange { address, len });
        let held = Mutex::new(held);
        let place = Place {
            // The window of a transaction that moves nothing only has to be a valid one.
            address: if refuse.is_some() || len == 0 {
                self.session.windows[0]
            } else {
                address
            },
            total: record.len,
            window: false,
            whole: matches!(record.kind, Kind::ToBus | Kind::FromBus),
            held: Some(&held),
        };
        // Nothing to copy is done once the side that takes it has named its window: a host that is not
        // told even that would wait for ever.
        let result = if to_card {
            link.count("copy.to_card", 1);
            self.p0.pull(&self.session, place, refuse, |_| Ok(()))
        } else {
            link.count("copy.from_card", 1);
            self.p0.push(&self.session, place, refuse, |_, _| Ok(()))
        };
        self.started.finish(&record.header, &result);
        result
    }

    /// Starts a queued copy and waits until the host has run it; the result is a status.
    pub(crate) fn start_copy(&self, record: &Record) -> u32 {
        let header = Header {
            kind: COPY_START,
            ..record.header
        };
        let record = Record { header, ..*record };
        // A transaction on P1 has to be over before the next begins.
        let _turn = self.p1_turn.lock();
        self.started.begin(&header);
        let order = Control::Transfer {
            kind: COPY_START,
            size: Record::LEN as u32,
        };
        let sent = self
            .session
            .send(self.p1.port, &order.bytes())
            .and_then(|()| self.session.send(self.p1.port, &record.bytes()));
        let deadline = Instant::now() + self.session.card.options.patience;
        let result = match sent {
            Ok(()) => self.started.wait(&header, deadline, &self.session.ended),
            Err(()) => None,
        };
        self.started.forget(&header);
        match result {
            Some(Ok(())) => 0,
            Some(Err(_)) => code(About::Memory, Why::ExecuteFailed),
            None => {
                self.session.card.link.count("copy.start_ignored", 1);
                self.session.note(
                    log::Level::Warn,
                    &format!("the host did not run the copy of call {}", header.sequence),
                );
                code(About::Memory, Why::Timeout)
            }
        }
    }
}
