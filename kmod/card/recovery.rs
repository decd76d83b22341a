// SPDX-License-Identifier: GPL-2.0

//! The heartbeat, and what is done when it is late: ping, canary, session reset, chip reset.

use super::{
    service::Verdict,
    Card, //
};
use crate::{
    glue::{
        prelude::*,
        time::{
            Instant,
            Moment, //
        },
        trace, //
    },
    wire::{
        heartbeat::{
            Beat,
            ACCEPTED,
            DEVICE,
            INTERVAL,
            STAMP, //
        },
        register::FixedRegister,
        state::State, //
    }, //
};

impl Card {
    /// Looks at the heartbeat, once a second.
    pub(super) fn watch(&self) {
        if !self.link.is_present() {
            return;
        }
        if self.link.misbehaves() {
            dev_err!(self.pdev, "does not follow the protocol, resetting it\n");
            self.tell_loss(c"misbehaves");
            return self.boot_with_retries(ESTALE);
        }
        let region = &self.link.region;
        let read = (
            STAMP::read(region),
            INTERVAL::read(region).map(u32::from),
            DEVICE::read(region).map(u32::from),
        );
        let (Ok(stamp), Ok(interval), Ok(device)) = read else {
            return;
        };
        let beat = {
            let mut status = self.status.lock();
            let Some(watch) = &mut status.watch else {
                return;
            };
            let beat = watch.on_poll(Instant::now().nanos(), stamp.into(), interval);
            if beat == Beat::Accepted {
                status.heartbeat_id = device;
                status.heartbeat_interval = interval;
            }
            beat
        };
        match beat {
            Beat::Accepted => {
                self.link.counters.heartbeats.add(1);
                // Fails only when the driver is being unbound.
                let _ = ACCEPTED::from(u32::from(stamp)).write(region);
                self.set_state(State::Running);
            }
            Beat::Quiet => {}
            Beat::Late if self.state() == State::Suspect => {}
            Beat::Late => self.suspect(),
        }
    }

    /// Has the attendant find out what of a card still works whose heartbeat is late.
    fn suspect(&self) {
        if self.set_state(State::Suspect) {
            self.link.counters.heartbeats_missed.add(1);
            trace::recovery(&self.pdev, c"heartbeat late");
            self.service.ask(self.generation());
        }
    }

    /// Does what is to be done about what the attendant has found out, unless the heart beats again.
    pub(super) fn heed_attendant(&self) {
        let verdict = self.service.take_verdict(self.generation());
        let Some(verdict) = verdict.filter(|_| self.state() == State::Suspect) else {
            return;
        };
        match verdict {
            Verdict::Answers => {
                trace::recovery(&self.pdev, c"answers");
                dev_warn!(self.pdev, "heartbeat late, but the card answers\n");
            }
            Verdict::Replaced => {
                trace::recovery(&self.pdev, c"serves new sessions");
                dev_warn!(
                    self.pdev,
                    "heartbeat late and a session lost, but the card serves new ones\n"
                );
            }
            Verdict::Silent => {
                dev_err!(
                    self.pdev,
                    "heartbeat late and no answer, resetting the card\n"
                );
                self.tell_loss(c"silent");
                return self.boot_with_retries(ESTALE);
            }
        }
        if let Some(watch) = &mut self.status.lock().watch {
            watch.excuse(Instant::now().nanos());
        }
        self.set_state(State::Running);
    }
}
