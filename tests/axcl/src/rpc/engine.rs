// SPDX-License-Identifier: MIT OR Apache-2.0

//! The engine service [rpc 6].

use anyhow::{bail, ensure, Context, Result};

use super::pb::axclrpc::{self, engine, runtime};
use super::{runtime_answer, Call};
use crate::wire::header;

pub use super::pb::axclrpc::engine::{
    ApiKind, Desc, IoDesc, IoMeta, Meta, RequestBody, ResponseBody,
};

/// The service's number.
const SERVICE: u8 = 2;

/// Any call of the service.
pub fn call(api: ApiKind, body: RequestBody) -> Call {
    let request = engine::Request {
        head: Some(engine::Head { api: api.into() }),
        body: Some(body),
    };
    Call::runtime(
        header::runtime(SERVICE, api as u8),
        runtime::Module::Engine,
        runtime::request_body::Kind::Engine(request),
    )
}

/// A call that names a model only.
pub fn of_model(api: ApiKind, handle: u64) -> Call {
    call(
        api,
        RequestBody {
            handle: Some(handle),
            ..Default::default()
        },
    )
}

/// The body of an answer, which must be that of `api`.
pub fn answer(api: ApiKind, body: axclrpc::ResponseBody) -> Result<ResponseBody> {
    let runtime::response_body::Kind::Engine(answer) =
        runtime_answer(body, runtime::Module::Engine)?
    else {
        bail!("no answer to an engine call");
    };
    let head = answer.head.context("an engine answer without head")?;
    ensure!(
        head.api() == api,
        "{:?} is answered as {:?}",
        api,
        head.api()
    );
    answer.body.context("an engine answer without body")
}
