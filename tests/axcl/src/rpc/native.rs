// SPDX-License-Identifier: MIT OR Apache-2.0

//! The native service: the media calls of the card's SDK [rpc 7].

use anyhow::{bail, ensure, Context, Result};

use super::pb::axclrpc::{self, native};
use super::Call;
use crate::node::get32;
use crate::wire::header;

pub use super::pb::axclrpc::native::{
    DmadimApi, EngineApi, IvpsApi, Module, SysApi, VdecApi, VencApi,
};

macro_rules! request {
    ($kind:ident, $request:ident, $api:expr, $data:expr) => {
        native::request_body::Kind::$kind(native::$request {
            api: $api,
            data: $data,
        })
    };
}

/// A call with these arguments.
pub fn call(module: Module, api: i32, data: Vec<Vec<u8>>) -> Call {
    let kind = match module {
        Module::Sys => request!(Sys, SysRequest, api, data),
        Module::Vdec => request!(Vdec, VdecRequest, api, data),
        Module::Venc => request!(Venc, VencRequest, api, data),
        Module::Ivps => request!(Ivps, IvpsRequest, api, data),
        Module::Ive => request!(Ive, IveRequest, api, data),
        Module::Engine => request!(Engine, EngineRequest, api, data),
        Module::Dmadim => request!(Dmadim, DmadimRequest, api, data),
        Module::Dsp => request!(Dsp, DspRequest, api, data),
    };
    let request = native::Request {
        head: Some(native::Head {
            module: module.into(),
        }),
        body: Some(native::RequestBody { kind: Some(kind) }),
    };
    Call {
        kind: header::native(module as u8, api as u8),
        command: 0,
        body: axclrpc::RequestBody {
            kind: Some(axclrpc::request_body::Kind::Native(request)),
        },
        answered: true,
    }
}

/// A call of the decoder.
pub fn vdec(api: VdecApi, data: Vec<Vec<u8>>) -> Call {
    call(Module::Vdec, api as i32, data)
}

/// A call of the encoder.
pub fn venc(api: VencApi, data: Vec<Vec<u8>>) -> Call {
    call(Module::Venc, api as i32, data)
}

/// A call of the system module.
pub fn sys(api: SysApi, data: Vec<Vec<u8>>) -> Call {
    call(Module::Sys, api as i32, data)
}

/// The blobs of an answer, which must be that of this call.
pub fn answer(module: Module, api: i32, body: axclrpc::ResponseBody) -> Result<Vec<Vec<u8>>> {
    let Some(axclrpc::response_body::Kind::Native(answer)) = body.kind else {
        bail!("no answer of a native module: {body:?}");
    };
    let head = answer.head.context("a native answer without head")?;
    ensure!(head.module() == module, "an answer of {:?}", head.module());
    let body = answer.body.context("a native answer without body")?;
    let (from, number, data) = match body.kind.context("a native answer with an empty body")? {
        native::response_body::Kind::Sys(a) => (Module::Sys, a.api, a.data),
        native::response_body::Kind::Vdec(a) => (Module::Vdec, a.api, a.data),
        native::response_body::Kind::Venc(a) => (Module::Venc, a.api, a.data),
        native::response_body::Kind::Ivps(a) => (Module::Ivps, a.api, a.data),
        native::response_body::Kind::Ive(a) => (Module::Ive, a.api, a.data),
        native::response_body::Kind::Engine(a) => (Module::Engine, a.api, a.data),
        native::response_body::Kind::Dmadim(a) => (Module::Dmadim, a.api, a.data),
        native::response_body::Kind::Dsp(a) => (Module::Dsp, a.api, a.data),
    };
    ensure!(
        from == module && number == api,
        "{module:?} call {api} is answered by {from:?} as {number}"
    );
    Ok(data)
}

/// The return value of an answer: its first blob, of 4 bytes.
pub fn returned(data: &[Vec<u8>]) -> Result<u32> {
    match data.first() {
        Some(first) if first.len() == 4 => Ok(get32(first, 0)),
        other => bail!("no return value: {other:x?}"),
    }
}
