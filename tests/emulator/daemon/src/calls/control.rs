// SPDX-License-Identifier: MIT OR Apache-2.0

//! Control commands that are about the queues themselves: contexts, streams, events [rpc 4.1].
//! They run in the session's main thread, so a blocked stream cannot hold them up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::process::Process;
use crate::ports::answers::From;
use crate::protocol::errors::{code, About, Refusal, Why};
use crate::protocol::frames::{Answer, Header};
use crate::protocol::request::{Body, Request};
use crate::queues::events::Record;
use crate::queues::streams::{Stream, Work};
use crate::wire::system::{request_body, Command, ControlRequest, ControlResponse};
use crate::wire::Head;

/// A command that waits for its answer.
#[derive(Clone)]
struct Asked {
    process: Arc<Process>,
    header: Header,
    head: Head,
    request: ControlRequest,
}

impl Asked {
    /// Answers with `status` and the fields that the host's request has.
    fn answer(&self, status: u32, extra: ControlResponse, from: From) {
        if self.request.noresp.unwrap_or(0) != 0 {
            return;
        }
        let request = &self.request;
        let response = ControlResponse {
            cmd: request.cmd,
            context: request.context,
            stream: request.stream,
            event: request.event,
            status: Some(status as i32),
            ..extra
        };
        let answer = Answer::control(response);
        self.process
            .ports
            .answer(&self.header, Some(&self.head), answer, from);
    }

    fn result(&self, result: Result<(), u32>) {
        let status = result.err().unwrap_or(0);
        if status != 0 {
            let text = format!("command {} refused with {status:#x}", self.request.cmd);
            let session = &self.process.session;
            session.note(log::Level::Warn, &text);
            session.card.link.count("control.refused", 1);
        }
        self.answer(status, ControlResponse::default(), From::Main);
    }
}

/// A command that is answered by whoever comes first, its stream or the timer; the other finds none.
#[derive(Clone)]
struct Question(Arc<Mutex<Option<Asked>>>);

impl Question {
    fn new(asked: &Asked) -> Self {
        Self(Arc::new(Mutex::new(Some(asked.clone()))))
    }

    fn take(&self) -> Option<Asked> {
        self.0.lock().take()
    }
}

/// Runs a control command; says whether it has its place in a stream and is to be queued instead.
pub(super) fn command(process: &Arc<Process>, header: &Header, request: Request) -> bool {
    let refuse = |why, text: &str| {
        process.ports.refuse(header, Refusal::Own(why), text);
        false
    };
    let Body::System(request_body::Kind::Control(control)) = request.body else {
        return refuse(Why::Decode, "no control body");
    };
    if control.cmd as u32 != header.command {
        let text = format!(
            "command {} under a header with command {}",
            control.cmd, header.command
        );
        return refuse(Why::IllegalParameter, &text);
    }
    let session = &process.session;
    let context = control.context.unwrap_or(header.context);
    let stream = control.stream.unwrap_or(header.stream);
    let event = control.event.unwrap_or(0);
    let patience = control.timeout.and_then(patience);
    let Ok(cmd) = Command::try_from(control.cmd) else {
        session.card.unknown(&format!("control.{}", control.cmd));
        return refuse(Why::Unsupported, "unknown command");
    };
    let asked = Asked {
        process: process.clone(),
        header: *header,
        head: request.head,
        request: control,
    };
    if !matches!(cmd, Command::Shell | Command::SetupPcieSubId) {
        session
            .card
            .called(format!("control.{}", cmd.as_str_name()).into());
    }
    let contexts = &process.contexts;
    match cmd {
        Command::CreateContext => create_context(&asked, context),
        Command::DestroyContext => destroy_context(&asked, context),
        Command::CreateStream => {
            asked.result(contexts.create_stream(session, context, stream).map(drop))
        }
        Command::DestroyStream => match contexts.take_stream(context, stream) {
            Ok(stream) => finish(vec![stream], &asked, ControlResponse::default()),
            Err(status) => asked.result(Err(status)),
        },
        Command::SyncStream => match contexts.stream(context, stream) {
            Ok(stream) => sync(&asked, &stream, patience),
            Err(status) => asked.result(Err(status)),
        },
        Command::CreateEvent => asked.result(contexts.create_event(context, event)),
        Command::DestroyEvent => asked.result(contexts.destroy_event(context, event)),
        Command::RecordEvent | Command::WaitEvent => {
            let queued = contexts.stream(context, stream).and_then(|stream| {
                let event = contexts.event(context, event)?;
                let work = if cmd == Command::RecordEvent {
                    Work::Record(Record::new(event))
                } else {
                    let mark = event.mark();
                    // A wait of no time at all would be none, so 0 is as good as no limit.
                    Work::Wait(event, mark, patience.filter(|time| !time.is_zero()))
                };
                let full = code(About::Stream, Why::NoMemory);
                stream.put(work).map_err(|_| full)
            });
            asked.result(queued);
        }
        Command::Shell | Command::SetupPcieSubId => return true,
    }
    false
}

/// Times of the protocol are milliseconds; negative ones are for ever.
fn patience(millis: i32) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}

fn create_context(asked: &Asked, context: u32) {
    match asked
        .process
        .contexts
        .create_context(&asked.process.session, context)
    {
        Ok(tid) => {
            let extra = ControlResponse {
                pid: Some(asked.process.session.card_pid),
                tid: Some(tid),
                ..Default::default()
            };
            asked.answer(0, extra, From::Main);
        }
        Err(status) => asked.result(Err(status)),
    }
}

/// How long a host that destroys a context or a stream is kept waiting for a call in it that blocks.
const END_PATIENCE: Duration = Duration::from_secs(3);

fn destroy_context(asked: &Asked, context: u32) {
    match asked.process.contexts.take_context(context) {
        Ok(streams) => {
            let extra = ControlResponse {
                pid: Some(asked.process.session.card_pid),
                tid: Some(asked.process.session.card_pid),
                ..Default::default()
            };
            finish(streams, asked, extra);
        }
        Err(status) => asked.result(Err(status)),
    }
}

/// Ends streams after what they have been given, and answers then, or when the host has waited long
/// enough: a thread of the host that is blocked in a call must not keep its process from ending.  What
/// has not begun until then is dropped, since the host may have freed what it is about.
fn finish(streams: Vec<Arc<Stream>>, asked: &Asked, extra: ControlResponse) {
    let question = Question::new(asked);
    let left = Arc::new(AtomicUsize::new(streams.len()));
    for stream in &streams {
        let (question, left, extra) = (question.clone(), left.clone(), extra.clone());
        let at_its_end = move || {
            if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                if let Some(asked) = question.take() {
                    asked.answer(0, extra, From::Stream);
                }
            }
        };
        end(stream, Box::new(at_its_end));
    }
    asked
        .process
        .session
        .card
        .timer
        .after(END_PATIENCE, move || {
            if let Some(asked) = question.take() {
                streams.iter().for_each(|stream| stream.close());
                asked
                    .process
                    .session
                    .card
                    .link
                    .count("control.ended_late", 1);
                asked.answer(0, extra, From::Main);
            }
        });
}

/// Ends a stream after what is queued, or at once if it is full.
fn end(stream: &Stream, job: Box<dyn FnOnce() + Send>) {
    if let Err(Work::Last(job)) = stream.put(Work::Last(job)) {
        stream.close();
        job();
    }
}

/// Answers when the stream has done everything queued so far, or when time is up.
fn sync(asked: &Asked, stream: &Stream, patience: Option<Duration>) {
    if patience == Some(Duration::ZERO) {
        let late = Err(code(About::Stream, Why::Timeout));
        return asked.result(if stream.idle() { Ok(()) } else { late });
    }
    let question = Question::new(asked);
    let in_time = {
        let question = question.clone();
        Box::new(move || {
            if let Some(asked) = question.take() {
                asked.answer(0, ControlResponse::default(), From::Stream);
            }
        })
    };
    if stream.put(Work::Then(in_time)).is_err() {
        return asked.result(Err(code(About::Stream, Why::NoMemory)));
    }
    if let Some(patience) = patience {
        asked.process.session.card.timer.after(patience, move || {
            if let Some(asked) = question.take() {
                asked.result(Err(code(About::Stream, Why::Timeout)));
            }
        });
    }
}
