// SPDX-License-Identifier: MIT OR Apache-2.0

//! Copies between host and card memory: the 57 byte record [rpc 5.3] and the copies that the card
//! starts when a stream reaches them [rpc 5.4].

use std::collections::HashMap;
use std::time::Instant;

use ax650_emu_api::Held;
use parking_lot::{Condvar, Mutex};

use crate::bulk::{BulkError, Place};
use crate::errors::{code, About, Why};
use crate::frames::Header;
use crate::latch::Latch;
use crate::messages::{u32_at, u64_at, Control};
use crate::session::Session;

/// Frame type of a copy to be done now.
pub(crate) const COPY_NOW: u32 = 0x4105_0100;
/// Frame type with which the card orders the start of a queued copy.
pub(crate) const COPY_START: u32 = 0x4106_0100;

/// Which way a copy goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Card to the host process's memory, through the host's DMA buffer.
    ToHost = 0,
    /// The other way.
    FromHost = 1,
    /// Card to a host bus address that the caller named.
    ToBus = 2,
    /// The other way.
    FromBus = 3,
}

impl Kind {
    /// The kind of a number on the wire.
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        [Self::ToHost, Self::FromHost, Self::ToBus, Self::FromBus]
            .into_iter()
            .find(|kind| *kind as u32 == number)
    }
}

/// The record of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// Names the copy: sequence, context and stream.
    pub(crate) header: Header,
    /// Direction.
    pub(crate) kind: Kind,
    /// Card address (kinds 0 and 2) or bus address (3).
    pub(crate) source: u64,
    /// Card address (kinds 1 and 3) or bus address (2).
    pub(crate) target: u64,
    /// The host process's address (kinds 0 and 1), which is nothing to the card.
    pub(crate) host: u64,
    /// Bytes.
    pub(crate) len: u32,
}

impl Record {
    /// Bytes of a record.
    pub(crate) const LEN: usize = 57;

    /// Reads a record; the error is a text for the log.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() != Self::LEN {
            return Err(format!("a copy record of {} bytes", bytes.len()));
        }
        let header = Header::parse(bytes).ok_or("no header")?;
        let kind = Kind::from_number(bytes[28].into())
            .ok_or_else(|| format!("copy kind {}", bytes[28]))?;
        Ok(Self {
            header,
            kind,
            source: u64_at(bytes, 29),
            target: u64_at(bytes, 37),
            host: u64_at(bytes, 45),
            len: u32_at(bytes, 53),
        })
    }

    /// The bytes on the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LEN);
        bytes.extend_from_slice(&self.header.bytes());
        bytes.push(self.kind as u8);
        bytes.extend_from_slice(&self.source.to_le_bytes());
        bytes.extend_from_slice(&self.target.to_le_bytes());
        bytes.extend_from_slice(&self.host.to_le_bytes());
        bytes.extend_from_slice(&self.len.to_le_bytes());
        bytes
    }
}

/// What names a queued copy: sequence, context, stream.
type Name = (u64, u32, u32);

fn name(header: &Header) -> Name {
    (header.sequence, header.context, header.stream)
}

/// Copies that the card has started and that the host has not yet run.
#[derive(Debug, Default)]
pub(crate) struct Started {
    copies: Mutex<HashMap<Name, Option<Result<(), BulkError>>>>,
    news: Condvar,
}

impl Started {
    fn finish(&self, header: &Header, result: &Result<(), BulkError>) {
        if let Some(slot) = self.copies.lock().get_mut(&name(header)) {
            *slot = Some(result.clone());
            self.news.notify_all();
        }
    }

    /// The result of a started copy, `None` if it has none at the deadline or the session ends.
    fn wait(
        &self,
        header: &Header,
        deadline: Instant,
        ended: &Latch,
    ) -> Option<Result<(), BulkError>> {
        let mut copies = self.copies.lock();
        loop {
            if let Some(result) = copies.get(&name(header)).cloned().flatten() {
                return Some(result);
            }
            // The clock is looked at after the result: one that comes at the deadline counts.
            if ended.is_raised() || Instant::now() >= deadline {
                return None;
            }
            self.news.wait_until(&mut copies, deadline);
        }
    }

    /// Wakes all waiters: the session has ended.
    pub(crate) fn wake(&self) {
        // With the lock, so that nobody is between looking at the session and going to sleep.
        let _copies = self.copies.lock();
        self.news.notify_all();
    }
}

impl Session {
    /// Runs the copy of `record` on P0, where the host has just sent it.
    pub(crate) fn run_copy(&self, record: &Record) -> Result<(), BulkError> {
        let link = &self.card.link;
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
            owner: self.id,
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
                self.windows[0]
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
            self.p0.pull(self, place, refuse, |_| Ok(()))
        } else {
            link.count("copy.from_card", 1);
            self.p0.push(self, place, refuse, |_, _| Ok(()))
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
        self.started.copies.lock().insert(name(&header), None);
        let order = Control::Transfer {
            kind: COPY_START,
            size: Record::LEN as u32,
        };
        let sent = self
            .send(self.p1.port, &order.bytes())
            .and_then(|()| self.send(self.p1.port, &record.bytes()));
        let deadline = Instant::now() + self.card.options.patience;
        let result = match sent {
            Ok(()) => self.started.wait(&header, deadline, &self.ended),
            Err(()) => None,
        };
        self.started.copies.lock().remove(&name(&header));
        match result {
            Some(Ok(())) => 0,
            Some(Err(_)) => code(About::Memory, Why::ExecuteFailed),
            None => {
                self.card.link.count("copy.start_ignored", 1);
                self.note(
                    log::Level::Warn,
                    &format!("the host did not run the copy of call {}", header.sequence),
                );
                code(About::Memory, Why::Timeout)
            }
        }
    }
}

#[cfg(test)]
#[allow(non_snake_case)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The waiter's clock runs out while the result is being written.
    #[test]
    fn U21_a_result_at_the_deadline_is_no_timeout() {
        let header = Header::parse(&[0; 28]).unwrap();
        let (started, ended) = (Started::default(), Latch::default());
        started.copies.lock().insert(name(&header), None);
        let deadline = Instant::now() + Duration::from_millis(60);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| started.wait(&header, deadline, &ended));
            // Time for the waiter to wait; then it finds the lock taken at its deadline.
            std::thread::sleep(Duration::from_millis(30));
            let mut copies = started.copies.lock();
            std::thread::sleep(Duration::from_millis(60));
            copies.insert(name(&header), Some(Ok(())));
            drop(copies);
            started.news.notify_all();
            assert_eq!(waiter.join().unwrap(), Some(Ok(())));
        });
        started.copies.lock().insert(name(&header), None);
        assert_eq!(started.wait(&header, Instant::now(), &ended), None);
    }

    #[test]
    fn record_of_the_worked_example() {
        let hex =
            "00 01 05 41 04 00 00 00 00 00 00 00 01 00 00 00 01 00 00 00 01 00 00 00 00 00 00 00 \
            01 00 00 00 00 00 00 00 25 00 00 00 41 01 00 00 00 10 c0 df 54 45 7f 00 00 00 00 80 00";
        let bytes: Vec<u8> = hex
            .split_whitespace()
            .map(|b| u8::from_str_radix(b, 16).unwrap())
            .collect();
        let record = Record::parse(&bytes).unwrap();
        assert_eq!(record.kind, Kind::FromHost);
        assert_eq!(record.header.kind, COPY_NOW);
        assert_eq!((record.header.sequence, record.header.context), (4, 1));
        assert_eq!((record.target, record.len), (0x1_4100_0000, 0x80_0000));
        assert_eq!(record.bytes(), bytes);
        assert!(Record::parse(&bytes[1..]).is_err());
        let mut bad = bytes;
        bad[28] = 4;
        assert_eq!(Record::parse(&bad), Err("copy kind 4".into()));
    }
}
