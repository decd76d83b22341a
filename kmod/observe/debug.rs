// SPDX-License-Identifier: GPL-2.0

//! Text of the files in debugfs: how rings, ports and programs of a card stand.  These are facts for
//! people who look for a fault; programs use the ioctl interface.

use kernel::{bindings, prelude::*, seq_file::SeqFile, seq_print, sync::Arc};

use crate::{
    axcl::{clients::Clients, group::Group, registry},
    card::Card,
    link::{ports::Use, traffic::Traffic},
    wire::{
        bytes::Text,
        handshake::{PAGE_HANDLED, PAGE_RUNG},
        ring::Ring,
    },
};

// The empty structs that bindgen makes of opaque types are behind pointers only.
#[allow(improper_ctypes)]
extern "C" {
    fn ax650_debug_create(name: *const c_char, card: *const c_void) -> *mut bindings::dentry;
    fn ax650_debug_remove(dir: *mut bindings::dentry);
}

/// `enum ax650_debug_file`.
mod file {
    pub(super) const TRANSPORT: u32 = 0;
    pub(super) const COUNTERS: u32 = 1;
    pub(super) const PORTS: u32 = 2;
    pub(super) const CLIENTS: u32 = 3;
}

/// The directory of a card.
pub(crate) struct Debug {
    /// May be an error; then there is no directory.
    dir: *mut bindings::dentry,
    /// The files have a pointer to it.
    _card: Arc<Card>,
}

// SAFETY: the directory may be removed on any thread.
unsafe impl Send for Debug {}
// SAFETY: no methods.
unsafe impl Sync for Debug {}

impl Debug {
    /// Makes the directory `name`.
    pub(crate) fn new(name: &CStr, card: Arc<Card>) -> Self {
        // SAFETY: the name is copied; the card outlives the files, as `_card` is dropped after `drop`
        // has run.
        let dir = unsafe { ax650_debug_create(name.as_char_ptr(), Arc::as_ptr(&card).cast()) };
        Self { dir, _card: card }
    }
}

impl Drop for Debug {
    fn drop(&mut self) {
        // SAFETY: made in `new`.  Waits for readers, who take the card's locks: none is held here.
        unsafe { ax650_debug_remove(self.dir) };
    }
}

/// Writes the text of a file.
///
/// # Safety
///
/// `card` is what was given to `ax650_debug_create`, and its directory has not been removed; `seq` is
/// for this call only.
#[no_mangle]
unsafe extern "C" fn ax650_debug_show(
    card: *const c_void,
    number: u32,
    seq: *mut bindings::seq_file,
) -> c_int {
    // SAFETY: debugfs calls this only while the directory is there, and that keeps the card.
    let card = unsafe { &*card.cast::<Card>() };
    // SAFETY: as per the caller.
    let seq = unsafe { SeqFile::from_raw(seq) };
    let shown = match number {
        file::TRANSPORT => transport(card, seq),
        file::COUNTERS => counters(card, seq),
        file::PORTS => ports(card, seq),
        file::CLIENTS => clients(card, seq),
        _ => Err(EINVAL),
    };
    shown.map_or_else(|e| e.to_errno(), |()| 0)
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
    seq_print!(seq, "doorbells_rung {}\n", link.region.read64(PAGE_RUNG)?);
    let handled = link.region.read64(PAGE_HANDLED)?;
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

/// `struct ax650_counters`.
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

/// A line for each port that is in use.
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

/// A line for each session and each program of AXCL.
fn clients(card: &Card, seq: &SeqFile) -> Result {
    let sessions = card.sessions.all()?;
    let clients = registry::clients_of(card);
    seq_print!(
        seq,
        "interface ports pid generation jobs events buffer_bytes to_card from_card command\n"
    );
    for session in sessions.iter() {
        let kind = match session.held {
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
            session.held.as_ref().map_or(0, |held| held.get()),
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

/// What a line begins with.
fn list(seq: &SeqFile, kind: &str, ports: &[u32], more: &[u32]) {
    seq_print!(seq, "{} ", kind);
    let mut comma = "";
    for port in [ports, more].into_iter().flatten() {
        seq_print!(seq, "{}{}", comma, port);
        comma = ",";
    }
    seq_print!(seq, " ");
}
