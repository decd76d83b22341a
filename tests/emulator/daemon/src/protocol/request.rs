// SPDX-License-Identifier: MIT OR Apache-2.0

//! Requests, taken out of their envelopes [rpc 3.2].

use std::borrow::Cow;

use prost::Message;

use super::frames::Header;
use super::native;
use crate::wire::{self, request_body, runtime};

/// A request that has been taken apart.
pub(crate) struct Request {
    /// Repeated in the answer.
    pub(crate) head: wire::Head,
    /// The rest.
    pub(crate) body: Body,
}

/// The body of a request.
pub(crate) enum Body {
    /// Contexts, shell, log, latency.
    System(wire::system::request_body::Kind),
    /// Api number and arguments.
    Memory(i32, wire::memory::RequestBody),
    /// Api number and arguments.
    Engine(i32, wire::engine::RequestBody),
    /// Module, api number and arguments.
    Native(u32, u32, Vec<Vec<u8>>),
    /// Api number and arguments.
    P2p(i32, wire::p2p::RequestBody),
    /// Api number and arguments.
    UsrWork(i32, wire::usrwork::RequestBody),
}

impl Body {
    /// Whether the call wants no answer.
    pub(crate) fn silent(&self) -> bool {
        use wire::system::request_body::Kind;
        let noresp = match self {
            Self::System(Kind::Control(control)) => control.noresp,
            Self::Memory(_, body) => body.noresp,
            Self::Engine(_, body) => body.noresp,
            _ => None,
        };
        noresp.unwrap_or(0) != 0
    }

    /// The name of the call, for the census.
    pub(crate) fn name(&self) -> Cow<'static, str> {
        use wire::system::request_body::Kind;
        let (service, name, api) = match self {
            Self::System(Kind::Alive(_)) => return "system.ALIVE".into(),
            Self::System(Kind::Latency(_)) => return "system.LATENCY".into(),
            Self::System(Kind::Log(_)) => return "system.LOG".into(),
            Self::System(Kind::Control(control)) => {
                let command = wire::system::Command::try_from(control.cmd);
                ("control", command.map(|c| c.as_str_name()), control.cmd)
            }
            Self::Memory(api, _) => {
                let name = wire::memory::Api::try_from(*api);
                ("memory", name.map(|n| n.as_str_name()), *api)
            }
            Self::Engine(api, _) => {
                let name = wire::engine::ApiKind::try_from(*api);
                ("engine", name.map(|n| n.as_str_name()), *api)
            }
            Self::P2p(api, _) => {
                let name = wire::p2p::Api::try_from(*api);
                ("p2p", name.map(|n| n.as_str_name()), *api)
            }
            Self::UsrWork(api, _) => {
                let name = wire::usrwork::Api::try_from(*api);
                ("usrwork", name.map(|n| n.as_str_name()), *api)
            }
            Self::Native(module, api, _) => {
                return match native::name(*module, *api) {
                    Some(name) => name.into(),
                    None => native::called(*module, *api).into(),
                }
            }
        };
        match name {
            Ok(name) => format!("{service}.{name}").into(),
            Err(_) => format!("{service}.{api}").into(),
        }
    }
}

/// Takes a request apart; the error is a text for the log.
///
/// The header's type has to agree with the body, and all parts have to be there: a real card may
/// look at any of them.
pub(crate) fn decode(header: &Header, frame: &[u8]) -> Result<Request, String> {
    let request = wire::Request::decode(&frame[Header::LEN..]).map_err(|e| e.to_string())?;
    let head = request.head.ok_or("no head")?;
    request.tail.ok_or("no tail")?;
    if head.seq_num != header.sequence {
        return Err(format!("the head has number {}", head.seq_num));
    }
    let kind = request.body.and_then(|body| body.kind).ok_or("no body")?;
    let (module, service, api, body) = match kind {
        request_body::Kind::Runtime(request) => {
            let (service, api, body) = runtime_body(request)?;
            (wire::Module::Runtime, service, api, body)
        }
        request_body::Kind::Native(request) => {
            let (module, api, args) = native::parts(request)?;
            let api_number = api as i32;
            (
                wire::Module::Native,
                module as i32,
                api_number,
                Body::Native(module, api, args),
            )
        }
    };
    if head.module != module as i32 {
        return Err(format!("the head names module {}", head.module));
    }
    let kind = [module as i32, service, api, 0];
    let numbers = [0, 1, 2, 3].map(|i| header.kind_byte(i) as i32);
    if kind != numbers {
        return Err(format!("the body is that of type {kind:?}"));
    }
    Ok(Request { head, body })
}

fn runtime_body(request: runtime::Request) -> Result<(i32, i32, Body), String> {
    use runtime::request_body::Kind;
    let module = request.head.ok_or("no runtime head")?.module;
    let kind = request.body.and_then(|b| b.kind).ok_or("no runtime body")?;
    let (service, api, body) = match kind {
        Kind::System(request) => {
            let sub = request.head.ok_or("no system head")?.module;
            let kind = request.body.and_then(|b| b.kind).ok_or("no system body")?;
            (runtime::Module::System, sub, Body::System(kind))
        }
        Kind::Memory(request) => {
            let api = request.head.ok_or("no memory head")?.api;
            let body = request.body.ok_or("no memory body")?;
            (runtime::Module::Memory, api, Body::Memory(api, body))
        }
        Kind::Engine(request) => {
            let api = request.head.ok_or("no engine head")?.api;
            // Some calls have an empty body, which an encoder may as well leave out.
            let body = request.body.unwrap_or_default();
            (runtime::Module::Engine, api, Body::Engine(api, body))
        }
        Kind::P2p(request) => {
            let api = request.head.ok_or("no p2p head")?.api;
            let body = request.body.unwrap_or_default();
            (runtime::Module::P2p, api, Body::P2p(api, body))
        }
        Kind::Usrwork(request) => {
            let api = request.head.ok_or("no usrwork head")?.api;
            let body = request.body.ok_or("no usrwork body")?;
            (runtime::Module::Usrwork, api, Body::UsrWork(api, body))
        }
    };
    if module != service as i32 {
        return Err(format!("the runtime head names service {module}"));
    }
    Ok((service as i32, api, body))
}
