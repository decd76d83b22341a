// SPDX-License-Identifier: MIT OR Apache-2.0

//! The worked examples as a script, and a host that plays it without thinking.

use std::time::Duration;

use prost::Message;

use crate::protocol::frames::{Header, CONTROL};
use crate::tests::client::packet;
use crate::tests::host::Host;
use crate::tests::Rig;
use crate::wire::{self, request_body, response_body, runtime, system};

const PATIENCE: Duration = Duration::from_secs(20);
/// Ports of the session.
pub(super) const PORTS: [u32; 4] = [21, 22, 23, 24];

/// One message.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Host to card.
    pub(super) to_card: bool,
    /// 0 to 3.
    pub(super) port: usize,
    /// Bytes of the message, of which the notes may show fewer.
    pub(super) size: usize,
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// The messages under a heading.
pub(super) fn lines(heading: &str) -> Vec<Line> {
    let text = include_str!("../../../../../../vectors/worked-examples.txt");
    let mut lines: Vec<Line> = Vec::new();
    let mut inside = false;
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(title) = line.strip_prefix("# ") {
            inside = title.starts_with(heading);
        } else if inside {
            let mut words = line.splitn(5, ' ');
            let mut word = || words.next().unwrap();
            let port = word()[1..].parse().unwrap();
            let to_card = word() == ">";
            let size = word().parse().unwrap();
            let digits = word().as_bytes().chunks(2);
            let byte = |two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap();
            lines.push(Line {
                to_card,
                port,
                size,
                name: word(),
                bytes: digits.map(byte).collect(),
            });
        }
    }
    assert!(!lines.is_empty(), "no examples under {heading}");
    lines
}

/// A part of an answer that cannot be equal.
pub(super) struct Except {
    /// How the name of the message begins.
    pub(super) name: &'static str,
    /// First byte, and the first one behind.
    pub(super) bytes: std::ops::Range<usize>,
    /// Said when something else differs.
    pub(super) why: &'static str,
}

/// A host that plays lines.
pub(super) struct Player<'a> {
    pub(super) rig: &'a Rig,
    pub(super) exceptions: Vec<Except>,
}

impl<'a> Player<'a> {
    /// Makes the session whose process is `pid`; no handshake yet.
    pub(super) fn new(rig: &'a Rig, pid: u32) -> Self {
        let create = packet(1, pid, PORTS, 4 << 20);
        rig.daemon.message(11, create);
        assert!(
            rig.host.receive(11, PATIENCE).is_some(),
            "no reply to create"
        );
        Self {
            rig,
            exceptions: Vec::new(),
        }
    }

    /// Shakes hands and makes context 1 as the examples do, then contexts 2 and 3.
    pub(super) fn open(rig: &'a Rig, pid: u32) -> Self {
        let player = Self::new(rig, pid);
        player.play(&lines("Handshake"));
        player.more_contexts();
        player
    }

    /// Makes the contexts 2 and 3 that some examples are in.
    pub(super) fn more_contexts(&self) {
        for context in [2, 3] {
            let header = Header {
                kind: CONTROL,
                sequence: 1000 + u64::from(context),
                card: 1,
                context,
                stream: 1,
                command: 0,
            };
            let control = system::ControlRequest {
                context: Some(context),
                ..Default::default()
            };
            let request = system::Request {
                head: Some(system::Head {
                    module: system::Module::Control.into(),
                }),
                body: Some(system::RequestBody {
                    kind: Some(system::request_body::Kind::Control(control)),
                }),
            };
            let runtime = runtime::Request {
                head: Some(runtime::Head::default()),
                body: Some(runtime::RequestBody {
                    kind: Some(runtime::request_body::Kind::System(request)),
                }),
            };
            let frame = frame(&header, request_body::Kind::Runtime(runtime), (1, 1));
            self.rig.daemon.message(PORTS[2], frame);
            let answer = self
                .rig
                .host
                .receive(PORTS[3], PATIENCE)
                .expect("an answer");
            assert_eq!(answer[..Header::LEN], header.bytes());
        }
    }

    /// Plays the lines: sends what the host sends, and compares what the card sends.  A request whose
    /// answer the notes do not show has to succeed.
    pub(super) fn play(&self, lines: &[Line]) {
        for (i, line) in lines.iter().enumerate() {
            if !line.to_card {
                self.check(line);
                continue;
            }
            assert_eq!(line.bytes.len(), line.size, "{}: incomplete", line.name);
            self.rig
                .daemon
                .message(PORTS[line.port], line.bytes.clone());
            let next = lines.get(i + 1);
            if line.port == 2 && next.is_none_or(|next| next.to_card) {
                self.succeeds(line);
            }
        }
    }

    fn check(&self, line: &Line) {
        let name = line.name;
        let got = self.rig.host.receive(PORTS[line.port], PATIENCE);
        let got = got.unwrap_or_else(|| panic!("{name}: nothing came"));
        let except = self.exceptions.iter().find(|e| name.starts_with(e.name));
        let (free, why) = except.map_or((0..0, "nothing"), |e| (e.bytes.clone(), e.why));
        if free.end < usize::MAX {
            assert_eq!(got.len(), line.size, "{name}");
        }
        for (at, (got, want)) in got.iter().zip(&line.bytes).enumerate() {
            let text = || format!("{name}: byte {at:#x}, where only {why} may differ");
            assert!(
                free.contains(&at) || got == want,
                "{}: {got:#x} {want:#x}",
                text()
            );
        }
    }

    fn succeeds(&self, line: &Line) {
        let answer = self.rig.host.receive(PORTS[3], PATIENCE);
        let answer = answer.unwrap_or_else(|| panic!("{}: no answer", line.name));
        assert_eq!(
            answer[..Header::LEN],
            line.bytes[..Header::LEN],
            "{}",
            line.name
        );
        let response = wire::Response::decode(&answer[Header::LEN..]).unwrap();
        match response.body.unwrap().kind.unwrap() {
            response_body::Kind::Native(native) => {
                let (_, _, blobs) = crate::protocol::native::blobs(native);
                assert_eq!(blobs[0], [0; 4], "{}", line.name);
            }
            response_body::Kind::Runtime(runtime) => match runtime.body.unwrap().kind.unwrap() {
                runtime::response_body::Kind::Engine(engine) => {
                    assert_eq!(engine.body.unwrap().status, 0, "{}", line.name);
                }
                other => panic!("{}: {other:?}", line.name),
            },
        }
    }
}

/// A whole request of process and thread `env`.
pub(super) fn frame(header: &Header, kind: request_body::Kind, env: (u32, u32)) -> Vec<u8> {
    let module = match kind {
        request_body::Kind::Runtime(_) => wire::Module::Runtime,
        request_body::Kind::Native(_) => wire::Module::Native,
    };
    let request = wire::Request {
        head: Some(wire::Head {
            seq_num: header.sequence,
            version: Some(wire::Version {
                major: 1,
                ..Default::default()
            }),
            env: Some(wire::Environment {
                pid: env.0,
                tid: env.1,
            }),
            timestamp: 1_795_305_453,
            module: module.into(),
        }),
        body: Some(wire::RequestBody { kind: Some(kind) }),
        tail: Some(wire::Tail::default()),
    };
    let mut frame = header.bytes().to_vec();
    request.encode(&mut frame).unwrap();
    frame
}

/// Completes a request whose dump breaks off: `end` are its last bytes, what is between is zero.
pub(super) fn complete(line: &mut Line, end: &[u8]) {
    // What is added must not be more than the notes leave out.
    assert!(line.bytes.len() + end.len() <= line.size, "{}", line.name);
    line.bytes.resize(line.size, 0);
    let at = line.size - end.len();
    line.bytes[at..].copy_from_slice(end);
}

/// Where the examples have the host's DMA buffers.
pub(super) fn map_buffers(host: &Host) {
    host.map_at(0x1_0000_0000, 4 << 20);
    host.map_at(0x1_0050_0000, 4 << 20);
}
