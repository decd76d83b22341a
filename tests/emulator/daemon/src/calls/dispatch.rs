// SPDX-License-Identifier: MIT OR Apache-2.0

//! The way of a request frame: P2, its stream, its service, and the answer.

use std::sync::Arc;

use super::control;
use super::process::Process;
use crate::machine::card::Card;
use crate::ports::answers::From;
use crate::ports::session::{Caller, Request};
use crate::protocol::errors::{code, About, Refusal, Why};
use crate::protocol::frames::{Header, CONTROL, RUN_MODEL};
use crate::protocol::request::{decode, Body};
use crate::queues::streams::{Call, Work};
use crate::services::engine::calls as engine;
use crate::services::engine::run::Prepared;
use crate::services::{memory, native, p2p, system, usrwork};

/// Makes the process of a session and starts its threads.
pub(crate) fn start(card: Arc<Card>, request: Request) -> Result<Arc<Process>, String> {
    let process = Arc::new(Process::new(card, request)?);
    let session = &process.session;
    let (p0, p2) = (process.ports.clone(), process.clone());
    let started = session
        .spawn("p0", move || p0.serve_p0())
        .and_then(|()| session.spawn("p2", move || serve_p2(&p2)));
    if let Err(error) = started {
        process.end();
        return Err(format!("no thread: {error}"));
    }
    session.card.link.count("sessions.opened", 1);
    Ok(process)
}

/// The loop of the main thread: takes frames and hands them to their streams.
fn serve_p2(process: &Arc<Process>) {
    while let Ok(frame) = process.ports.p2.take(None) {
        take(process, frame);
    }
}

fn take(process: &Arc<Process>, frame: Vec<u8>) {
    let ports = &process.ports;
    process.session.card.link.count("rpc.calls", 1);
    let Some(header) = Header::parse(&frame) else {
        let text = format!("a frame of {} bytes", frame.len());
        return ports.refused("rpc.malformed", &text);
    };
    if !ports.is_synced() {
        return ports.refused("rpc.before_handshake", &format!("call {:#x}", header.kind));
    }
    if header.kind == CONTROL {
        let in_turn = match decode(&header, &frame) {
            Ok(request) => control::command(process, &header, request),
            Err(why) => return ports.refuse(&header, Refusal::Own(Why::Decode), &why),
        };
        if !in_turn {
            return;
        }
    }
    queue(process, Queued::new(process, header, frame));
}

/// Gives a call to the stream that its header names.
fn queue(process: &Process, mut call: Box<Queued>) {
    let Header {
        context, stream, ..
    } = call.header;
    match process.contexts.stream(context, stream) {
        Ok(stream) => {
            call.run = call.find_run();
            if let Err(Work::Call(call)) = stream.put(Work::Call(call)) {
                if !process.session.ended.is_raised() {
                    let full = code(About::Stream, Why::NoMemory);
                    call.refuse("the stream is full", full);
                }
            }
        }
        Err(status) => call.refuse("no such context or stream", status),
    }
}

/// A call on its way through a stream.
struct Queued {
    process: Arc<Process>,
    header: Header,
    /// What a run of a model was found to need: that memory is in use from its arrival on.
    run: Option<Box<Prepared>>,
    frame: Vec<u8>,
}

impl Call for Queued {
    /// Runs the call, in its stream's thread.  A bug that panics there costs the caller an error, not
    /// the stream.
    fn run(self: Box<Self>) {
        let (process, header) = (self.process.clone(), self.header);
        let call = std::panic::AssertUnwindSafe(|| self.call());
        if std::panic::catch_unwind(call).is_err() {
            process.session.card.link.count("rpc.panics", 1);
            process.ports.refuse(
                &header,
                Refusal::Own(Why::ExecuteFailed),
                "the call panicked",
            );
        }
    }

    fn refuse(self: Box<Self>, why: &str, status: u32) {
        let (header, ports) = (&self.header, &self.process.ports);
        let (context, stream) = (header.context, header.stream);
        let text = format!("{why} (context {context}, stream {stream})");
        if decode(header, &self.frame).is_ok_and(|request| request.body.silent()) {
            return ports.refused("rpc.refused", &text);
        }
        ports.refuse(header, Refusal::Number(status), &text);
    }
}

impl Queued {
    fn new(process: &Arc<Process>, header: Header, frame: Vec<u8>) -> Box<Self> {
        Box::new(Self {
            process: process.clone(),
            header,
            run: None,
            frame,
        })
    }

    /// The run that the frame asks for, if it asks for one.
    fn find_run(&self) -> Option<Box<Prepared>> {
        if self.header.kind != RUN_MODEL {
            return None;
        }
        let process = &*self.process;
        match decode(&self.header, &self.frame).ok()?.body {
            Body::Engine(api, body) => {
                engine::arrived(&process.session, &process.engine, api, &body).map(Box::new)
            }
            _ => None,
        }
    }

    fn call(self) {
        let Self {
            process,
            header,
            run,
            frame,
        } = self;
        let (session, ports) = (&process.session, &process.ports);
        let busy = session.card.cpu.thread();
        let request = match decode(&header, &frame) {
            Ok(request) => request,
            Err(why) => return ports.refuse(&header, Refusal::Own(Why::Decode), &why),
        };
        session.card.called(request.body.name());
        let caller = &Caller {
            header: &header,
            head: &request.head,
        };
        let answer = match request.body {
            Body::System(body) => system::call(session, &header, body),
            Body::Memory(api, body) => memory::call(ports, caller, api, body),
            Body::Engine(api, body) => {
                let run = run.map(|run| *run);
                engine::call(session, &process.engine, caller, api, body, run)
            }
            Body::Native(module, api, args) => {
                native::call(session, &process.native_engine, caller, module, api, &args)
            }
            Body::P2p(api, body) => Some(p2p::call(session, &process.peers, api, body)),
            Body::UsrWork(api, body) => {
                Some(usrwork::call(session, &process.workers, caller, api, body))
            }
        };
        drop(busy);
        if let Some(answer) = answer {
            ports.answer(&header, Some(&request.head), answer, From::Stream);
        }
    }
}
