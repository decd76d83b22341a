// SPDX-License-Identifier: MIT OR Apache-2.0

//! A small client: what section 10.1 of the notes asks of one.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use prost::Message;

use super::host::Host;
use super::Rig;
use crate::copy::{Kind, Record, COPY_NOW, COPY_START};
use crate::frames::{Header, CONTROL};
use crate::messages::{Control, Piece};
use crate::wire::{self, engine, memory, native, request_body, response_body, runtime, system};

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

    /// What the card begins: long answers, and queued copies that it wants run.
    fn listen_p1(&self) {
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
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            if let Some(data) = self.process.lock().remove(&address) {
                return data;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "no memory at {address:#x}"
            );
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

    fn runtime(
        &self,
        header: &Header,
        service: runtime::Module,
        kind: runtime::request_body::Kind,
    ) -> Vec<u8> {
        let request = runtime::Request {
            head: Some(runtime::Head {
                module: service.into(),
            }),
            body: Some(runtime::RequestBody { kind: Some(kind) }),
        };
        self.frame(
            header,
            wire::Module::Runtime,
            request_body::Kind::Runtime(request),
        )
    }

    pub(crate) fn system_frame(
        &self,
        header: &Header,
        module: system::Module,
        kind: system::request_body::Kind,
    ) -> Vec<u8> {
        let request = system::Request {
            head: Some(system::Head {
                module: module.into(),
            }),
            body: Some(system::RequestBody { kind: Some(kind) }),
        };
        let kind = runtime::request_body::Kind::System(request);
        self.runtime(header, runtime::Module::System, kind)
    }

    fn system_answer(&self, header: &Header) -> system::response_body::Kind {
        let response = self.answer(header).expect("an answer");
        let Some(response_body::Kind::Runtime(runtime)) = response.body.unwrap().kind else {
            panic!("not of the runtime");
        };
        let Some(runtime::response_body::Kind::System(system)) = runtime.body.unwrap().kind else {
            panic!("not of the system service");
        };
        system.body.unwrap().kind.unwrap()
    }

    pub(crate) fn system(
        &self,
        module: system::Module,
        kind: system::request_body::Kind,
    ) -> system::response_body::Kind {
        let header = self.header((module as u32) << 16, 0);
        self.send_frame(&self.system_frame(&header, module, kind));
        self.system_answer(&header)
    }

    /// Sends a control command; the header names its context and stream.
    pub(crate) fn send_control(&self, request: system::ControlRequest) -> Header {
        let mut header = self.header(CONTROL, request.cmd as u32);
        header.context = request.context.unwrap_or(header.context);
        header.stream = request.stream.unwrap_or(1);
        let kind = system::request_body::Kind::Control(request);
        self.send_frame(&self.system_frame(&header, system::Module::Control, kind));
        header
    }

    pub(crate) fn control_answer(&self, header: &Header) -> system::ControlResponse {
        match self.system_answer(header) {
            system::response_body::Kind::Control(answer) => answer,
            other => panic!("{other:?} to a control command"),
        }
    }

    pub(crate) fn control(&self, request: system::ControlRequest) -> system::ControlResponse {
        let header = self.send_control(request);
        self.control_answer(&header)
    }

    pub(crate) fn shell(&self, line: &str) -> (i32, String) {
        let answer = self.control(system::ControlRequest {
            cmd: system::Command::Shell.into(),
            shell: Some(system::ShellRequest {
                cmd: line.into(),
                args: vec![],
            }),
            ..Default::default()
        });
        assert_eq!(answer.status, Some(0));
        let shell = answer.shell.unwrap();
        (shell.status, shell.output)
    }

    pub(crate) fn memory_frame(
        &self,
        header: &Header,
        api: memory::Api,
        body: memory::RequestBody,
    ) -> Vec<u8> {
        let request = memory::Request {
            head: Some(memory::Head { api: api.into() }),
            body: Some(body),
        };
        let kind = runtime::request_body::Kind::Memory(request);
        self.runtime(header, runtime::Module::Memory, kind)
    }

    pub(crate) fn send_memory(
        &self,
        stream: u32,
        api: memory::Api,
        body: memory::RequestBody,
    ) -> Header {
        let mut header = self.header(0x100 | ((api as u32) << 16), 0);
        header.stream = stream;
        self.send_frame(&self.memory_frame(&header, api, body));
        header
    }

    pub(crate) fn memory_answer(&self, header: &Header) -> memory::ResponseBody {
        let response = self.answer(header).expect("an answer");
        let Some(response_body::Kind::Runtime(runtime)) = response.body.unwrap().kind else {
            panic!("not of the runtime");
        };
        let Some(runtime::response_body::Kind::Memory(memory)) = runtime.body.unwrap().kind else {
            panic!("not of the memory service");
        };
        memory.body.unwrap()
    }

    pub(crate) fn memory(
        &self,
        api: memory::Api,
        body: memory::RequestBody,
    ) -> memory::ResponseBody {
        let header = self.send_memory(1, api, body);
        self.memory_answer(&header)
    }

    pub(crate) fn alloc(&self, size: u32) -> Result<u64, u32> {
        let answer = self.memory(
            memory::Api::Alloc,
            memory::RequestBody {
                size: Some(size),
                cache_type: Some(0),
                policy: Some(2),
                ..Default::default()
            },
        );
        let addr = answer.addr.expect("an address, even if 0");
        if answer.status == 0 {
            Ok(addr)
        } else {
            Err(answer.status)
        }
    }

    pub(crate) fn free(&self, addr: u64) -> u32 {
        let body = memory::RequestBody {
            addr,
            ..Default::default()
        };
        self.memory(memory::Api::Free, body).status
    }

    pub(crate) fn send_engine(
        &self,
        stream: u32,
        api: engine::ApiKind,
        body: engine::RequestBody,
    ) -> Header {
        let mut header = self.header(0x200 | ((api as u32) << 16), 0);
        header.stream = stream;
        let request = engine::Request {
            head: Some(engine::Head { api: api.into() }),
            body: Some(body),
        };
        let kind = runtime::request_body::Kind::Engine(request);
        self.send_frame(&self.runtime(&header, runtime::Module::Engine, kind));
        header
    }

    pub(crate) fn engine_answer(&self, header: &Header) -> engine::ResponseBody {
        let response = self.answer(header).expect("an answer");
        let Some(response_body::Kind::Runtime(runtime)) = response.body.unwrap().kind else {
            panic!("not of the runtime");
        };
        let Some(runtime::response_body::Kind::Engine(engine)) = runtime.body.unwrap().kind else {
            panic!("not of the engine");
        };
        engine.body.unwrap()
    }

    pub(crate) fn engine(
        &self,
        api: engine::ApiKind,
        body: engine::RequestBody,
    ) -> engine::ResponseBody {
        let header = self.send_engine(1, api, body);
        self.engine_answer(&header)
    }

    pub(crate) fn send_vdec(&self, stream: u32, api: i32, data: Vec<Vec<u8>>) -> Header {
        let mut header = self.header(0x101 | ((api as u32) << 16), 0);
        header.stream = stream;
        let request = native::Request {
            head: Some(native::Head { module: 1 }),
            body: Some(native::RequestBody {
                kind: Some(native::request_body::Kind::Vdec(native::VdecRequest {
                    api,
                    data,
                })),
            }),
        };
        let kind = request_body::Kind::Native(request);
        self.send_frame(&self.frame(&header, wire::Module::Native, kind));
        header
    }

    pub(crate) fn vdec_answer(&self, header: &Header) -> native::VdecResponse {
        let response = self.answer(header).expect("an answer");
        let Some(response_body::Kind::Native(native)) = response.body.unwrap().kind else {
            panic!("not native");
        };
        assert_eq!(native.head.unwrap().module, 1);
        match native.body.unwrap().kind.unwrap() {
            native::response_body::Kind::Vdec(answer) => answer,
            other => panic!("{other:?} to a VDEC call"),
        }
    }

    /// A request to transfer a file.
    pub(crate) fn usrwork_frame(&self, header: &Header) -> Vec<u8> {
        let request = wire::usrwork::Request {
            head: Some(wire::usrwork::Head { api: 0 }),
            body: Some(wire::usrwork::RequestBody::default()),
        };
        let kind = runtime::request_body::Kind::Usrwork(request);
        self.runtime(header, runtime::Module::Usrwork, kind)
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
