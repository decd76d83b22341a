// SPDX-License-Identifier: MIT OR Apache-2.0

//! Answers on their way to the host, or what the fault switches make of them.

use std::sync::Arc;

use super::group::Ports;
use crate::machine::switches;
use crate::protocol::errors::Refusal;
use crate::protocol::frames::{frame, Answer, Header, INLINE};
use crate::protocol::refusal::refusal;
use crate::wire;

/// Who sends an answer: that decides how a delay is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// A stream's thread, which may sleep.
    Stream,
    /// The session's main thread, which may not.
    Main,
}

impl Ports {
    /// Sends an answer, or what the switches make of it.
    pub(crate) fn answer(
        self: &Arc<Self>,
        header: &Header,
        head: Option<&wire::Head>,
        answer: Answer,
        from: From,
    ) {
        let link = &*self.session.card.link;
        let mut header = *header;
        let fires = |name| self.session.card.switches.fires(link, name);
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
            let ports = self.clone();
            let _ = self.session.spawn("late", move || {
                if !ports.session.ended.sleep(delay.unwrap_or_default()) {
                    ports.send_times(&frame, times);
                }
            });
            return;
        }
        if delay.is_some_and(|time| self.session.ended.sleep(time)) {
            return;
        }
        self.send_times(&frame, times);
    }

    fn send_times(&self, frame: &[u8], times: u32) {
        for _ in 0..times {
            self.send_frame(frame);
        }
        self.session.card.link.count("rpc.answers", 1);
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
        if let Some(answer) = refusal(header, status) {
            self.answer(header, None, answer, From::Main);
        }
    }

    /// Counts and logs a frame that is not run.
    pub(crate) fn refused(&self, counter: &str, text: &str) {
        self.session.card.link.count(counter, 1);
        self.session.note(log::Level::Warn, text);
    }
}
