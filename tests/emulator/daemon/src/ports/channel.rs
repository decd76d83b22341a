// SPDX-License-Identifier: MIT OR Apache-2.0

//! The two bulk patterns of a transaction port: pull and push [rpc 2.3].

use std::time::Duration;

use ax650_emu_api::{DmaError, Hold};
use parking_lot::Mutex;
use serde_json::Value;

use super::session::Session;
use crate::machine::switches;
use crate::protocol::messages::{Control, Piece};
use crate::wait::inbox::{Empty, Inbox};

/// How long a list that the host sends without having been asked may take, behind what it belongs to.
const EARLY: Duration = Duration::from_millis(50);

/// Why a transaction ended before all bytes were through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BulkError {
    #[error("the session has ended")]
    Ended,
    #[error("the host sent nothing for {0} s")]
    Timeout(u64),
    #[error("the host broke the protocol: {0}")]
    Violation(String),
    #[error("card range {address:#x}+{len:#x} is not allocated")]
    BadRange { address: u64, len: u64 },
    #[error(transparent)]
    Dma(#[from] DmaError),
}

/// A transaction port, P0 or P1.
#[derive(Debug)]
pub(crate) struct Channel {
    /// Port number.
    pub(crate) port: u32,
    /// Messages from the host.
    pub(crate) inbox: Inbox,
}

/// The card's side of a transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// First card address of the data, or of the window that each chunk passes through.
    pub(crate) address: u64,
    /// Bytes of the transaction.
    pub(crate) total: u32,
    /// Whether `address` is a window which all chunks share, instead of the place of all data.
    pub(crate) window: bool,
    /// Whether the host names the whole range at once, whatever the card's limit (kinds 2 and 3).
    pub(crate) whole: bool,
    /// Marks memory of the host's as used; nothing is moved once the host has freed it.
    pub(crate) held: Option<&'a Mutex<Option<Hold>>>,
}

impl Place<'_> {
    /// Of the bytes of the transaction `done` have been moved.  The memory is the host's again before
    /// it is told of the last.
    fn moved(&self, done: u32) {
        if let Some(held) = self.held.filter(|_| done >= self.total) {
            held.lock().take();
        }
    }

    fn is_lost(&self) -> bool {
        let lost = |held: &Mutex<Option<Hold>>| {
            let held = held.lock();
            held.as_ref().is_some_and(|held| !held.is_intact(0))
        };
        self.held.is_some_and(lost)
    }
}

impl Channel {
    /// The channel of `port`.
    pub(crate) fn new(port: u32) -> Self {
        Self {
            port,
            inbox: Inbox::default(),
        }
    }

    /// The host's next control message.  One that begins something new is kept for the main loop.
    fn next(&self, session: &Session) -> Result<Control, BulkError> {
        let patience = session.card.options.patience;
        let message = self.inbox.take(Some(patience)).map_err(|e| match e {
            Empty::Closed => BulkError::Ended,
            Empty::Timeout => BulkError::Timeout(patience.as_secs()),
        })?;
        let control = Control::parse(&message).map_err(|e| BulkError::Violation(e.to_string()))?;
        if matches!(control, Control::Transfer { .. } | Control::Sync(_)) {
            self.inbox.put_back(message);
            return Err(BulkError::Violation(format!(
                "{control:?} within a transaction"
            )));
        }
        Ok(control)
    }

    fn send(&self, session: &Session, message: &Control) -> Result<(), BulkError> {
        session
            .send(self.port, &message.bytes())
            .map_err(|()| BulkError::Ended)
    }

    /// The host has the data, the card takes it.  After each chunk `taken` is told its bytes, which
    /// are at the start of the place if that is a window.
    ///
    /// A place that may not be written (`refuse`) still runs the pattern up to the first list, since
    /// only READ_DONE can tell the host of a failure.
    pub(crate) fn pull(
        &self,
        session: &Session,
        place: Place<'_>,
        refuse: Option<BulkError>,
        mut taken: impl FnMut(u32) -> Result<(), BulkError>,
    ) -> Result<(), BulkError> {
        // A list may not have pieces of 0 bytes, so that for nothing names the whole window.
        let room = match place.total {
            0 => session.window,
            total => session.chunk_limit().min(total),
        };
        let window = Piece {
            address: place.address,
            len: room,
        };
        if session.card.link.switch("dma.early_list") == Some(Value::Bool(true)) {
            self.lose_early_list(session);
        }
        self.send(session, &Control::Window(vec![window]))?;
        let mut done = 0;
        while done < place.total {
            let left = place.total - done;
            let most = if place.whole { left } else { room.min(left) };
            let result = match &refuse {
                None => self.pull_chunk(session, place, done, most),
                Some(error) => self.next(session).and(Err(error.clone())),
            };
            let chunk = match result {
                Ok(chunk) => chunk,
                Err(error) => return self.fail(session, place, &Control::ReadDone(0), error),
            };
            if let Err(error) = taken(chunk) {
                return self.fail(session, place, &Control::ReadDone(0), error);
            }
            session.card.link.count("bulk.pull_bytes", chunk.into());
            done += chunk;
            place.moved(done);
            self.send(session, &Control::ReadDone(session.told(chunk)))?;
        }
        Ok(())
    }

    /// Loses a list that comes before it was asked for.
    fn lose_early_list(&self, session: &Session) {
        let Ok(message) = self.inbox.take(Some(EARLY)) else {
            return;
        };
        match Control::parse(&message) {
            Ok(Control::Pieces(_)) => session.card.link.count("bulk.lost_lists", 1),
            _ => self.inbox.put_back(message),
        }
    }

    fn pull_chunk(
        &self,
        session: &Session,
        place: Place<'_>,
        done: u32,
        most: u32,
    ) -> Result<u32, BulkError> {
        let pieces = match self.next(session)? {
            Control::Pieces(pieces) => pieces,
            other => return Err(BulkError::Violation(format!("{other:?} instead of a list"))),
        };
        let sum = total(&pieces);
        if sum > most.into() {
            let text = format!("a list of {sum} bytes where {most} have room");
            return Err(BulkError::Violation(text));
        }
        session.stall();
        let mut card = place.address + if place.window { 0 } else { u64::from(done) };
        for piece in pieces {
            session.dma(place, piece, card, true)?;
            card += u64::from(piece.len);
        }
        Ok(sum as u32)
    }

    /// The card has the data, the host takes it.  Before each chunk `fill` is told its offset and
    /// bytes; it puts them at the start of the place if that is a window.
    pub(crate) fn push(
        &self,
        session: &Session,
        place: Place<'_>,
        refuse: Option<BulkError>,
        mut fill: impl FnMut(u32, u32) -> Result<(), BulkError>,
    ) -> Result<(), BulkError> {
        let pieces = match self.next(session) {
            Ok(Control::Window(pieces)) => pieces,
            Ok(other) => {
                let error = BulkError::Violation(format!("{other:?} instead of a window"));
                return self.fail(session, place, &Control::TaskDone(0), error);
            }
            Err(error) => return self.fail(session, place, &Control::TaskDone(0), error),
        };
        let room = total(&pieces);
        let most = if place.whole {
            place.total
        } else {
            session.chunk_limit()
        };
        let refuse = refuse.or_else(|| {
            let text = format!(
                "a window of {room} bytes for the {} of the whole copy",
                place.total
            );
            (place.whole && room < place.total.into()).then_some(BulkError::Violation(text))
        });
        if let Some(error) = refuse {
            return self.fail(session, place, &Control::TaskDone(0), error);
        }
        let most = room.min(most.into()) as u32;
        let mut done = 0;
        while done < place.total {
            let chunk = most.min(place.total - done);
            if let Err(error) = self.push_chunk(session, place, (done, chunk), &pieces, &mut fill) {
                return self.fail(session, place, &Control::TaskDone(0), error);
            }
            session.card.link.count("bulk.push_bytes", chunk.into());
            place.moved(done + chunk);
            self.send(session, &Control::TaskDone(session.told(chunk)))?;
            match self.next(session)? {
                Control::ReadDone(taken) if taken == chunk => done += chunk,
                other => {
                    let text = format!("{other:?} after {chunk} bytes were written");
                    return Err(BulkError::Violation(text));
                }
            }
        }
        Ok(())
    }

    fn push_chunk(
        &self,
        session: &Session,
        place: Place<'_>,
        (done, chunk): (u32, u32),
        pieces: &[Piece],
        fill: &mut impl FnMut(u32, u32) -> Result<(), BulkError>,
    ) -> Result<(), BulkError> {
        fill(done, chunk)?;
        session.stall();
        let mut card = place.address + if place.window { 0 } else { u64::from(done) };
        let mut left = chunk;
        for piece in pieces {
            let len = piece.len.min(left);
            if len == 0 {
                break;
            }
            session.dma(place, Piece { len, ..*piece }, card, false)?;
            card += u64::from(len);
            left -= len;
        }
        Ok(())
    }

    /// Tells the host that the transaction has failed, unless there is nobody to tell or nothing
    /// that the host is waiting for.
    fn fail(
        &self,
        session: &Session,
        place: Place<'_>,
        message: &Control,
        error: BulkError,
    ) -> Result<(), BulkError> {
        place.moved(place.total);
        if !matches!(error, BulkError::Ended | BulkError::Timeout(_)) {
            self.send(session, message)?;
        }
        Err(error)
    }
}

/// Bytes of a list.
fn total(pieces: &[Piece]) -> u64 {
    pieces.iter().map(|p| u64::from(p.len)).sum()
}

impl Session {
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

    /// Most bytes of a chunk: the card's DMA buffer, or what a switch makes of it.
    fn chunk_limit(&self) -> u32 {
        match switches::number(&*self.card.link, "dma.short_list", 4096) {
            Some(limit) => limit.clamp(1, self.window.into()) as u32,
            None => self.window,
        }
    }

    /// What the host is told of a chunk.
    fn told(&self, chunk: u32) -> u32 {
        match switches::number(&*self.card.link, "dma.wrong_count", 1) {
            Some(less) => chunk.wrapping_sub(less as u32),
            None => chunk,
        }
    }

    fn stall(&self) {
        if let Some(time) = switches::delay(&*self.card.link, "dma.stall_ms") {
            self.ended.sleep(time);
        }
    }

    /// Moves one piece, in steps between which the session may end: no access to host memory begins
    /// after that.
    fn dma(
        &self,
        place: Place<'_>,
        piece: Piece,
        card: u64,
        to_card: bool,
    ) -> Result<(), BulkError> {
        const STEP: u64 = 1 << 18;
        let link = &self.card.link;
        let mut at = 0;
        while at < u64::from(piece.len) {
            let _guard = self.bus.read();
            if self.ended.is_raised() {
                return Err(BulkError::Ended);
            }
            let (bus, card) = (piece.address + at, card + at);
            let len = STEP.min(u64::from(piece.len) - at);
            if place.is_lost() {
                return Err(BulkError::BadRange { address: card, len });
            }
            if to_card {
                link.dma_to_card(bus, card, len)?;
            } else {
                link.dma_from_card(card, bus, len)?;
            }
            at += len;
        }
        Ok(())
    }
}
