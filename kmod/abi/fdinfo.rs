// SPDX-License-Identifier: GPL-2.0

//! `/proc/PID/fdinfo/FD` of an open file, with the keys of DRM where they fit.

use kernel::{
    seq_file::SeqFile,
    seq_print,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

use super::client::Client;
use crate::glue;

/// The number of the last file that was opened.
static LAST: Atomic<u64> = Atomic::new(0);

/// Returns a number that no other file has.
pub(super) fn next_id() -> u64 {
    LAST.fetch_add(1, Relaxed).wrapping_add(1)
}

/// Writes what the file has, and has had the card do.
pub(super) fn show(client: &Client, seq: &SeqFile) {
    let (domain, location) = glue::pci::location(&client.card.pdev);
    let (bus, devfn) = (location >> 8, location & 0xff);
    seq_print!(seq, "drm-driver:\tax650\n");
    seq_print!(
        seq,
        "drm-pdev:\t{:04x}:{:02x}:{:02x}.{:x}\n",
        domain,
        bus,
        devfn >> 3,
        devfn & 7
    );
    seq_print!(seq, "drm-client-id:\t{}\n", client.id);
    seq_print!(
        seq,
        "drm-engine-npu:\t{} ns\n",
        client.account.npu.total_ns()
    );
    let host = client.account.bytes() >> 10;
    let holdings = client.holdings.lock();
    let (mut card, mut count, mut jobs) = (0u64, 0, 0u64);
    let (mut to_card, mut from_card) = (0u64, 0u64);
    for session in holdings.sessions.iter() {
        count += 1;
        card = card.wrapping_add(session.card_memory());
        jobs = jobs.wrapping_add(session.jobs.get());
        to_card = to_card.wrapping_add(session.bytes_to_card.get());
        from_card = from_card.wrapping_add(session.bytes_from_card.get());
    }
    drop(holdings);
    let card = card >> 10;
    // Nothing of it is ever swapped or evicted: what there is is resident.
    for (region, kib) in [("system", host), ("card", card)] {
        seq_print!(seq, "drm-total-{}:\t{} KiB\n", region, kib);
        seq_print!(seq, "drm-resident-{}:\t{} KiB\n", region, kib);
    }
    seq_print!(seq, "ax650-sessions:\t{}\n", count);
    seq_print!(seq, "ax650-jobs:\t{}\n", jobs);
    seq_print!(seq, "ax650-bytes-to-card:\t{}\n", to_card);
    seq_print!(seq, "ax650-bytes-from-card:\t{}\n", from_card);
}
