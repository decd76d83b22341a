// SPDX-License-Identifier: GPL-2.0

//! The heartbeat, and what is done when it is late: ping, canary, session reset, chip reset.

use kernel::{prelude::*, sync::Arc};

use super::Card;
use crate::glue::compat::errno::ESTALE;
use crate::{
    glue::time::{self, MS, S},
    session::Session,
    wire::{
        heartbeat::{Beat, ACCEPTED, DEVICE, INTERVAL, STAMP},
        rpc,
        state::State,
    },
};

/// An echo takes well under a millisecond on a card in order.
const PING_NS: u64 = 2 * S;

/// A new serving process is made within a few hundred milliseconds.
const SESSION_NS: u64 = 5 * S;

/// After the driver's own session could not be made.
const RETRY_NS: u64 = 5 * S;

impl Card {
    /// Looks at the heartbeat, once a second.
    pub(super) fn watch(self: &Arc<Self>) {
        if !self.is_present() {
            return;
        }
        if self.misbehaves() {
            dev_err!(self.pdev, "does not follow the protocol, resetting it\n");
            return self.boot_with_retries(ESTALE);
        }
        let read = |offset| self.region.read32(offset);
        let (Ok(stamp), Ok(interval), Ok(device)) = (read(STAMP), read(INTERVAL), read(DEVICE))
        else {
            return;
        };
        let beat = {
            let mut status = self.status.lock();
            let Some(watch) = &mut status.watch else {
                return;
            };
            let beat = watch.on_poll(time::now(), stamp, interval);
            if beat == Beat::Accepted {
                status.heartbeat_id = device;
                status.heartbeat_interval = interval;
            }
            beat
        };
        match beat {
            Beat::Accepted => {
                self.counters.heartbeats.add(1);
                // Fails only when the driver is being unbound.
                let _ = self.region.write32(ACCEPTED, stamp);
                self.set_state(State::Running);
            }
            Beat::Quiet => {}
            Beat::Late => self.probe(),
        }
        self.keep_management_session();
    }

    /// The heartbeat is late: finds out what of the card still works, and mends the least.
    fn probe(self: &Arc<Self>) {
        self.counters.heartbeats_missed.add(1);
        self.set_state(State::Suspect);
        let verdict = if self.ping() {
            "heartbeat late, but the card answers"
        } else if self.canary() {
            "heartbeat late and a session lost, but the card serves new ones"
        } else {
            dev_err!(
                self.pdev,
                "heartbeat late and no answer, resetting the card\n"
            );
            return self.boot_with_retries(ESTALE);
        };
        dev_warn!(self.pdev, "{}\n", verdict);
        if let Some(watch) = &mut self.status.lock().watch {
            watch.excuse(time::now());
        }
        self.set_state(State::Running);
    }

    /// An echo on the driver's own session.
    fn ping(&self) -> bool {
        let Some(session) = self.management() else {
            return false;
        };
        self.counters.pings.add(1);
        let token = time::now().to_le_bytes();
        let echo = session.call(time::now() + PING_NS, |call, out| call.latency(out, &token));
        echo.is_ok_and(|answer| rpc::latency_answer(&answer).is_ok_and(|data| data == token))
    }

    /// A new session instead of the one that does not answer, with a call of its own.
    fn canary(self: &Arc<Self>) -> bool {
        self.counters.canaries.add(1);
        if let Some(session) = self.management.lock().take() {
            self.counters.session_resets.add(1);
            session.fail(ETIMEDOUT);
        }
        self.retire_sessions();
        self.open_management(time::now() + SESSION_NS).is_ok() && self.ping()
    }

    /// The driver's own session.
    pub(super) fn management(&self) -> Option<Arc<Session>> {
        self.management
            .lock()
            .clone()
            .filter(|session| session.is_open())
    }

    /// Makes the driver's own session if there is none.
    fn keep_management_session(self: &Arc<Self>) {
        if self.management().is_some() || !self.state().serves_sessions() {
            return;
        }
        let now = time::now();
        {
            let mut cache = self.telemetry.lock();
            if now < cache.next_session {
                return;
            }
            cache.next_session = now + RETRY_NS;
        }
        let opened = self.open_management(now + SESSION_NS);
        if let (Err(e), false) = (opened, self.stopping()) {
            dev_warn_ratelimited!(self, "the card's service does not answer: {:?}\n", e);
        }
    }

    /// The card runs: make the driver's own session and say so.
    pub(super) fn announce(self: &Arc<Self>) {
        let opened = self.open_management(time::now() + SESSION_NS);
        if opened.is_ok() {
            self.ask_identity();
        }
        let info = self.info();
        let telemetry = self.telemetry(0).unwrap_or_default();
        dev_info!(
            self.pdev,
            "ready: fw {}, link {}.{} GT/s x{}, memory {} MiB, boot {}.{:03} s\n",
            crate::wire::bytes::Text::new(&info.firmware_version),
            info.link_speed_mtps / 1000,
            info.link_speed_mtps % 1000 / 100,
            info.link_width,
            telemetry.cmm_total >> 20,
            info.boot_time_ns / S,
            info.boot_time_ns % S / MS
        );
    }
}
