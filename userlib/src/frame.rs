// SPDX-License-Identifier: MIT OR Apache-2.0

//! Frames: a binary header and a protobuf message [rpc 3].

use prost::Message;

use crate::error::{Error, Result};
use crate::proto::axclrpc::{
    Environment, Head, Module, Request, RequestBody, Response, ResponseBody, Tail, Version,
};
use crate::transport::Place;

/// The header of a frame [rpc 3.1]; an answer repeats that of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What is asked for, see [`Kind`].
    pub kind: Kind,
    /// Number of the request, unique in the session.
    pub sequence: u64,
    /// Card id, as the driver gave it at the start of the session.
    pub card: u32,
    /// Queue of the card.
    pub place: Place,
    /// System control: the command; else 0.
    pub command: u32,
}

impl Header {
    /// Bytes of a header.
    pub const SIZE: usize = 28;

    /// Encodes the header as it goes over the wire.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[0..4].copy_from_slice(&self.kind.0.to_le_bytes());
        bytes[4..12].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.card.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.place.context.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.place.stream.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.command.to_le_bytes());
        bytes
    }

    /// Decodes a header from the wire.
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        Self {
            kind: Kind(word(0)),
            sequence: u64::from(word(4)) | (u64::from(word(8)) << 32),
            card: word(12),
            place: Place {
                context: word(16),
                stream: word(20),
            },
            command: word(24),
        }
    }
}

/// The type of a frame: service and api number [rpc 3.1].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind(pub u32);

impl Kind {
    /// System service, latency echo.
    pub const LATENCY: Self = Self(0x0001_0000);
    /// System service, log.
    pub const LOG: Self = Self(0x0002_0000);
    /// System service, control.
    pub const CONTROL: Self = Self(0x0003_0000);

    /// Makes the kind of a call of the memory service.
    pub const fn memory(api: i32) -> Self {
        Self(0x0000_0100 | ((api as u32) << 16))
    }

    /// Makes the kind of a call of the engine service.
    pub const fn engine(api: i32) -> Self {
        Self(0x0000_0200 | ((api as u32) << 16))
    }

    /// Makes the kind of a native call, of module and api number.
    pub const fn native(module: i32, api: i32) -> Self {
        Self(0x0000_0001 | ((module as u32) << 8) | ((api as u32) << 16))
    }

    fn module(self) -> Module {
        if self.0 & 0xFF == 1 {
            Module::Native
        } else {
            Module::Runtime
        }
    }
}

/// Who calls, and when: it rides in every request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub pid: u32,
    pub tid: u32,
    /// Seconds since 1970.
    pub timestamp: u64,
}

impl Caller {
    pub(crate) fn now() -> Self {
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            pid: nix::unistd::getpid().as_raw() as u32,
            tid: nix::unistd::gettid().as_raw() as u32,
            timestamp: since_1970.map_or(0, |time| time.as_secs()),
        }
    }
}

/// Encodes the whole frame of a request.
pub(crate) fn request(header: Header, caller: Caller, body: RequestBody) -> Vec<u8> {
    let message = message(&header, caller, body);
    let mut frame = Vec::with_capacity(Header::SIZE + message.encoded_len());
    encode(&header, &message, &mut frame);
    frame
}

/// Writes the frame of a request over what is in `frame`.
pub(crate) fn encode(header: &Header, message: &Request, frame: &mut Vec<u8>) {
    frame.clear();
    frame.extend_from_slice(&header.to_bytes());
    message.encode(frame).expect("a Vec grows as needed");
}

/// Takes the message out of the frame of a request that was made here.
pub(crate) fn decode(frame: &[u8]) -> Result<Request> {
    let message = frame.get(Header::SIZE..).unwrap_or(&[]);
    Request::decode(message).map_err(|error| Error::invalid(format!("not a request: {error}")))
}

fn message(header: &Header, caller: Caller, body: RequestBody) -> Request {
    Request {
        head: Some(Head {
            seq_num: header.sequence,
            version: Some(Version {
                major: 1,
                minor: 0,
                patch: 0,
            }),
            env: Some(Environment {
                pid: caller.pid,
                tid: caller.tid,
            }),
            timestamp: caller.timestamp,
            module: header.kind.module().into(),
        }),
        body: Some(body),
        tail: Some(Tail::default()),
    }
}

/// Checks the frame of the answer to `sent` and takes the body out of it.
pub(crate) fn answer(what: &str, sent: &Header, frame: &[u8]) -> Result<ResponseBody> {
    let bad = |problem: String| Error::answer(what, problem);
    let (header, message) = frame
        .split_first_chunk()
        .ok_or_else(|| bad(format!("{} bytes are not even a header", frame.len())))?;
    let got = Header::from_bytes(header);
    if got.sequence != sent.sequence || got.place != sent.place || got.card != sent.card {
        return Err(bad(format!(
            "it answers request {}, not {}",
            got.sequence, sent.sequence
        )));
    }
    let message = Response::decode(message).map_err(|error| bad(error.to_string()))?;
    if message.head.is_none() || message.tail.is_none() {
        return Err(bad("head or tail missing".into()));
    }
    message.body.ok_or_else(|| bad("body missing".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Header = Header {
        kind: Kind::memory(0),
        sequence: 0x1_0000_0002,
        card: 3,
        place: Place {
            context: 4,
            stream: 5,
        },
        command: 6,
    };

    #[test]
    fn kinds_of_the_notes() {
        assert_eq!(Kind::memory(4).0, 0x0004_0100);
        assert_eq!(Kind::engine(11).0, 0x000B_0200);
        assert_eq!(Kind::native(1, 17).0, 0x0011_0101);
        assert_eq!(Kind::native(2, 2).0, 0x0002_0201);
        assert_eq!(Kind::native(0, 45).0, 0x002D_0001);
    }

    #[test]
    fn header_there_and_back() {
        let bytes = SENT.to_bytes();
        assert_eq!(bytes[..12], [0, 1, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(Header::from_bytes(&bytes), SENT);
    }

    #[test]
    fn broken_answers() {
        let good = |response: Response| {
            let mut frame = SENT.to_bytes().to_vec();
            frame.extend(response.encode_to_vec());
            frame
        };
        let whole = Response {
            head: Some(Head::default()),
            body: Some(ResponseBody::default()),
            tail: Some(Tail::default()),
        };
        assert!(answer("test", &SENT, &good(whole.clone())).is_ok());

        let mut other = SENT;
        other.sequence += 1;
        let mut strange = other.to_bytes().to_vec();
        strange.extend(whole.encode_to_vec());
        let mut cut = good(whole.clone());
        cut.pop();
        for (frame, problem) in [
            (
                good(Response {
                    head: None,
                    ..whole.clone()
                }),
                "head or tail missing",
            ),
            (
                good(Response {
                    tail: None,
                    ..whole.clone()
                }),
                "head or tail missing",
            ),
            (
                good(Response {
                    body: None,
                    ..whole.clone()
                }),
                "body missing",
            ),
            (strange, "it answers request 4294967299, not 4294967298"),
            (vec![0; 27], "27 bytes are not even a header"),
            (cut, "failed to decode"),
        ] {
            let error = answer("test", &SENT, &frame).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
