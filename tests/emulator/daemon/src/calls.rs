// SPDX-License-Identifier: MIT OR Apache-2.0

//! The way of a request frame: P2, its stream, its service, and the answer.

use std::borrow::Cow;
use std::sync::Arc;

use prost::Message;

use crate::control;
use crate::engine::Prepared;
use crate::errors::{code, About, Refusal, Why};
use crate::frames::{frame, Answer, Header, CONTROL, INLINE, RUN_MODEL};
use crate::session::Session;
use crate::streams::Work;
use crate::switches;
use crate::wire::{self, request_body, runtime};
use crate::{engine, memory, native, p2p, system, usrwork};

/// Who sends an answer: that decides how a delay is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// A stream's thread, which may sleep.
    Stream,
    /// The session's main thread, which may not.
    Main,
}

/// Whose call it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    /// The frame's header.
    pub(crate) header: &'a Header,
    /// The head of the request.
    pub(crate) head: &'a wire::Head,
}

impl Session {
    /// Writes to the card's log why a call is refused, in the form that docs/emulator.md gives: the host,
    /// which the protocol tells a number only, finds its own call by what it knows of it.
    pub(crate) fn explain(&self, caller: &Caller<'_>, name: &str, status: u32, why: &str) {
        let env = caller.head.env.unwrap_or_default();
        let Header {
            context,
            stream,
            sequence,
            ..
        } = caller.header;
        let text = format!(
            "pid {} tid {} context {context} stream {stream} call {sequence}: {name} refused with {status:#010x}: {why}",
            env.pid, env.tid
        );
        self.note(log::Level::Error, &text);
    }

    /// The loop of the main thread: takes frames and hands them to their streams.
    pub(crate) fn serve_p2(self: &Arc<Self>) {
        while let Ok(frame) = self.p2.take(None) {
            self.frame(frame);
        }
    }

    fn frame(self: &Arc<Self>, frame: Vec<u8>) {
        let link = &self.card.link;
        link.count("rpc.calls", 1);
        let Some(header) = Header::parse(&frame) else {
            self.refused(
                "rpc.malformed",
                &format!("a frame of {} bytes", frame.len()),
            );
            return;
        };
        if self.synced.lock().is_none() {
            self.refused("rpc.before_handshake", &format!("call {:#x}", header.kind));
            return;
        }
        if header.kind == CONTROL {
            match decode(&header, &frame) {
                Ok(request) => control::command(self, &header, request, frame),
                Err(why) => self.refuse(&header, Refusal::Own(Why::Decode), &why),
            }
            return;
        }
        self.queue(&header, frame);
    }

    /// The run that a frame asks for: the memory that it is to use is in use from now on.
    fn run_of(&self, header: &Header, frame: &[u8]) -> Option<Box<Prepared>> {
        if header.kind != RUN_MODEL {
            return None;
        }
        match decode(header, frame).ok()?.body {
            Body::Engine(api, body) => engine::arrived(self, api, &body).map(Box::new),
            _ => None,
        }
    }

    /// Gives a frame to the stream that its header names.
    pub(crate) fn queue(self: &Arc<Self>, header: &Header, frame: Vec<u8>) {
        let (why, status, frame) = match self.contexts.stream(header.context, header.stream) {
            Ok(stream) => match stream.put(Work::Call(*header, self.run_of(header, &frame), frame))
            {
                Err(Work::Call(.., frame)) if !self.ended.is_raised() => {
                    let full = code(About::Stream, Why::NoMemory);
                    ("the stream is full", full, frame)
                }
                _ => return,
            },
            Err(status) => ("no such context or stream", status, frame),
        };
        let (context, stream) = (header.context, header.stream);
        let text = format!("{why} (context {context}, stream {stream})");
        if decode(header, &frame).is_ok_and(|request| request.body.silent()) {
            return self.refused("rpc.refused", &text);
        }
        self.refuse(header, Refusal::Number(status), &text);
    }

    /// Runs a call, in its stream's thread.  A bug that panics there costs the caller an error, not
    /// the stream.
    pub(crate) fn call_safely(
        self: &Arc<Self>,
        header: &Header,
        run: Option<Box<Prepared>>,
        frame: &[u8],
    ) {
        let call = std::panic::AssertUnwindSafe(|| self.call(header, run, frame));
        if std::panic::catch_unwind(call).is_err() {
            self.card.link.count("rpc.panics", 1);
            self.refuse(
                header,
                Refusal::Own(Why::ExecuteFailed),
                "the call panicked",
            );
        }
    }

    fn call(self: &Arc<Self>, header: &Header, run: Option<Box<Prepared>>, frame: &[u8]) {
        let busy = self.card.cpu.thread();
        let request = match decode(header, frame) {
            Ok(request) => request,
            Err(why) => return self.refuse(header, Refusal::Own(Why::Decode), &why),
        };
        self.card.called(request.body.name());
        let caller = Caller {
            header,
            head: &request.head,
        };
        let answer = match request.body {
            Body::System(body) => system::call(self, header, body),
            Body::Memory(api, body) => memory::call(self, &caller, api, body),
            Body::Engine(api, body) => engine::call(self, &caller, api, body, run.map(|run| *run)),
            Body::Native(module, api, args) => native::call(self, &caller, module, api, &args),
            Body::P2p(api, body) => Some(p2p::call(self, api, body)),
            Body::UsrWork(api, body) => Some(usrwork::call(self, &caller, api, body)),
        };
        drop(busy);
        if let Some(answer) = answer {
            self.answer(header, Some(&request.head), answer, From::Stream);
        }
    }

    /// Sends an answer, or what the switches make of it.
    pub(crate) fn answer(
        self: &Arc<Self>,
        header: &Header,
        head: Option<&wire::Head>,
        answer: Answer,
        from: From,
    ) {
        let link = &*self.card.link;
        let mut header = *header;
        let fires = |name| self.card.switches.fires(link, name);
        if fires("rpc.drop") {
            link.count("rpc.dropped", 1);
            return;
        }
        if fires("rpc.wrong_sequence") {
            header.sequence = header.sequence.wrapping_add(1);
        }
        let frame = frame(&header, head, answer);
        let times = if fires("rpc.duplicate") { 2 } else { 1 };
        let delay = switches::delay(link, "rpc.delay_ms");
        // The main thread must wait neither for a delay nor for the host to take a long answer.
        if from == From::Main && (delay.is_some() || frame.len() > INLINE) {
            let _ = self.spawn("late", move |session| {
                if !session.ended.sleep(delay.unwrap_or_default()) {
                    session.send_times(&frame, times);
                }
            });
            return;
        }
        if delay.is_some_and(|time| self.ended.sleep(time)) {
            return;
        }
        self.send_times(&frame, times);
    }

    fn send_times(&self, frame: &[u8], times: u32) {
        for _ in 0..times {
            self.send_frame(frame);
        }
        self.card.link.count("rpc.answers", 1);
    }

    /// Refuses a call that never gets to its service.
    pub(crate) fn refuse(self: &Arc<Self>, header: &Header, status: Refusal, text: &str) {
        self.refused(
            "rpc.refused",
            &format!(
                "call {} of type {:#x}: {text}",
                header.sequence, header.kind
            ),
        );
        if let Some(answer) = Answer::refusal(header, status) {
            self.answer(header, None, answer, From::Main);
        }
    }

    fn refused(&self, counter: &str, text: &str) {
        self.card.link.count(counter, 1);
        self.note(log::Level::Warn, text);
    }
}

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
    fn silent(&self) -> bool {
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
