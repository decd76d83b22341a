// SPDX-License-Identifier: GPL-2.0

//! Text of the files in debugfs: how rings, ports and programs of a card stand.  These are facts for
//! people who look for a fault; programs use the ioctl interface.

use core::fmt::{
    self,
    Write, //
};

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
    card::{
        dump,
        Card, //
    },
    glue::{
        debugfs::{
            Dir,
            Show, //
        },
        prelude::*, //
    },
    link::ports::Use,
    wire::bytes::Text, //
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

/// What is written into a file.
struct Out<'a>(&'a SeqFile);

impl Write for Out<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        seq_print!(self.0, "{}", text);
        Ok(())
    }
}

/// Rings, doorbells, messages.
fn transport(card: &Card, seq: &SeqFile) -> Result {
    dump::transport(card, &mut Out(seq)).map_err(|_| EIO)
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
    seq_print!(seq, "known_files {}\n", card.known_files());
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
