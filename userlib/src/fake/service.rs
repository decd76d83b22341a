// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card's service: frames in, answers out.

use prost::Message;

use super::engine::Engine;
use super::images;
use super::memory::Memory;
use super::video::Video;
use crate::proto::axclrpc::{self, memory, native, runtime, system};

/// Runtime memory: no memory; illegal parameter.
const NO_MEMORY: u32 = 0x8030_0507;
const ILLEGAL: u32 = 0x8030_0503;

/// Id of the serving process on the card.
const CARD_PID: u32 = 1000;

#[derive(Default)]
pub(super) struct Service {
    pub(super) memory: Memory,
    /// `None`: the card gives none out.
    pub(super) log: Option<Vec<u8>>,
    engine: Engine,
    pub(super) video: Video,
}

impl Service {
    pub(super) fn failed_runs(&self) -> u64 {
        self.engine.failed_runs
    }

    /// Answers a frame; `None` if the frame makes no sense.
    pub(super) fn answer(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let (header, message) = frame.split_at_checked(28)?;
        let request = axclrpc::Request::decode(message).ok()?;
        request.tail?;
        let body = match request.body?.kind? {
            axclrpc::request_body::Kind::Runtime(runtime) => {
                let kind = self.runtime(runtime.body?.kind?)?;
                let body = Some(runtime::ResponseBody { kind: Some(kind) });
                axclrpc::response_body::Kind::Runtime(runtime::Response {
                    head: runtime.head,
                    body,
                })
            }
            axclrpc::request_body::Kind::Native(native) => {
                let kind = self.native(native.body?.kind?)?;
                let body = Some(native::ResponseBody { kind: Some(kind) });
                axclrpc::response_body::Kind::Native(native::Response {
                    head: native.head,
                    body,
                })
            }
        };
        let response = axclrpc::Response {
            head: request.head,
            body: Some(axclrpc::ResponseBody { kind: Some(body) }),
            tail: request.tail,
        };
        let mut answer = header.to_vec();
        response.encode(&mut answer).ok()?;
        Some(answer)
    }

    fn runtime(
        &mut self,
        request: runtime::request_body::Kind,
    ) -> Option<runtime::response_body::Kind> {
        use runtime::{request_body::Kind as Ask, response_body::Kind as Answer};
        Some(match request {
            Ask::System(request) => {
                let kind = match request.body?.kind? {
                    system::request_body::Kind::Latency(echo) => {
                        system::response_body::Kind::Latency(echo)
                    }
                    system::request_body::Kind::Log(request) => {
                        // The usual log is what the test has put there, if any; others are as long as asked for.
                        let content = match request.r#type {
                            0 => self.log.clone()?,
                            _ => b"a line\n".repeat(1 + request.flag as usize),
                        };
                        system::response_body::Kind::Log(system::LogResponse {
                            name: format!("fake_log{}.txt", request.r#type),
                            content,
                        })
                    }
                    system::request_body::Kind::Control(control) => {
                        system::response_body::Kind::Control(system::ControlResponse {
                            cmd: control.cmd,
                            pid: Some(CARD_PID),
                            tid: Some(CARD_PID),
                            context: control.context,
                            stream: control.stream,
                            status: Some(0),
                            ..Default::default()
                        })
                    }
                    _ => return None,
                };
                let body = Some(system::ResponseBody { kind: Some(kind) });
                Answer::System(system::Response {
                    head: request.head,
                    body,
                })
            }
            Ask::Memory(request) => {
                let api = memory::Api::try_from(request.head?.api).ok()?;
                let (status, addr) = self.memory_call(api, request.body?)?;
                let body = Some(memory::ResponseBody { status, addr });
                Answer::Memory(memory::Response {
                    head: request.head,
                    body,
                })
            }
            Ask::Engine(request) => {
                let body = self
                    .engine
                    .call(&mut self.memory, request.head?, request.body?);
                Answer::Engine(axclrpc::engine::Response {
                    head: request.head,
                    body: Some(body),
                })
            }
            _ => return None,
        })
    }

    fn memory_call(
        &mut self,
        api: memory::Api,
        body: memory::RequestBody,
    ) -> Option<(u32, Option<u64>)> {
        let size = body.size.unwrap_or(0) as usize;
        let pair = |memory: &mut Memory| {
            let from = memory.bytes(body.from?, size)?.to_vec();
            let to = memory.bytes(body.addr, size)?.to_vec();
            Some((from, to))
        };
        let done = |good: bool| Some((if good { 0 } else { ILLEGAL }, None));
        match api {
            memory::Api::Alloc => match self.memory.allocate(size as u64) {
                Some(address) => Some((0, Some(address))),
                None => Some((NO_MEMORY, None)),
            },
            memory::Api::Free => done(self.memory.free(body.addr)),
            memory::Api::Set => {
                let bytes = self.memory.bytes(body.addr, size);
                done(
                    bytes
                        .map(|bytes| bytes.fill(body.value.unwrap_or(0) as u8))
                        .is_some(),
                )
            }
            memory::Api::Sync => match pair(&mut self.memory) {
                Some((from, _)) => {
                    self.memory.bytes(body.addr, size)?.copy_from_slice(&from);
                    done(true)
                }
                None => done(false),
            },
            memory::Api::Cmp => match pair(&mut self.memory) {
                Some((from, to)) => Some((u32::from(from != to), None)),
                None => done(false),
            },
            _ => None,
        }
    }

    fn native(
        &mut self,
        request: native::request_body::Kind,
    ) -> Option<native::response_body::Kind> {
        use native::{request_body::Kind as Ask, response_body::Kind as Answer};
        Some(match request {
            Ask::Vdec(native::VdecRequest { api, data }) => {
                let data = self
                    .video
                    .decoder(&mut self.memory, api.try_into().ok()?, &data)?;
                Answer::Vdec(native::VdecResponse { api, data })
            }
            Ask::Venc(native::VencRequest { api, data }) => {
                let data = self
                    .video
                    .encoder(&mut self.memory, api.try_into().ok()?, &data)?;
                Answer::Venc(native::VencResponse { api, data })
            }
            Ask::Ivps(native::IvpsRequest { api, data }) => {
                let data = images::process(&mut self.memory, api.try_into().ok()?, &data)?;
                Answer::Ivps(native::IvpsResponse { api, data })
            }
            Ask::Sys(native::SysRequest { api, data }) => {
                let data = self
                    .video
                    .pools(&mut self.memory, api.try_into().ok()?, &data)?;
                Answer::Sys(native::SysResponse { api, data })
            }
            _ => return None,
        })
    }
}
