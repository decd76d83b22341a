// SPDX-License-Identifier: MIT OR Apache-2.0

//! The client's calls, service by service.

use super::Client;
use crate::protocol::frames::{Header, CONTROL};
use crate::wire::{
    self, engine, memory, native, p2p, request_body, response_body, runtime, system, usrwork,
};

impl Client {
    fn runtime(
        &self,
        header: &Header,
        service: runtime::Module,
        kind: runtime::request_body::Kind,
    ) -> Vec<u8> {
        let request = runtime::Request {
            head: Some(runtime::Head {
                module: service.into(),
            }),
            body: Some(runtime::RequestBody { kind: Some(kind) }),
        };
        self.frame(
            header,
            wire::Module::Runtime,
            request_body::Kind::Runtime(request),
        )
    }

    pub(crate) fn system_frame(
        &self,
        header: &Header,
        module: system::Module,
        kind: system::request_body::Kind,
    ) -> Vec<u8> {
        let request = system::Request {
            head: Some(system::Head {
                module: module.into(),
            }),
            body: Some(system::RequestBody { kind: Some(kind) }),
        };
        let kind = runtime::request_body::Kind::System(request);
        self.runtime(header, runtime::Module::System, kind)
    }

    pub(crate) fn system_answer(&self, header: &Header) -> system::response_body::Kind {
        let response = self.answer(header).expect("an answer");
        let Some(response_body::Kind::Runtime(runtime)) = response.body.unwrap().kind else {
            panic!("not of the runtime");
        };
        let Some(runtime::response_body::Kind::System(system)) = runtime.body.unwrap().kind else {
            panic!("not of the system service");
        };
        system.body.unwrap().kind.unwrap()
    }

    pub(crate) fn system(
        &self,
        module: system::Module,
        kind: system::request_body::Kind,
    ) -> system::response_body::Kind {
        let header = self.header((module as u32) << 16, 0);
        self.send_frame(&self.system_frame(&header, module, kind));
        self.system_answer(&header)
    }

    /// Sends a control command; the header names its context and stream.
    pub(crate) fn send_control(&self, request: system::ControlRequest) -> Header {
        let mut header = self.header(CONTROL, request.cmd as u32);
        header.context = request.context.unwrap_or(header.context);
        header.stream = request.stream.unwrap_or(1);
        let kind = system::request_body::Kind::Control(request);
        self.send_frame(&self.system_frame(&header, system::Module::Control, kind));
        header
    }

    pub(crate) fn control_answer(&self, header: &Header) -> system::ControlResponse {
        match self.system_answer(header) {
            system::response_body::Kind::Control(answer) => answer,
            other => panic!("{other:?} to a control command"),
        }
    }

    pub(crate) fn control(&self, request: system::ControlRequest) -> system::ControlResponse {
        let header = self.send_control(request);
        self.control_answer(&header)
    }

    pub(crate) fn shell(&self, line: &str) -> (i32, String) {
        let answer = self.control(system::ControlRequest {
            cmd: system::Command::Shell.into(),
            shell: Some(system::ShellRequest {
                cmd: line.into(),
                args: vec![],
            }),
            ..Default::default()
        });
        assert_eq!(answer.status, Some(0));
        let shell = answer.shell.unwrap();
        (shell.status, shell.output)
    }

    pub(crate) fn memory_frame(
        &self,
        header: &Header,
        api: memory::Api,
        body: memory::RequestBody,
    ) -> Vec<u8> {
        let request = memory::Request {
            head: Some(memory::Head { api: api.into() }),
            body: Some(body),
        };
        let kind = runtime::request_body::Kind::Memory(request);
        self.runtime(header, runtime::Module::Memory, kind)
    }

    pub(crate) fn send_memory(
        &self,
        stream: u32,
        api: memory::Api,
        body: memory::RequestBody,
    ) -> Header {
        let mut header = self.header(0x100 | ((api as u32) << 16), 0);
        header.stream = stream;
        self.send_frame(&self.memory_frame(&header, api, body));
        header
    }

    pub(crate) fn memory_answer(&self, header: &Header) -> memory::ResponseBody {
        let response = self.answer(header).expect("an answer");
        let Some(response_body::Kind::Runtime(runtime)) = response.body.unwrap().kind else {
            panic!("not of the runtime");
        };
        let Some(runtime::response_body::Kind::Memory(memory)) = runtime.body.unwrap().kind else {
            panic!("not of the memory service");
        };
        memory.body.unwrap()
    }

    pub(crate) fn memory(
        &self,
        api: memory::Api,
        body: memory::RequestBody,
    ) -> memory::ResponseBody {
        let header = self.send_memory(1, api, body);
        self.memory_answer(&header)
    }

    pub(crate) fn alloc(&self, size: u32) -> Result<u64, u32> {
        let answer = self.memory(
            memory::Api::Alloc,
            memory::RequestBody {
                size: Some(size),
                cache_type: Some(0),
                policy: Some(2),
                ..Default::default()
            },
        );
        let addr = answer.addr.expect("an address, even if 0");
        if answer.status == 0 {
            Ok(addr)
        } else {
            Err(answer.status)
        }
    }

    pub(crate) fn free(&self, addr: u64) -> u32 {
        let body = memory::RequestBody {
            addr,
            ..Default::default()
        };
        self.memory(memory::Api::Free, body).status
    }

    pub(crate) fn send_engine(
        &self,
        stream: u32,
        api: engine::ApiKind,
        body: engine::RequestBody,
    ) -> Header {
        let mut header = self.header(0x200 | ((api as u32) << 16), 0);
        header.stream = stream;
        let request = engine::Request {
            head: Some(engine::Head { api: api.into() }),
            body: Some(body),
        };
        let kind = runtime::request_body::Kind::Engine(request);
        self.send_frame(&self.runtime(&header, runtime::Module::Engine, kind));
        header
    }

    pub(crate) fn engine_answer(&self, header: &Header) -> engine::ResponseBody {
        let response = self.answer(header).expect("an answer");
        let Some(response_body::Kind::Runtime(runtime)) = response.body.unwrap().kind else {
            panic!("not of the runtime");
        };
        let Some(runtime::response_body::Kind::Engine(engine)) = runtime.body.unwrap().kind else {
            panic!("not of the engine");
        };
        engine.body.unwrap()
    }

    pub(crate) fn engine(
        &self,
        api: engine::ApiKind,
        body: engine::RequestBody,
    ) -> engine::ResponseBody {
        let header = self.send_engine(1, api, body);
        self.engine_answer(&header)
    }

    /// The same without a body, which is empty in some calls.
    pub(crate) fn engine_without_body(&self, api: engine::ApiKind) -> engine::ResponseBody {
        let header = self.header(0x200 | ((api as u32) << 16), 0);
        let request = engine::Request {
            head: Some(engine::Head { api: api.into() }),
            body: None,
        };
        let kind = runtime::request_body::Kind::Engine(request);
        self.send_frame(&self.runtime(&header, runtime::Module::Engine, kind));
        self.engine_answer(&header)
    }

    /// A native call: module, api and blobs; the blobs of the answer.
    pub(crate) fn native(&self, module: u32, api: u32, data: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let header = self.header(1 | (module << 8) | (api << 16), 0);
        let request = crate::protocol::native::request(module, api, data);
        let kind = request_body::Kind::Native(request);
        self.send_frame(&self.frame(&header, wire::Module::Native, kind));
        let response = self.answer(&header).expect("an answer");
        let Some(response_body::Kind::Native(native)) = response.body.unwrap().kind else {
            panic!("not native");
        };
        assert_eq!(native.head.as_ref().unwrap().module, module as i32);
        let (of_module, of_api, blobs) = crate::protocol::native::blobs(native);
        assert_eq!(
            (of_module, of_api),
            (module, api),
            "an answer names its call"
        );
        blobs
    }

    pub(crate) fn send_vdec(&self, stream: u32, api: i32, data: Vec<Vec<u8>>) -> Header {
        let mut header = self.header(0x101 | ((api as u32) << 16), 0);
        header.stream = stream;
        let request = native::Request {
            head: Some(native::Head { module: 1 }),
            body: Some(native::RequestBody {
                kind: Some(native::request_body::Kind::Vdec(native::VdecRequest {
                    api,
                    data,
                })),
            }),
        };
        let kind = request_body::Kind::Native(request);
        self.send_frame(&self.frame(&header, wire::Module::Native, kind));
        header
    }

    pub(crate) fn vdec_answer(&self, header: &Header) -> native::VdecResponse {
        let response = self.answer(header).expect("an answer");
        let Some(response_body::Kind::Native(native)) = response.body.unwrap().kind else {
            panic!("not native");
        };
        assert_eq!(native.head.unwrap().module, 1);
        match native.body.unwrap().kind.unwrap() {
            native::response_body::Kind::Vdec(answer) => answer,
            other => panic!("{other:?} to a VDEC call"),
        }
    }

    /// A call about the user's files and programs.
    pub(crate) fn usrwork(
        &self,
        api: usrwork::Api,
        body: usrwork::RequestBody,
    ) -> usrwork::ResponseBody {
        let header = self.header(0x400 | ((api as u32) << 16), 0);
        let request = usrwork::Request {
            head: Some(usrwork::Head { api: api.into() }),
            body: Some(body),
        };
        let kind = runtime::request_body::Kind::Usrwork(request);
        self.send_frame(&self.runtime(&header, runtime::Module::Usrwork, kind));
        match self.runtime_answer(&header) {
            runtime::response_body::Kind::Usrwork(answer) => {
                assert_eq!(answer.head.unwrap().api, i32::from(api));
                answer.body.expect("a body")
            }
            other => panic!("{other:?} to a usrwork call"),
        }
    }

    /// A call about other cards.
    pub(crate) fn p2p(
        &self,
        api: p2p::Api,
        body: impl Into<Option<p2p::RequestBody>>,
    ) -> p2p::ResponseBody {
        let header = self.header(0x300 | ((api as u32) << 16), 0);
        let request = p2p::Request {
            head: Some(p2p::Head { api: api.into() }),
            body: body.into(),
        };
        let kind = runtime::request_body::Kind::P2p(request);
        self.send_frame(&self.runtime(&header, runtime::Module::P2p, kind));
        match self.runtime_answer(&header) {
            runtime::response_body::Kind::P2p(answer) => {
                assert_eq!(answer.head.unwrap().api, i32::from(api));
                answer.body.expect("a body")
            }
            other => panic!("{other:?} to a p2p call"),
        }
    }

    fn runtime_answer(&self, header: &Header) -> runtime::response_body::Kind {
        let response = self.answer(header).expect("an answer");
        match response.body.unwrap().kind {
            Some(response_body::Kind::Runtime(runtime)) => runtime.body.unwrap().kind.unwrap(),
            other => panic!("{other:?} is not of the runtime"),
        }
    }
}
