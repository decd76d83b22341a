// SPDX-License-Identifier: MIT OR Apache-2.0

//! Calls: request frames on their way to the card.

use std::sync::Arc;
use std::time::Duration;

use crate::cleanup::Keep;
use crate::error::Result;
use crate::frame::{self, Caller, Header, Kind};
use crate::proto::axclrpc::{RequestBody, ResponseBody};
use crate::stream::{Lane, Stream};

/// Room for an answer unless the call says otherwise; most are far below 200 bytes.
const DEFAULT_CAPACITY: usize = 4096;

/// A request frame, made by [`Stream::prepare`], to be run as (a part of) a job once.
///
/// It belongs to the stream that prepared it, in whichever job of the session it is.
pub struct Call {
    what: String,
    lane: Arc<Lane>,
    keeps: Vec<Keep>,
    header: Header,
    frame: Vec<u8>,
    capacity: usize,
    answered: bool,
}

impl Call {
    /// Makes room for an answer of up to `bytes`, header included; a longer one fails the call.  More than the driver's
    /// longest frame is refused when the job is submitted.
    pub fn with_capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// Marks a request that tells the card not to answer (`noresp` in its body).
    pub fn without_answer(mut self) -> Self {
        self.answered = false;
        self
    }

    pub(crate) fn keeping(mut self, thing: Keep) -> Self {
        self.keeps.push(thing);
        self
    }

    /// Returns what has to stay until the call has been carried out.
    pub(crate) fn into_keeps(self) -> Vec<Keep> {
        let Self {
            mut keeps, lane, ..
        } = self;
        keeps.push(lane);
        keeps
    }

    pub(crate) fn lane(&self) -> &Arc<Lane> {
        &self.lane
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

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("what", &self.what)
            .field("header", &self.header)
            .field("bytes", &self.frame.len())
            .finish_non_exhaustive()
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
            lane: self.lane().clone(),
            keeps: Vec::new(),
            header,
            frame,
            capacity: DEFAULT_CAPACITY,
            answered: true,
        }
    }

    /// Runs one call and returns the card's answer.
    ///
    /// # Errors
    ///
    /// Those of [`Job::run`](crate::Job::run).
    pub fn call(&self, call: Call, timeout: Option<Duration>) -> Result<ResponseBody> {
        let mut job = self.job().then(call);
        if let Some(timeout) = timeout {
            job = job.timeout(timeout);
        }
        job.run()?.answer(0)
    }
}
