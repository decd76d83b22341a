// SPDX-License-Identifier: GPL-2.0

//! Text of the files in debugfs: how rings, ports and programs of a card stand.  These are facts for
//! people who look for a fault; programs use the ioctl interface.

use kernel::{
    seq_file::SeqFile,
    seq_print,
    sync::Arc, //
};

use crate::{
    axcl::{
        clients::Clients,
        group::Group,
        registry, //
    },
    card::Card,
    glue::{
        debugfs::{
            Dir,
            Show, //
        },
        prelude::*, //
    },
    link::{
        ports::Use,
        traffic::Traffic, //
    },
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

/// The directory of a card.
pub(crate) type Debug = Dir<Card>;

/// Makes the directory `name`.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn debug(name: &CStr, card: &Arc<Card>) -> Result<Debug> {
    let files: [(&CStr, Show<Card>); 4] = [
        (c"transport", transport),
        (c"counters", counters),
        (c"ports", ports),
        (c"clients", clients),
    ];
    Dir::new(name, card, &files)
}

/// Rings, doorbells, messages.  The pointers are read one after the other while the card works.
fn transport(card: &Card, seq: &SeqFile) -> Result {
    let link = &card.link;
    let geometry = &link.geometry;
    let (wp, sent) = link.tx.lock().facts();
    let (rp, received) = link.rx.lock().facts();
    let word = |at: u32| link.region.read64(at as usize);
    seq_print!(seq, "state {}\n", card.state().name());
    seq_print!(seq, "generation {}\n", card.generation());
    seq_print!(seq, "region_bytes {}\n", link.region.size());
    seq_print!(seq, "region_bus_address {:#x}\n", link.region.bus());
    ring(seq, "send", &geometry.h2c, wp, word(geometry.h2c.rp_at)?);
    ring(seq, "receive", &geometry.c2h, word(geometry.c2h.wp_at)?, rp);
    seq_print!(
        seq,
        "doorbells_rung {}\n",
        u64::from(PAGE_RUNG::read(&link.region)?)
    );
    let handled: u64 = PAGE_HANDLED::read(&link.region)?.into();
    seq_print!(seq, "doorbells_handled {}\n", handled);
    let counters = &link.counters;
    traffic(seq, "sent", counters.messages_sent.get(), &sent);
    traffic(seq, "received", counters.messages_received.get(), &received);
    Ok(())
}

fn ring(seq: &SeqFile, name: &str, ring: &Ring, wp: u64, rp: u64) {
    seq_print!(seq, "{}_ring_bytes {}\n", name, ring.size);
    seq_print!(seq, "{}_wp {:#x}\n", name, wp);
    seq_print!(seq, "{}_rp {:#x}\n", name, rp);
}

fn traffic(seq: &SeqFile, name: &str, messages: u64, traffic: &Traffic) {
    seq_print!(seq, "{}_messages {}\n", name, messages);
    seq_print!(seq, "{}_bytes {}\n", name, traffic.bytes);
    seq_print!(seq, "{}_ns {}\n", name, traffic.ns);
    seq_print!(seq, "{}_last_bytes {}\n", name, traffic.last_size);
    seq_print!(seq, "{}_last_ns {}\n", name, traffic.last_ns);
    seq_print!(seq, "{}_largest_bytes {}\n", name, traffic.largest);
    seq_print!(seq, "{}_longest_ns {}\n", name, traffic.longest_ns);
}

/// Writes `struct ax650_counters`.
fn counters(card: &Card, seq: &SeqFile) -> Result {
    card.link
        .counters
        .for_each(|name, value| seq_print!(seq, "{} {}\n", name, value));
    seq_print!(seq, "quarantined_bytes {}\n", card.pool.quarantined_bytes());
    seq_print!(seq, "leaked_bytes {}\n", card.pool.leaked.get());
    seq_print!(seq, "buffer_bytes {}\n", card.pool.memory.bytes());
    seq_print!(seq, "buffer_pieces {}\n", card.pool.memory.pieces());
    Ok(())
}

/// Writes a line for each port that is in use.
fn ports(card: &Card, seq: &SeqFile) -> Result {
    let uses = card.link.ports.lock().uses()?;
    seq_print!(seq, "port use pid files command\n");
    for (port, what) in uses.iter() {
        match what {
            Use::Reserved => seq_print!(seq, "{} reserved - - -\n", port),
            Use::Late => seq_print!(seq, "{} late - - -\n", port),
            Use::Receiver(receiver) => {
                let who = receiver.describe(*port);
                seq_print!(seq, "{} {} {} ", port, who.kind, who.pid);
                match who.files {
                    Some(files) => seq_print!(seq, "{}", files),
                    None => seq_print!(seq, "-"),
                }
                seq_print!(seq, " {}\n", Text::new(&who.comm));
            }
        }
    }
    Ok(())
}

/// Writes a line for each session and each program of AXCL.
fn clients(card: &Card, seq: &SeqFile) -> Result {
    let clients = registry::clients_of(card);
    seq_print!(
        seq,
        "interface ports pid generation jobs events buffer_bytes to_card from_card command\n"
    );
    for session in card.sessions.all() {
        let kind = match session.seat {
            Some(_) => "native",
            None => "driver",
        };
        list(seq, kind, &session.ports, &[]);
        seq_print!(
            seq,
            "{} {} {} - {} {} {} {}\n",
            session.process.number(),
            session.generation,
            session.jobs.get(),
            session.seat.as_ref().map_or(0, |seat| seat.bytes()),
            session.bytes_to_card.get(),
            session.bytes_from_card.get(),
            Text::new(&session.comm)
        );
    }
    if let Some(clients) = clients {
        for group in clients.groups()?.iter() {
            axcl_client(&clients, seq, group)?;
        }
    }
    Ok(())
}

fn axcl_client(clients: &Clients, seq: &SeqFile, group: &Group) -> Result {
    let owner = &group.owner;
    list(seq, "axcl", &group.ports, &group.extra_ports()?);
    seq_print!(
        seq,
        "{} {} - {} {} {} {} {}\n",
        owner.process.number(),
        group.generation,
        group.events(),
        clients.place.bytes_of(&owner.process),
        owner.bytes_to_card.get(),
        owner.bytes_from_card.get(),
        Text::new(&owner.comm)
    );
    Ok(())
}

/// Writes what a line begins with.
fn list(seq: &SeqFile, kind: &str, ports: &[u32], more: &[u32]) {
    seq_print!(seq, "{} ", kind);
    let mut comma = "";
    for port in [ports, more].into_iter().flatten() {
        seq_print!(seq, "{}{}", comma, port);
        comma = ",";
    }
    seq_print!(seq, " ");
}
