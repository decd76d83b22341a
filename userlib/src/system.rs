// SPDX-License-Identifier: MIT OR Apache-2.0

//! The system service: contexts, streams, events and the latency echo [rpc 4].

use std::time::Duration;

use crate::call::Call;
use crate::code::CardCode;
use crate::error::{Error, Result};
use crate::frame::Kind;
use crate::proto::axclrpc::system::{
    request_body, response_body, Command, ControlRequest, ControlResponse, Head, Latency, Module,
    Request, RequestBody, ResponseBody,
};
use crate::proto::axclrpc::{self, runtime};
use crate::session::Session;
use crate::stream::{Owned, Stream};
use crate::transport::Place;

/// Time for the calls that only book something on the card.
const SHORT: Duration = Duration::from_secs(10);

/// What the call that ends a stream is named in errors.
const END: &str = "end a stream";

/// How much longer than the card's own timeout a blocking call may take.
pub(crate) const MARGIN: Duration = Duration::from_secs(10);

impl Session {
    /// Makes a new context, with its default stream: for a thread whose calls may block.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card has no more contexts; [`Error::Driver`], [`Error::Job`].
    pub fn new_context(&self) -> Result<Stream> {
        let place = Place {
            context: self.next_context(),
            stream: 1,
        };
        let caller = Stream::borrowed(self.clone(), place);
        let answer = caller.control("create a context", control_create(place))?;
        self.note_card_process(answer.pid);
        Ok(Stream::owning(self.clone(), place, Owned::Context))
    }
}

fn control_create(place: Place) -> ControlRequest {
    let caller = crate::frame::Caller::now();
    ControlRequest {
        cmd: Command::CreateContext.into(),
        pid: Some(caller.pid),
        tid: Some(caller.tid),
        context: Some(place.context),
        stream: Some(place.stream),
        noresp: Some(0),
        ..Default::default()
    }
}

impl Stream {
    /// Makes a further stream in the same context.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card has no more streams; [`Error::Driver`], [`Error::Job`].
    pub fn new_stream(&self) -> Result<Stream> {
        let place = Place {
            stream: self.session().next_stream(),
            ..self.place()
        };
        self.control("create a stream", of_stream(Command::CreateStream, place))?;
        Ok(Stream::owning(self.session().clone(), place, Owned::Stream))
    }

    /// Waits until all that was queued on the stream is done.
    ///
    /// # Errors
    ///
    /// [`Error::Card`] when that takes longer than `timeout`.
    pub fn sync(&self, timeout: Duration) -> Result<()> {
        let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let request = ControlRequest {
            timeout: Some(millis),
            ..of_stream(Command::SyncStream, self.place())
        };
        self.control_for("wait for a stream", request, timeout.saturating_add(MARGIN))
            .map(drop)
    }

    /// Sends `data` to the card and back.
    ///
    /// # Errors
    ///
    /// [`Error::Answer`] if other bytes come back.
    pub fn echo(&self, data: &[u8], timeout: Option<Duration>) -> Result<()> {
        let call = self.echo_call(data);
        check_echo(self.call(call, timeout)?, data)
    }

    /// Makes the call of [`Stream::echo`], for jobs that have several.
    pub fn echo_call(&self, data: &[u8]) -> Call {
        let body = request_body::Kind::Latency(Latency {
            data: data.to_vec(),
        });
        self.prepare(
            "latency echo",
            Kind::LATENCY,
            0,
            request(Module::Latency, body),
        )
        .with_capacity(data.len() + 256)
    }

    /// Ends what the stream owns on the card.
    pub(crate) fn end(&self, owned: Owned, timeout: Duration) -> Result<()> {
        match owned {
            Owned::Nothing => Ok(()),
            owned => self
                .control_for(END, self.end_request(owned), timeout)
                .map(drop),
        }
    }

    /// Makes the call of [`Stream::end`].
    pub(crate) fn end_call(&self, owned: Owned) -> Call {
        self.control_call(END, self.end_request(owned))
    }

    fn end_request(&self, owned: Owned) -> ControlRequest {
        match owned {
            Owned::Nothing | Owned::Stream => of_stream(Command::DestroyStream, self.place()),
            Owned::Context => ControlRequest {
                cmd: Command::DestroyContext.into(),
                ..control_create(self.place())
            },
        }
    }

    fn control(&self, what: &str, request: ControlRequest) -> Result<ControlResponse> {
        self.control_for(what, request, SHORT)
    }

    fn control_call(&self, what: &str, control: ControlRequest) -> Call {
        let command = control.cmd;
        let body = request(Module::Control, request_body::Kind::Control(control));
        self.prepare(what, Kind::CONTROL, command as u32, body)
    }

    fn control_for(
        &self,
        what: &str,
        control: ControlRequest,
        timeout: Duration,
    ) -> Result<ControlResponse> {
        let command = control.cmd;
        let call = self.control_call(what, control);
        match system_answer(what, self.call(call, Some(timeout))?)? {
            response_body::Kind::Control(answer) if answer.cmd == command => match answer.status {
                None | Some(0) => Ok(answer),
                Some(status) => Err(Error::Card {
                    what: what.into(),
                    code: CardCode(status as u32),
                }),
            },
            other => Err(Error::answer(what, format!("of another call: {other:?}"))),
        }
    }
}

fn of_stream(command: Command, place: Place) -> ControlRequest {
    ControlRequest {
        cmd: command.into(),
        context: Some(place.context),
        stream: Some(place.stream),
        ..Default::default()
    }
}

/// Compares the answer of an echo with what was sent.
///
/// # Errors
///
/// [`Error::Answer`]: the answer differs from what was sent.
pub fn check_echo(answer: axclrpc::ResponseBody, data: &[u8]) -> Result<()> {
    let what = "latency echo";
    match system_answer(what, answer)? {
        response_body::Kind::Latency(echo) if echo.data == data => Ok(()),
        response_body::Kind::Latency(echo) => {
            let (sent, got) = (data.len(), echo.data.len());
            Err(Error::answer(
                what,
                format!("{got} bytes that differ from the {sent} sent"),
            ))
        }
        other => Err(Error::answer(what, format!("of another call: {other:?}"))),
    }
}

pub(crate) fn request(module: Module, body: request_body::Kind) -> axclrpc::RequestBody {
    let system = Request {
        head: Some(Head {
            module: module.into(),
        }),
        body: Some(RequestBody { kind: Some(body) }),
    };
    runtime_request(
        runtime::Module::System,
        runtime::request_body::Kind::System(system),
    )
}

pub(crate) fn system_answer(
    what: &str,
    answer: axclrpc::ResponseBody,
) -> Result<response_body::Kind> {
    match runtime_answer(answer) {
        Some(runtime::response_body::Kind::System(axclrpc::system::Response {
            body: Some(ResponseBody { kind: Some(kind) }),
            ..
        })) => Ok(kind),
        other => Err(Error::answer(
            what,
            format!("not of the system service: {other:?}"),
        )),
    }
}

/// Wraps a request of one of the runtime services.
pub(crate) fn runtime_request(
    module: runtime::Module,
    kind: runtime::request_body::Kind,
) -> axclrpc::RequestBody {
    let runtime = runtime::Request {
        head: Some(runtime::Head {
            module: module.into(),
        }),
        body: Some(runtime::RequestBody { kind: Some(kind) }),
    };
    axclrpc::RequestBody {
        kind: Some(axclrpc::request_body::Kind::Runtime(runtime)),
    }
}

/// Unwraps the answer of one of the runtime services.
pub(crate) fn runtime_answer(
    answer: axclrpc::ResponseBody,
) -> Option<runtime::response_body::Kind> {
    match answer.kind? {
        axclrpc::response_body::Kind::Runtime(runtime) => runtime.body?.kind,
        axclrpc::response_body::Kind::Native(_) => None,
    }
}
