// SPDX-License-Identifier: MIT OR Apache-2.0

//! The system service: control, latency, log [rpc 4].

use anyhow::{bail, ensure, Context, Result};

use super::pb::axclrpc::system::{self, request_body, response_body, Command, Module};
use super::pb::axclrpc::{self, runtime};
use super::{runtime_answer, Call, Caller};
use crate::wire::header;

pub use super::pb::axclrpc::system::{ControlRequest, ControlResponse};

fn call(module: Module, kind: request_body::Kind) -> Call {
    let request = system::Request {
        head: Some(system::Head {
            module: module.into(),
        }),
        body: Some(system::RequestBody { kind: Some(kind) }),
    };
    Call::runtime(
        header::runtime(0, module as u8),
        runtime::Module::System,
        runtime::request_body::Kind::System(request),
    )
}

/// A control call.
pub fn control(request: ControlRequest) -> Call {
    let answered = request.noresp.unwrap_or(0) == 0;
    Call {
        command: request.cmd as u32,
        answered,
        ..call(Module::Control, request_body::Kind::Control(request))
    }
}

/// Makes a context.
pub fn create_context(caller: &Caller, context: u32) -> Call {
    control(ControlRequest {
        cmd: Command::CreateContext.into(),
        pid: Some(caller.pid),
        tid: Some(caller.tid),
        context: Some(context),
        stream: Some(1),
        noresp: Some(0),
        ..Default::default()
    })
}

/// Ends a context.
pub fn destroy_context(caller: &Caller, context: u32) -> Call {
    control(ControlRequest {
        cmd: Command::DestroyContext.into(),
        pid: Some(caller.pid),
        tid: Some(caller.tid),
        context: Some(context),
        stream: Some(1),
        ..Default::default()
    })
}

/// Runs a command line on the card.
pub fn shell(line: &str) -> Call {
    control(ControlRequest {
        cmd: Command::Shell.into(),
        shell: Some(system::ShellRequest {
            cmd: line.to_owned(),
            args: Vec::new(),
        }),
        noresp: Some(0),
        ..Default::default()
    })
}

/// Makes or ends a stream.
pub fn stream(create: bool, context: u32, stream: u32) -> Call {
    let command = if create {
        Command::CreateStream
    } else {
        Command::DestroyStream
    };
    control(ControlRequest {
        cmd: command.into(),
        context: Some(context),
        stream: Some(stream),
        ..Default::default()
    })
}

/// Waits for all that is queued on a stream.
pub fn sync_stream(context: u32, stream: u32, timeout_ms: i32) -> Call {
    control(ControlRequest {
        cmd: Command::SyncStream.into(),
        context: Some(context),
        stream: Some(stream),
        timeout: Some(timeout_ms),
        ..Default::default()
    })
}

/// Makes or ends an event.
pub fn event(create: bool, context: u32, stream: u32, event: u32) -> Call {
    let command = if create {
        Command::CreateEvent
    } else {
        Command::DestroyEvent
    };
    control(ControlRequest {
        cmd: command.into(),
        context: Some(context),
        stream: Some(stream),
        event: Some(event),
        ..Default::default()
    })
}

/// Marks an event when the stream gets there.
pub fn record_event(context: u32, stream: u32, event: u32) -> Call {
    control(ControlRequest {
        cmd: Command::RecordEvent.into(),
        context: Some(context),
        stream: Some(stream),
        event: Some(event),
        noresp: Some(1),
        ..Default::default()
    })
}

/// Holds the stream until the event is marked.
pub fn wait_event(context: u32, stream: u32, event: u32, timeout_ms: i32) -> Call {
    control(ControlRequest {
        cmd: Command::WaitEvent.into(),
        context: Some(context),
        stream: Some(stream),
        event: Some(event),
        timeout: Some(timeout_ms),
        noresp: Some(1),
        ..Default::default()
    })
}

/// An echo.
pub fn latency(data: &[u8]) -> Call {
    let latency = system::Latency {
        data: data.to_vec(),
    };
    call(Module::Latency, request_body::Kind::Latency(latency))
}

/// The card's log.
pub fn log(kind: u32, flag: u32) -> Call {
    let request = system::LogRequest { r#type: kind, flag };
    call(Module::Log, request_body::Kind::Log(request))
}

fn answer(module: Module, body: axclrpc::ResponseBody) -> Result<response_body::Kind> {
    let runtime::response_body::Kind::System(answer) =
        runtime_answer(body, runtime::Module::System)?
    else {
        bail!("no answer to a system call");
    };
    let head = answer.head.context("a system answer without head")?;
    ensure!(head.module() == module, "an answer of {:?}", head.module());
    let body = answer.body.context("a system answer without body")?;
    body.kind.context("a system answer with an empty body")
}

/// The answer to a control call, which must repeat the command.
pub fn control_answer(command: u32, body: axclrpc::ResponseBody) -> Result<ControlResponse> {
    match answer(Module::Control, body)? {
        response_body::Kind::Control(answer) => {
            ensure!(
                answer.cmd == command as i32,
                "command {command} is answered as {}",
                answer.cmd
            );
            Ok(answer)
        }
        other => bail!("no control answer: {other:?}"),
    }
}

/// The bytes of an echo.
pub fn latency_answer(body: axclrpc::ResponseBody) -> Result<Vec<u8>> {
    match answer(Module::Latency, body)? {
        response_body::Kind::Latency(answer) => Ok(answer.data),
        other => bail!("no echo: {other:?}"),
    }
}

/// Name and content of a log.
pub fn log_answer(body: axclrpc::ResponseBody) -> Result<(String, Vec<u8>)> {
    match answer(Module::Log, body)? {
        response_body::Kind::Log(answer) => Ok((answer.name, answer.content)),
        other => bail!("no log: {other:?}"),
    }
}
