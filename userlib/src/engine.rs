// SPDX-License-Identifier: MIT OR Apache-2.0

//! Calls of the engine service [rpc 6].

use crate::call::Call;
use crate::code::CardCode;
use crate::error::{Error, Result};
use crate::frame::Kind;
use crate::proto::axclrpc::engine::{ApiKind, Head, NpuKind, Request, RequestBody, ResponseBody};
use crate::proto::axclrpc::{self, runtime};
use crate::service::Service;
use crate::stream::Stream;
use crate::system::{runtime_answer, runtime_request};

impl Stream {
    /// Starts the session's engine unless it was.
    pub(crate) fn start_engine(&self) -> Result<()> {
        self.session().services().start(Service::Engine, || {
            let body = RequestBody {
                npu_type: Some(NpuKind::Disable.into()),
                ..Default::default()
            };
            self.engine("start the engine", ApiKind::InitNpu, body)
                .map(drop)
        })
    }

    pub(crate) fn engine_call(&self, what: &str, api: ApiKind, body: RequestBody) -> Call {
        let engine = Request {
            head: Some(Head { api: api.into() }),
            body: Some(body),
        };
        let kind = runtime::request_body::Kind::Engine(engine);
        let body = runtime_request(runtime::Module::Engine, kind);
        self.prepare(what, Kind::engine(api.into()), 0, body)
    }

    pub(crate) fn engine(
        &self,
        what: &str,
        api: ApiKind,
        body: RequestBody,
    ) -> Result<ResponseBody> {
        let call = self.engine_call(what, api, body);
        engine_answer(what, api, self.call(call, None)?)
    }
}

/// Takes the engine's answer out of `answer`.
pub(crate) fn engine_answer(
    what: &str,
    api: ApiKind,
    answer: axclrpc::ResponseBody,
) -> Result<ResponseBody> {
    match runtime_answer(answer) {
        Some(runtime::response_body::Kind::Engine(axclrpc::engine::Response {
            head: Some(head),
            body: Some(body),
        })) if head.api == i32::from(api) => match body.status {
            0 => Ok(body),
            status => Err(Error::Card {
                what: what.into(),
                code: CardCode(status as u32),
            }),
        },
        other => Err(Error::answer(
            what,
            format!("not of this engine call: {other:?}"),
        )),
    }
}
