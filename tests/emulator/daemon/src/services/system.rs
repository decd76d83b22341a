// SPDX-License-Identifier: MIT OR Apache-2.0

//! The system calls that take their turn in a stream: shell, log, latency [rpc 4.1] to [rpc 4.3].

use crate::ports::session::Session;
use crate::protocol::errors::{code, About, Why};
use crate::protocol::frames::{Answer, Header};
use crate::shell;
use crate::wire::system::{
    request_body, response_body, Alive, Command, ControlRequest, ControlResponse, Latency,
    LogResponse, Module, ShellResponse,
};

/// Runs a call; `None` if it wants no answer.
pub(crate) fn call(
    session: &Session,
    header: &Header,
    request: request_body::Kind,
) -> Option<Answer> {
    match request {
        request_body::Kind::Alive(_) => Some(Answer::System(
            Module::Alive,
            response_body::Kind::Alive(Alive {}),
        )),
        request_body::Kind::Latency(Latency { data }) => {
            session.card.link.count("system.latency", 1);
            let echo = response_body::Kind::Latency(Latency { data });
            Some(Answer::System(Module::Latency, echo))
        }
        request_body::Kind::Log(request) => {
            session.card.link.count("system.log", 1);
            let log = LogResponse {
                name: format!(
                    "axcl_card{}_log{}.txt",
                    session.card.link.card_id(),
                    request.r#type
                ),
                content: session.card.log.text().into_bytes(),
            };
            Some(Answer::System(Module::Log, response_body::Kind::Log(log)))
        }
        request_body::Kind::Control(control) => self::control(session, header, &control),
    }
}

fn control(session: &Session, header: &Header, request: &ControlRequest) -> Option<Answer> {
    let mut response = ControlResponse {
        cmd: request.cmd,
        status: Some(0),
        pid: Some(session.card_pid),
        tid: Some(session.card_pid),
        ..Default::default()
    };
    match (
        Command::try_from(request.cmd),
        &request.shell,
        &request.pcie_sub_id,
    ) {
        (Ok(Command::Shell), Some(shell), _) => {
            session.card.link.count("system.shell", 1);
            let mut line = shell.cmd.clone();
            for arg in &shell.args {
                line.push(' ');
                line.push_str(arg);
            }
            let outcome = shell::run(&session.card, &line);
            session.note(
                log::Level::Info,
                &format!("shell: {line:?} ended with {}", outcome.status),
            );
            response.shell = Some(ShellResponse {
                status: outcome.status,
                output: outcome.output,
            });
        }
        (Ok(Command::SetupPcieSubId), _, Some(id)) => {
            session.card.link.count("system.pcie_sub_id", 1);
            *session.card.pcie_sub_id.lock() = Some((id.vendor_id, id.device_id));
        }
        _ => {
            session.note(
                log::Level::Warn,
                &format!("command {} without its arguments", header.command),
            );
            response.status = Some(code(About::SysCtrl, Why::IllegalParameter) as i32);
        }
    }
    (request.noresp.unwrap_or(0) == 0).then(|| Answer::control(response))
}
