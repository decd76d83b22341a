// SPDX-License-Identifier: MIT OR Apache-2.0

//! The log of the card's service [rpc 4.3].

use std::time::Duration;

use crate::error::{Error, Result};
use crate::frame::Kind;
use crate::proto::axclrpc::system::{request_body, response_body, LogRequest, Module};
use crate::stream::Stream;
use crate::system::{request, system_answer};

/// Room for an answer; longer logs are asked for again.
const CAPACITY: u32 = 256 << 10;

/// A log as the card gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardLog {
    /// The file name that the card proposes.  Not to be trusted: it may have slashes.
    pub name: String,
    /// The log; mostly text.
    pub content: Vec<u8>,
}

impl Stream {
    /// Fetches the log of the card's service.  The numbers `kind` and `flag` are handed to the card as they are; what
    /// it makes of them is its own business.
    ///
    /// # Errors
    ///
    /// [`Error::Job`] with EMSGSIZE if the log is longer than an answer may be.
    pub fn fetch_log(&self, kind: u32, flag: u32) -> Result<CardLog> {
        self.fetch_log_within(kind, flag, None)
    }

    /// Fetches the log with another time limit for each call than the session's.
    pub(crate) fn fetch_log_within(
        &self,
        kind: u32,
        flag: u32,
        timeout: Option<Duration>,
    ) -> Result<CardLog> {
        let what = "fetch the log";
        let most = self.session().limits().max_frame_bytes;
        let mut capacity = CAPACITY.min(most);
        loop {
            let log = LogRequest { r#type: kind, flag };
            let body = request(Module::Log, request_body::Kind::Log(log));
            let call = self
                .prepare(what, Kind::LOG, 0, body)
                .with_capacity(capacity as usize);
            match self.call(call, timeout) {
                Err(Error::Job { errno, .. })
                    if errno == nix::errno::Errno::EMSGSIZE && capacity < most =>
                {
                    capacity = capacity.saturating_mul(8).min(most);
                }
                answer => {
                    return match system_answer(what, answer?)? {
                        response_body::Kind::Log(log) => Ok(CardLog {
                            name: log.name,
                            content: log.content,
                        }),
                        other => Err(Error::answer(what, format!("of another call: {other:?}"))),
                    }
                }
            }
        }
    }
}
