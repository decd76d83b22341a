// SPDX-License-Identifier: MIT OR Apache-2.0

//! A small client: what section 10.1 of the notes asks of one.

mod calls;
mod transfer;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use prost::Message;

use super::host::Host;
use super::Rig;
use crate::protocol::frames::Header;
use crate::protocol::messages::{Control, Piece};
use crate::wire::{self, request_body, system};

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

type Key = (u64, u32, u32);

/// What the client's threads share.
pub(crate) struct Client {
    pub(crate) host: Arc<Host>,
    daemon: Arc<dyn ax650_emu_api::Daemon>,
    pub(crate) ports: [u32; 4],
    pub(crate) pid: u32,
    sequence: AtomicU64,
    /// DMA buffers of P0 and P1.
    buffers: [Vec<Piece>; 2],
    p0: Mutex<()>,
    answers: Mutex<HashMap<Key, VecDeque<Vec<u8>>>>,
    news: Condvar,
    /// The process's memory for queued copies, by its address.
    pub(crate) process: Mutex<HashMap<u64, Vec<u8>>>,
    closing: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Commands of the next request's context.
    context: AtomicU32,
}

/// How a client's buffers look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Buffers {
    /// What the create packet says of the card's buffer.
    pub(crate) card_window: u32,
    /// Bytes of each host buffer.
    pub(crate) host_window: u32,
    /// Its pieces.
    pub(crate) pieces: u32,
}

pub(crate) const PLAIN: Buffers = Buffers {
    card_window: 4 << 20,
    host_window: 4 << 20,
    pieces: 1,
};

/// A control packet of 40 bytes.
pub(crate) fn packet(command: u32, pid: u32, ports: [u32; 4], window: u32) -> Vec<u8> {
    let [a, b, c, d] = ports;
    let words = [command, 1, pid, 4, a, b, c, d, window, 2];
    words.iter().flat_map(|w: &u32| w.to_le_bytes()).collect()
}

pub(crate) fn send_packet(rig: &Rig, packet: Vec<u8>) {
    rig.daemon.message(11, packet);
}

impl Client {
    /// Creates a group of ports from `first`, shakes hands and makes context 1.
    pub(crate) fn open(rig: &Rig, first: u32, buffers: Buffers) -> Arc<Self> {
        let client = Self::bare(rig, first, buffers);
        let answer = client.control(system::ControlRequest {
            cmd: 0,
            context: Some(1),
            stream: Some(1),
            ..Default::default()
        });
        assert_eq!((answer.status, answer.context), (Some(0), Some(1)));
        client
    }

    /// The same without a context.
    pub(crate) fn bare(rig: &Rig, first: u32, buffers: Buffers) -> Arc<Self> {
        let ports = [first, first + 1, first + 2, first + 3];
        let pid = 7000 + first;
        send_packet(rig, packet(1, pid, ports, buffers.card_window));
        let reply = rig.host.receive(11, PATIENCE).expect("a reply to create");
        assert_eq!(reply, packet(3, pid, ports, buffers.card_window));
        rig.daemon.message(first, Control::Sync(0xabc).bytes());
        let ack = rig.host.receive(first + 1, PATIENCE).expect("SYNC_ACK");
        assert_eq!(Control::parse(&ack), Ok(Control::SyncAck(0xabd)));
        rig.daemon.message(first, Control::Done(0xabe).bytes());
        let len = buffers.host_window / buffers.pieces;
        let buffer = || {
            let piece = |_| Piece {
                address: rig.host.map(len as usize),
                len,
            };
            (0..buffers.pieces).map(piece).collect()
        };
        let client = Arc::new(Self {
            host: rig.host.clone(),
            daemon: rig.daemon.clone(),
            ports,
            pid,
            sequence: AtomicU64::new(1),
            buffers: [buffer(), buffer()],
            p0: Mutex::default(),
            answers: Mutex::default(),
            news: Condvar::new(),
            process: Mutex::default(),
            closing: AtomicBool::new(false),
            threads: Mutex::default(),
            context: AtomicU32::new(1),
        });
        for listen in [Self::listen_p1, Self::listen_p3] {
            let listener = client.clone();
            client
                .threads
                .lock()
                .push(std::thread::spawn(move || listen(&listener)));
        }
        client
    }

    /// Requests are of this context from now on.
    pub(crate) fn set_context(&self, context: u32) {
        self.context.store(context, Ordering::Relaxed);
    }

    pub(crate) fn header(&self, kind: u32, command: u32) -> Header {
        Header {
            kind,
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed),
            card: 1,
            context: self.context.load(Ordering::Relaxed),
            stream: 1,
            command,
        }
    }

    pub(crate) fn message(&self, port: usize, payload: Vec<u8>) {
        self.daemon.message(self.ports[port], payload);
    }

    fn listen_p3(&self) {
        while !self.closing.load(Ordering::Relaxed) {
            if let Some(frame) = self.host.receive(self.ports[3], Duration::from_millis(20)) {
                assert!(frame.len() <= 1024);
                self.answered(frame);
            }
        }
    }

    fn answered(&self, frame: Vec<u8>) {
        let header = Header::parse(&frame).unwrap();
        let key = (header.sequence, header.context, header.stream);
        self.answers.lock().entry(key).or_default().push_back(frame);
        self.news.notify_all();
    }

    pub(crate) fn frame(
        &self,
        header: &Header,
        module: wire::Module,
        kind: request_body::Kind,
    ) -> Vec<u8> {
        let request = wire::Request {
            head: Some(wire::Head {
                seq_num: header.sequence,
                version: Some(wire::Version {
                    major: 1,
                    ..Default::default()
                }),
                env: Some(wire::Environment {
                    pid: self.pid,
                    tid: self.pid,
                }),
                timestamp: 1_795_305_447,
                module: module.into(),
            }),
            body: Some(wire::RequestBody { kind: Some(kind) }),
            tail: Some(wire::Tail::default()),
        };
        let mut frame = header.bytes().to_vec();
        request.encode(&mut frame).unwrap();
        frame
    }

    /// The answer to `header`'s request.
    pub(crate) fn answer(&self, header: &Header) -> Option<wire::Response> {
        let frame = self.answer_frame(header, PATIENCE)?;
        let repeated = Header::parse(&frame).unwrap();
        assert_eq!(repeated, *header, "an answer repeats the header");
        let response = wire::Response::decode(&frame[Header::LEN..]).unwrap();
        assert!(response.head.is_some() && response.tail.is_some());
        Some(response)
    }

    /// The bytes of that.
    pub(crate) fn answer_frame(&self, header: &Header, patience: Duration) -> Option<Vec<u8>> {
        let key = (header.sequence, header.context, header.stream);
        let mut answers = self.answers.lock();
        let wanted = |answers: &mut HashMap<Key, VecDeque<Vec<u8>>>| !answers.contains_key(&key);
        self.news.wait_while_for(&mut answers, wanted, patience);
        let queue = answers.get_mut(&key)?;
        let frame = queue.pop_front();
        if queue.is_empty() {
            answers.remove(&key);
        }
        frame
    }

    /// The process ends: its driver tells the card, with garbage where the notes say so.
    pub(crate) fn kill(&self) {
        let mut packet = packet(2, 0, self.ports, 0);
        packet[8..12].copy_from_slice(&0xdead_u32.to_le_bytes());
        self.daemon.message(11, packet);
    }

    /// Ends the client's threads.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        for thread in std::mem::take(&mut *self.threads.lock()) {
            thread.join().unwrap();
        }
    }
}
