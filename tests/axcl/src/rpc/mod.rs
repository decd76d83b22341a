// SPDX-License-Identifier: MIT OR Apache-2.0

//! Calls of the card's service: requests and answers [rpc 3.2].

pub mod engine;
pub mod memory;
pub mod native;
pub mod system;
pub mod usrwork;

use anyhow::{bail, ensure, Context, Result};
use prost::Message;

use crate::wire::header::{Header, HEADER};
use pb::axclrpc::{self, runtime};

/// The messages, made from `proto/*.proto`.
#[allow(missing_docs, clippy::all)]
pub mod pb {
    include!("../../../../proto/rust/axcl.rs");
}

/// Who calls: what the outer head says of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Process.
    pub pid: u32,
    /// Thread.
    pub tid: u32,
    /// Seconds since 1970.
    pub time: u64,
}

impl Caller {
    /// The calling thread, now.
    pub fn now() -> Self {
        let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            pid: std::process::id(),
            // SAFETY: plain system call.
            tid: unsafe { libc::gettid() } as u32,
            time: time.map_or(0, |time| time.as_secs()),
        }
    }
}

/// A call: what of it does not depend on who makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Type for the header.
    pub kind: u32,
    /// Command for the header.
    pub command: u32,
    /// Body.
    pub body: axclrpc::RequestBody,
    /// Whether there is an answer.
    pub answered: bool,
}

impl Call {
    /// A call of a runtime service.
    fn runtime(kind: u32, module: runtime::Module, body: runtime::request_body::Kind) -> Self {
        let request = runtime::Request {
            head: Some(runtime::Head {
                module: module.into(),
            }),
            body: Some(runtime::RequestBody { kind: Some(body) }),
        };
        Self {
            kind,
            command: 0,
            body: axclrpc::RequestBody {
                kind: Some(axclrpc::request_body::Kind::Runtime(request)),
            },
            answered: true,
        }
    }

    /// The whole frame, as Axera's library writes it.
    pub fn frame(&self, header: &Header, caller: &Caller) -> Vec<u8> {
        let native = matches!(self.body.kind, Some(axclrpc::request_body::Kind::Native(_)));
        let module = if native {
            axclrpc::Module::Native
        } else {
            axclrpc::Module::Runtime
        };
        let request = axclrpc::Request {
            head: Some(axclrpc::Head {
                seq_num: header.sequence,
                version: Some(axclrpc::Version {
                    major: 1,
                    ..Default::default()
                }),
                env: Some(axclrpc::Environment {
                    pid: caller.pid,
                    tid: caller.tid,
                }),
                timestamp: caller.time,
                module: module.into(),
            }),
            body: Some(self.body.clone()),
            tail: Some(axclrpc::Tail::default()),
        };
        let mut frame = header.to_bytes().to_vec();
        frame.extend(request.encode_to_vec());
        frame
    }
}

/// Reads an answer: all that Axera's library demands of the outer message.
pub fn answer(request: &Header, frame: &[u8]) -> Result<axclrpc::ResponseBody> {
    let header = Header::from_frame(frame).context("an answer without a header")?;
    ensure!(header == *request, "{header:x?} answers {request:x?}");
    let answer =
        axclrpc::Response::decode(&frame[HEADER..]).context("an answer that is no message")?;
    let head = answer.head.context("an answer without head")?;
    answer.tail.context("an answer without tail")?;
    let body = answer.body.context("an answer without body")?;
    let native = request.kind & 0xff == 1;
    ensure!(
        head.module()
            == if native {
                axclrpc::Module::Native
            } else {
                axclrpc::Module::Runtime
            },
        "an answer of module {:?}",
        head.module()
    );
    Ok(body)
}

/// The body of an answer of a runtime service, which must be that of `module`.
fn runtime_answer(
    body: axclrpc::ResponseBody,
    module: runtime::Module,
) -> Result<runtime::response_body::Kind> {
    let Some(axclrpc::response_body::Kind::Runtime(answer)) = body.kind else {
        bail!("no answer of a runtime service: {body:?}");
    };
    let head = answer.head.context("a runtime answer without head")?;
    ensure!(head.module() == module, "an answer of {:?}", head.module());
    let body = answer.body.context("a runtime answer without body")?;
    body.kind.context("a runtime answer with an empty body")
}
