// SPDX-License-Identifier: MIT OR Apache-2.0

//! Frames as cases send them: built and taken apart here, so that cases can also build wrong ones.

use anyhow::{ensure, Context, Result};
use ax650::proto::axclrpc::{self, memory, runtime, system};
use ax650::{Header, Kind};
use prost::Message;

/// Body of a request of a runtime service.
pub fn runtime(module: runtime::Module, kind: runtime::request_body::Kind) -> axclrpc::RequestBody {
    axclrpc::RequestBody {
        kind: Some(axclrpc::request_body::Kind::Runtime(runtime::Request {
            head: Some(runtime::Head {
                module: module.into(),
            }),
            body: Some(runtime::RequestBody { kind: Some(kind) }),
        })),
    }
}

/// Body of a memory call.
pub fn memory(api: memory::Api, body: memory::RequestBody) -> axclrpc::RequestBody {
    let request = memory::Request {
        head: Some(memory::Head { api: api.into() }),
        body: Some(body),
    };
    runtime(
        runtime::Module::Memory,
        runtime::request_body::Kind::Memory(request),
    )
}

/// Body of a call of the system service.
pub fn system(module: system::Module, kind: system::request_body::Kind) -> axclrpc::RequestBody {
    let request = system::Request {
        head: Some(system::Head {
            module: module.into(),
        }),
        body: Some(system::RequestBody { kind: Some(kind) }),
    };
    runtime(
        runtime::Module::System,
        runtime::request_body::Kind::System(request),
    )
}

/// Body of a system control call.
pub fn control(request: system::ControlRequest) -> axclrpc::RequestBody {
    system(
        system::Module::Control,
        system::request_body::Kind::Control(request),
    )
}

/// Body of a latency echo.
pub fn echo(data: &[u8]) -> axclrpc::RequestBody {
    let latency = system::Latency {
        data: data.to_vec(),
    };
    system(
        system::Module::Latency,
        system::request_body::Kind::Latency(latency),
    )
}

/// A whole frame.
pub fn request(header: Header, body: axclrpc::RequestBody) -> Vec<u8> {
    let module = match body.kind {
        Some(axclrpc::request_body::Kind::Native(_)) => axclrpc::Module::Native,
        _ => axclrpc::Module::Runtime,
    };
    let message = axclrpc::Request {
        head: Some(axclrpc::Head {
            seq_num: header.sequence,
            module: module.into(),
            ..Default::default()
        }),
        body: Some(body),
        tail: Some(axclrpc::Tail::default()),
    };
    let mut frame = header.to_bytes().to_vec();
    frame.extend(message.encode_to_vec());
    frame
}

/// The body of the frame that answers `sent`.
pub fn answer(sent: &Header, frame: &[u8]) -> Result<axclrpc::ResponseBody> {
    let (header, message) = frame
        .split_first_chunk()
        .context("an answer without a header")?;
    let got = Header::from_bytes(header);
    // The id in the header is the card's own business.
    ensure!(
        got.sequence == sent.sequence && got.place == sent.place && got.kind == sent.kind,
        "{got:?} answers {sent:?}"
    );
    let message = axclrpc::Response::decode(message).context("an answer that is no message")?;
    message.body.context("an answer without a body")
}

/// The answer to a memory call.
pub fn memory_answer(body: axclrpc::ResponseBody) -> Result<memory::ResponseBody> {
    match runtime_answer(body)? {
        runtime::response_body::Kind::Memory(answer) => answer.body.context("no memory body"),
        other => anyhow::bail!("no answer to a memory call: {other:?}"),
    }
}

/// The answer to a call of the system service.
pub fn system_answer(body: axclrpc::ResponseBody) -> Result<system::response_body::Kind> {
    match runtime_answer(body)? {
        runtime::response_body::Kind::System(answer) => answer
            .body
            .and_then(|body| body.kind)
            .context("no system body"),
        other => anyhow::bail!("no answer to a system call: {other:?}"),
    }
}

/// The data that came back with the answer to an echo.
pub fn echoed(body: axclrpc::ResponseBody) -> Result<Vec<u8>> {
    match system_answer(body)? {
        system::response_body::Kind::Latency(latency) => Ok(latency.data),
        other => anyhow::bail!("no echo: {other:?}"),
    }
}

fn runtime_answer(body: axclrpc::ResponseBody) -> Result<runtime::response_body::Kind> {
    match body.kind {
        Some(axclrpc::response_body::Kind::Runtime(answer)) => answer
            .body
            .and_then(|body| body.kind)
            .context("no runtime body"),
        other => anyhow::bail!("no answer of a runtime service: {other:?}"),
    }
}

/// Type of a frame for this body.
pub fn kind_of_memory(api: memory::Api) -> Kind {
    Kind::memory(api.into())
}
