// SPDX-License-Identifier: MIT OR Apache-2.0

//! P0: the handshake, and transactions begun by the host [rpc 2.2], [rpc 2.4], [rpc 5.3].

use super::channel::{BulkError, Place};
use super::group::Ports;
use crate::protocol::frames::{Header, INLINE};
use crate::protocol::messages::{u32_at, Control};
use crate::protocol::record::{Record, COPY_NOW};
use crate::wait::inbox::Empty;

impl Ports {
    /// The loop of the P0 thread: one transaction after the other.
    pub(crate) fn serve_p0(&self) {
        while let Ok(message) = self.p0.inbox.take(None) {
            let link = &*self.session.card.link;
            if self.session.card.switches.fires(link, "p0.ignore") {
                link.count("p0.ignored", 1);
                continue;
            }
            let result = match Control::parse(&message) {
                Ok(Control::Sync(sequence)) => self.sync(sequence),
                Ok(Control::Done(sequence)) => self.synced(sequence),
                Ok(Control::Transfer {
                    kind: COPY_NOW,
                    size,
                }) => self.copy(size),
                Ok(Control::Transfer { kind, size }) => self.receive_frame(kind, size),
                // The host's last word in a transaction that the card has given up.
                Ok(Control::ReadDone(_) | Control::Pieces(_) | Control::Window(_)) => {
                    link.count("p0.stray", 1);
                    Ok(())
                }
                Ok(other) => Err(BulkError::Violation(format!("{other:?} from the host"))),
                Err(error) => Err(BulkError::Violation(error.to_string())),
            };
            if let Err(error) = result {
                self.session.bulk_failed("P0", &error);
            }
        }
    }

    fn sync(&self, sequence: u32) -> Result<(), BulkError> {
        *self.synced.lock() = Some(sequence);
        self.session.card.link.count("handshake.syncs", 1);
        let answer = Control::SyncAck(sequence.wrapping_add(1));
        self.session
            .send(self.p1.port, &answer.bytes())
            .map_err(|()| BulkError::Ended)
    }

    fn synced(&self, sequence: u32) -> Result<(), BulkError> {
        match *self.synced.lock() {
            Some(sync) if sync.wrapping_add(2) == sequence => {
                self.session.card.link.count("handshake.done", 1);
                Ok(())
            }
            sync => Err(BulkError::Violation(format!(
                "DONE {sequence:#x} after SYNC {sync:x?}"
            ))),
        }
    }

    fn next(&self) -> Result<Vec<u8>, BulkError> {
        let patience = self.session.card.options.patience;
        self.p0.inbox.take(Some(patience)).map_err(|e| match e {
            Empty::Closed => BulkError::Ended,
            Empty::Timeout => BulkError::Timeout(patience.as_secs()),
        })
    }

    fn copy(&self, size: u32) -> Result<(), BulkError> {
        if size as usize != Record::LEN {
            return Err(BulkError::Violation(format!(
                "a copy record of {size} bytes announced"
            )));
        }
        let message = self.next()?;
        match Record::parse(&message) {
            Ok(record) => {
                self.session.card.link.count("rpc.copies", 1);
                self.run_copy(&record)
            }
            Err(text) => {
                // Perhaps the host has begun anew.
                if Control::parse(&message).is_ok() {
                    self.p0.inbox.put_back(message);
                }
                Err(BulkError::Violation(text))
            }
        }
    }

    /// Takes a frame of `size` bytes, which is then handled as if it had come on P2.
    fn receive_frame(&self, kind: u32, size: u32) -> Result<(), BulkError> {
        let frame = if (size as usize) < INLINE {
            let frame = self.next()?;
            if frame.len() != size as usize {
                let text = format!(
                    "a frame of {} bytes where {size} were announced",
                    frame.len()
                );
                return Err(BulkError::Violation(text));
            }
            frame
        } else {
            self.pull_frame(size)?
        };
        if frame.len() < Header::LEN || u32_at(&frame, 0) != kind {
            return Err(BulkError::Violation(format!(
                "the frame is not of the type {kind:#x} announced"
            )));
        }
        // Behind what has come on P2 meanwhile: a stream's calls keep their order.
        if !self.p2.put(frame) && !self.session.ended.is_raised() {
            self.session.card.link.count("session.flooded", 1);
        }
        Ok(())
    }

    fn pull_frame(&self, size: u32) -> Result<Vec<u8>, BulkError> {
        let most = self.session.card.options.max_frame;
        let refuse = (size > most).then(|| {
            BulkError::Violation(format!("a frame of {size} bytes, at most {most} are taken"))
        });
        let place = Place {
            address: self.session.windows[0],
            total: size,
            window: true,
            whole: false,
            held: None,
        };
        let dram = self.session.card.link.dram();
        let mut frame = Vec::new();
        self.p0.pull(&self.session, place, refuse, |len| {
            let at = frame.len();
            frame.resize(at + len as usize, 0);
            dram.read(place.address, &mut frame[at..])
                .map_err(|e| BulkError::BadRange {
                    address: e.address,
                    len: e.len,
                })
        })?;
        Ok(frame)
    }
}
