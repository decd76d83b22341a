// SPDX-License-Identifier: MIT OR Apache-2.0

//! The client's side of transactions: copies, long frames, what the card begins.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Client, PATIENCE};
use crate::protocol::frames::Header;
use crate::protocol::messages::{Control, Piece};
use crate::protocol::record::{Kind, Record, COPY_NOW, COPY_START};

impl Client {
    /// What the card begins: long answers, and queued copies that it wants run.
    pub(super) fn listen_p1(&self) {
        while !self.closing.load(Ordering::Relaxed) {
            let Some(message) = self.host.receive(self.ports[1], Duration::from_millis(20)) else {
                continue;
            };
            match Control::parse(&message).unwrap() {
                Control::Transfer {
                    kind: COPY_START,
                    size,
                } => {
                    assert_eq!(size, 57);
                    let record = self
                        .host
                        .receive(self.ports[1], PATIENCE)
                        .expect("a copy record");
                    let record = Record::parse(&record).unwrap();
                    assert_eq!(record.header.kind, COPY_START);
                    self.run_queued(record);
                }
                Control::Transfer { size, .. } => {
                    assert!(size > 1024);
                    let mut frame = vec![0; size as usize];
                    if self.receive(1, &mut frame).is_some() {
                        self.answered(frame);
                    }
                }
                other => panic!("{other:?} on P1"),
            }
        }
    }

    fn run_queued(&self, mut record: Record) {
        record.header.kind = COPY_NOW;
        let mut data = self.take_process(record.host);
        let ok = self.run_record(&record, &mut data);
        assert!(ok, "queued copy failed");
        self.process.lock().insert(record.host, data);
    }

    /// Takes memory of the process back once a queued copy has left it.
    pub(crate) fn take_process(&self, address: u64) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(data) = self.process.lock().remove(&address) {
                return data;
            }
            assert!(Instant::now() < deadline, "no memory at {address:#x}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Runs a copy on P0; false if the card says that it failed.
    pub(crate) fn run_record(&self, record: &Record, data: &mut [u8]) -> bool {
        let _turn = self.p0.lock();
        let announce = Control::Transfer {
            kind: COPY_NOW,
            size: 57,
        };
        self.message(0, announce.bytes());
        self.message(0, record.bytes());
        match record.kind {
            Kind::FromHost => self.offer(0, data),
            Kind::ToHost => self.receive(0, data).is_some(),
            Kind::FromBus => self.offer_whole(record.source, record.len),
            Kind::ToBus => self.receive_whole(record.target, record.len),
        }
    }

    fn next(&self, port: usize) -> Option<Control> {
        let message = self.host.receive(self.ports[port], PATIENCE)?;
        Some(Control::parse(&message).unwrap())
    }

    /// The pull pattern.
    fn offer(&self, port: usize, data: &[u8]) -> bool {
        let Some(Control::Window(window)) = self.next(port) else {
            return false;
        };
        let own: usize = self.buffers[port].iter().map(|p| p.len as usize).sum();
        let chunk = own.min(window.iter().map(|p| p.len as usize).sum());
        for part in data.chunks(chunk) {
            let mut pieces = Vec::new();
            let mut rest = part;
            for piece in &self.buffers[port] {
                let len = rest.len().min(piece.len as usize);
                if len == 0 {
                    break;
                }
                self.host.write(piece.address, &rest[..len]);
                pieces.push(Piece {
                    len: len as u32,
                    ..*piece
                });
                rest = &rest[len..];
            }
            self.message(port, Control::Pieces(pieces).bytes());
            if self.next(port) != Some(Control::ReadDone(part.len() as u32)) {
                return false;
            }
        }
        true
    }

    /// The push pattern.
    fn receive(&self, port: usize, data: &mut [u8]) -> Option<()> {
        self.message(port, Control::Window(self.buffers[port].clone()).bytes());
        let mut done = 0;
        while done < data.len() {
            let Some(Control::TaskDone(chunk @ 1..)) = self.next(port) else {
                return None;
            };
            let end = done + chunk as usize;
            for piece in &self.buffers[port] {
                let len = (end - done).min(piece.len as usize);
                data[done..done + len].copy_from_slice(&self.host.read(piece.address, len));
                done += len;
            }
            assert_eq!(done, end);
            self.message(port, Control::ReadDone(chunk).bytes());
        }
        Some(())
    }

    fn offer_whole(&self, address: u64, len: u32) -> bool {
        let Some(Control::Window(_)) = self.next(0) else {
            return false;
        };
        self.message(0, Control::Pieces(vec![Piece { address, len }]).bytes());
        self.next(0) == Some(Control::ReadDone(len))
    }

    fn receive_whole(&self, address: u64, len: u32) -> bool {
        self.message(0, Control::Window(vec![Piece { address, len }]).bytes());
        let done = self.next(0) == Some(Control::TaskDone(len));
        self.message(0, Control::ReadDone(len).bytes());
        done
    }

    pub(crate) fn copy_to_card(&self, target: u64, data: &[u8]) -> bool {
        let record = Record {
            header: self.header(COPY_NOW, 0),
            kind: Kind::FromHost,
            source: 0x1111,
            target,
            host: 0x7fff_0000,
            len: data.len() as u32,
        };
        self.run_record(&record, &mut data.to_vec())
    }

    pub(crate) fn copy_from_card(&self, source: u64, len: usize) -> Option<Vec<u8>> {
        let record = Record {
            header: self.header(COPY_NOW, 0),
            kind: Kind::ToHost,
            source,
            target: 0x2222,
            host: 0x7fff_0000,
            len: len as u32,
        };
        let mut data = vec![0; len];
        self.run_record(&record, &mut data).then_some(data)
    }

    /// Sends a whole frame: on P2, or by DMA if it is long.
    pub(crate) fn send_frame(&self, frame: &[u8]) {
        if frame.len() <= 1024 {
            return self.message(2, frame.to_vec());
        }
        let _turn = self.p0.lock();
        let kind = Header::parse(frame).unwrap().kind;
        let size = frame.len() as u32;
        self.message(0, Control::Transfer { kind, size }.bytes());
        assert!(self.offer(0, frame), "the card did not take the frame");
    }
}
