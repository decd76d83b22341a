// SPDX-License-Identifier: MIT OR Apache-2.0

//! RPC frames: the 28 byte header and the envelope of answers [rpc 3].

use prost::Message;

use super::messages::{u32_at, u64_at};
use crate::wire::{self, engine, memory, native, p2p, runtime, system, usrwork};

/// Frame type of the control sub-service.
pub(crate) const CONTROL: u32 = 0x0003_0000;

/// Frame type of a run of a model.
pub(crate) const RUN_MODEL: u32 = 0x000b_0200;

/// Longest frame that travels as one message on P2 and P3 [rpc 1.1].
pub(crate) const INLINE: usize = 1024;

/// Frame header [rpc 3.1].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Service, sub-service or module and api.
    pub(crate) kind: u32,
    /// Number of the request.
    pub(crate) sequence: u64,
    /// Card id, as the host sees it.
    pub(crate) card: u32,
    /// Context id.
    pub(crate) context: u32,
    /// Stream id; 1 is the context's default stream.
    pub(crate) stream: u32,
    /// Command number of system control, else 0.
    pub(crate) command: u32,
}

impl Header {
    /// Bytes of a header.
    pub(crate) const LEN: usize = 28;

    /// Reads the header at the start of `frame`.
    pub(crate) fn parse(frame: &[u8]) -> Option<Self> {
        if frame.len() < Self::LEN {
            return None;
        }
        Some(Self {
            kind: u32_at(frame, 0),
            sequence: u64_at(frame, 4),
            card: u32_at(frame, 12),
            context: u32_at(frame, 16),
            stream: u32_at(frame, 20),
            command: u32_at(frame, 24),
        })
    }

    /// The bytes on the wire.
    pub(crate) fn bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0..4].copy_from_slice(&self.kind.to_le_bytes());
        bytes[4..12].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.card.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.context.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.stream.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.command.to_le_bytes());
        bytes
    }

    /// Byte `index` of the type.
    pub(crate) fn kind_byte(&self, index: usize) -> u32 {
        u32::from(self.kind.to_le_bytes()[index])
    }
}

/// The body of an answer; what surrounds it is [`frame`]'s work.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    System(system::Module, system::response_body::Kind),
    Memory(i32, memory::ResponseBody),
    Engine(i32, engine::ResponseBody),
    P2p(i32, p2p::ResponseBody),
    UsrWork(i32, usrwork::ResponseBody),
    Native(i32, native::response_body::Kind),
}

impl Answer {
    /// The answer to a control command.
    pub(crate) fn control(response: system::ControlResponse) -> Self {
        let body = system::response_body::Kind::Control(response);
        Self::System(system::Module::Control, body)
    }

    fn module(&self) -> wire::Module {
        match self {
            Self::Native(..) => wire::Module::Native,
            _ => wire::Module::Runtime,
        }
    }

    fn body(self) -> wire::response_body::Kind {
        use runtime::response_body::Kind;
        let (module, kind) = match self {
            Self::System(module, body) => (
                runtime::Module::System,
                Kind::System(system::Response {
                    head: Some(system::Head {
                        module: module.into(),
                    }),
                    body: Some(system::ResponseBody { kind: Some(body) }),
                }),
            ),
            Self::Memory(api, body) => (
                runtime::Module::Memory,
                Kind::Memory(memory::Response {
                    head: Some(memory::Head { api }),
                    body: Some(body),
                }),
            ),
            Self::Engine(api, body) => (
                runtime::Module::Engine,
                Kind::Engine(engine::Response {
                    head: Some(engine::Head { api }),
                    body: Some(body),
                }),
            ),
            Self::P2p(api, body) => (
                runtime::Module::P2p,
                Kind::P2p(p2p::Response {
                    head: Some(p2p::Head { api }),
                    body: Some(body),
                }),
            ),
            Self::UsrWork(api, body) => (
                runtime::Module::Usrwork,
                Kind::Usrwork(usrwork::Response {
                    head: Some(usrwork::Head { api }),
                    body: Some(body),
                }),
            ),
            Self::Native(module, body) => {
                return wire::response_body::Kind::Native(native::Response {
                    head: Some(native::Head { module }),
                    body: Some(native::ResponseBody { kind: Some(body) }),
                });
            }
        };
        wire::response_body::Kind::Runtime(runtime::Response {
            head: Some(runtime::Head {
                module: module.into(),
            }),
            body: Some(runtime::ResponseBody { kind: Some(kind) }),
        })
    }
}

/// A whole answer frame: the request's 28 header bytes, its head, `answer` and the tail.
pub(crate) fn frame(header: &Header, head: Option<&wire::Head>, answer: Answer) -> Vec<u8> {
    let head = match head {
        Some(head) => *head,
        None => wire::Head {
            seq_num: header.sequence,
            module: answer.module().into(),
            ..Default::default()
        },
    };
    let response = wire::Response {
        head: Some(head),
        body: Some(wire::ResponseBody {
            kind: Some(answer.body()),
        }),
        tail: Some(wire::Tail::default()),
    };
    let mut bytes = Vec::with_capacity(Header::LEN + response.encoded_len());
    bytes.extend_from_slice(&header.bytes());
    response.encode_raw(&mut bytes);
    bytes
}
