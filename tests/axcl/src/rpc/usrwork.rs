// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files and programs of the user [rpc 8.2].

use anyhow::{bail, ensure, Context, Result};

use super::pb::axclrpc::{self, runtime, usrwork};
use super::{runtime_answer, Call};
use crate::wire::header;

pub use super::pb::axclrpc::usrwork::{Api, FileTransferPolicy, RequestBody, ResponseBody};

/// The service's number.
const SERVICE: u8 = 4;

/// Any call of the service.
pub fn call(api: Api, body: RequestBody) -> Call {
    let request = usrwork::Request {
        head: Some(usrwork::Head { api: api.into() }),
        body: Some(body),
    };
    Call::runtime(
        header::runtime(SERVICE, api as u8),
        runtime::Module::Usrwork,
        runtime::request_body::Kind::Usrwork(request),
    )
}

/// The body of an answer, which must be that of `api`.
pub fn answer(api: Api, body: axclrpc::ResponseBody) -> Result<ResponseBody> {
    let runtime::response_body::Kind::Usrwork(answer) =
        runtime_answer(body, runtime::Module::Usrwork)?
    else {
        bail!("no answer to a call about user programs");
    };
    let head = answer.head.context("an answer without head")?;
    ensure!(head.api() == api, "{api:?} is answered as {:?}", head.api());
    answer.body.context("an answer without body")
}
