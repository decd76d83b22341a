// SPDX-License-Identifier: MIT OR Apache-2.0

//! Calls: request frames on their way to the card.

use std::time::Duration;

use crate::error::Result;
use crate::frame::{self, Caller, Header, Kind};
use crate::proto::axclrpc::{RequestBody, ResponseBody};
use crate::session::Stream;

/// Room for an answer unless the call says otherwise; most are far below 200 bytes.
const DEFAULT_CAPACITY: usize = 4096;

/// A request frame, made by [`Stream::prepare`], to be run as (a part of) a job once.
#[derive(Debug)]
pub struct Call {
    what: String,
    header: Header,
    frame: Vec<u8>,
    capacity: usize,
    answered: bool,
}

impl Call {
    /// Makes room for an answer of up to `bytes`, header included; a longer one fails the call.
    pub fn with_capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// The request tells the card not to answer (`noresp` in its body).
    pub fn without_answer(mut self) -> Self {
        self.answered = false;
        self
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) fn frame(&self) -> &[u8] {
        &self.frame
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.answered
    }
}

impl Stream {
    /// Makes a request frame for this stream: a raw call, for what this library does not wrap.
    ///
    /// `what` names the call in errors.  `command` is the command number of a system control call, else 0.
    pub fn prepare(
        &self,
        what: impl Into<String>,
        kind: Kind,
        command: u32,
        body: RequestBody,
    ) -> Call {
        let header = Header {
            kind,
            sequence: self.session().next_sequence(),
            card: self.session().card_id(),
            place: self.place(),
            command,
        };
        let frame = frame::request(header, Caller::now(), body);
        Call {
            what: what.into(),
            header,
            frame,
            capacity: DEFAULT_CAPACITY,
            answered: true,
        }
    }

    /// Runs one call and gives its answer.
    pub fn call(&self, call: Call, timeout: Option<Duration>) -> Result<ResponseBody> {
        let mut job = self.job().then(call);
        if let Some(timeout) = timeout {
            job = job.timeout(timeout);
        }
        job.run()?.answer(0)
    }
}
