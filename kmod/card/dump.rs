// SPDX-License-Identifier: GPL-2.0

//! What is left of a card that was lost, for whoever wants to know why: a device coredump.  It has heads of
//! messages and nothing of what is in them, and no memory of clients.

use core::fmt::{
    self,
    Write, //
};

use super::Card;
use crate::{
    glue::{
        coredump,
        prelude::*,
        time, //
    },
    link::traffic::Traffic,
    wire::{
        bytes::Text,
        handshake::{
            PAGE_HANDLED,
            PAGE_RUNG, //
        },
        register::FixedRegister,
        ring::Ring, //
    }, //
};

impl Card {
    /// Leaves a coredump, before the rings are set up anew.
    pub(super) fn dump(&self, reason: &str) {
        let mut text = coredump::Text::default();
        match self.write_dump(reason, &mut text) {
            Ok(()) => coredump::leave(&self.pdev, &text),
            Err(_) => dev_warn!(self.pdev, "no memory for a coredump\n"),
        }
    }

    fn write_dump(&self, reason: &str, out: &mut impl Write) -> fmt::Result {
        let info = self.info();
        writeln!(out, "# ax650 coredump 1")?;
        writeln!(out, "reason {reason}")?;
        writeln!(out, "ns {}", time::now())?;
        writeln!(out, "firmware {}", Text::new(&info.firmware_version))?;
        writeln!(out, "firmware_file {}", Text::new(&info.firmware_file))?;
        writeln!(out, "last_error {}", info.last_error)?;
        writeln!(out, "boot_reason {:#x}", info.boot_reason)?;
        match info.heartbeat_age_ns {
            u64::MAX => writeln!(out, "heartbeat_age_ns -1")?,
            age => writeln!(out, "heartbeat_age_ns {age}")?,
        }
        writeln!(out, "\n# transport")?;
        transport(self, out)?;
        writeln!(out, "\n# counters")?;
        let mut counted = Ok(());
        self.link.counters.for_each(|name, value| {
            counted = counted.and_then(|()| writeln!(out, "{name} {value}"));
        });
        counted?;
        writeln!(out, "\n# sessions: port pid generation jobs")?;
        for session in self.sessions.all() {
            let (pid, jobs) = (session.process.number(), session.jobs.get());
            writeln!(
                out,
                "{} {pid} {} {jobs}",
                session.ports[0], session.generation
            )?;
        }
        // One after the other, and not while the list is gone through: a lock taken there would be held.
        let (_, sent) = self.link.tx.lock().facts();
        let (_, received) = self.link.rx.lock().facts();
        for (name, traffic) in [("sent", &sent), ("received", &received)] {
            writeln!(out, "\n# {name}, the last messages: ns port bytes type")?;
            for head in traffic.heads() {
                writeln!(
                    out,
                    "{} {} {} {:#010x}",
                    head.at, head.port, head.size, head.kind
                )?;
            }
        }
        Ok(())
    }
}

/// Writes how rings, doorbells and messages of a card stand.  The pointers are read one after the other while the card
/// works.
///
/// # Errors
///
/// Those of `out`; an error if the driver is being unbound.
pub(crate) fn transport(card: &Card, out: &mut impl Write) -> fmt::Result {
    let link = &card.link;
    let geometry = &link.geometry;
    let (wp, sent) = link.tx.lock().facts();
    let (rp, received) = link.rx.lock().facts();
    let word = |at: u32| link.region.read64(at as usize).map_err(|_| fmt::Error);
    writeln!(out, "state {}", card.state().name())?;
    writeln!(out, "generation {}", card.generation())?;
    writeln!(out, "region_bytes {}", link.region.size())?;
    writeln!(out, "region_bus_address {:#x}", link.region.bus())?;
    ring(out, "send", &geometry.h2c, wp, word(geometry.h2c.rp_at)?)?;
    ring(out, "receive", &geometry.c2h, word(geometry.c2h.wp_at)?, rp)?;
    let rung: u64 = PAGE_RUNG::read(&link.region)
        .map_err(|_| fmt::Error)?
        .into();
    let handled: u64 = PAGE_HANDLED::read(&link.region)
        .map_err(|_| fmt::Error)?
        .into();
    writeln!(out, "doorbells_rung {rung}")?;
    writeln!(out, "doorbells_handled {handled}")?;
    let counters = &link.counters;
    traffic(out, "sent", counters.messages_sent.get(), &sent)?;
    traffic(out, "received", counters.messages_received.get(), &received)
}

fn ring(out: &mut impl Write, name: &str, ring: &Ring, wp: u64, rp: u64) -> fmt::Result {
    writeln!(out, "{name}_ring_bytes {}", ring.size)?;
    writeln!(out, "{name}_wp {wp:#x}")?;
    writeln!(out, "{name}_rp {rp:#x}")
}

fn traffic(out: &mut impl Write, name: &str, messages: u64, traffic: &Traffic) -> fmt::Result {
    writeln!(out, "{name}_messages {messages}")?;
    writeln!(out, "{name}_bytes {}", traffic.bytes)?;
    writeln!(out, "{name}_ns {}", traffic.ns)?;
    writeln!(out, "{name}_last_bytes {}", traffic.last_size)?;
    writeln!(out, "{name}_last_ns {}", traffic.last_ns)?;
    writeln!(out, "{name}_largest_bytes {}", traffic.largest)?;
    writeln!(out, "{name}_longest_ns {}", traffic.longest_ns)
}
