// SPDX-License-Identifier: MIT OR Apache-2.0

//! Handshake steps 0 and 1 and the ring set-up [pcie 2.4] to [pcie 2.6].

use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{info, warn};

use super::timesync::MAGIC;
use crate::card::Card;
use crate::parts::{Generation, Interrupted};
use crate::rings::{Transport, Window};

/// "Host present".
const HOST: u32 = 0x1f4b;
/// "Card present".
const CARD: u32 = 0xa650;

/// The limit of both waits.  The notes count 120 000 looks with a sleep of 1 ms between them; a kernel
/// with 250 ticks per second needs 8.05 ms for each, so this is the patience of a card.  A host that
/// brings several cards up one after the other relies on it.
const LIMIT: Duration = Duration::from_secs(966);
/// How often the card looks for the host.
const POLL: Duration = Duration::from_millis(1);
/// How long base and size may come after the flag.  On a bus the three writes of a host follow each
/// other within a microsecond.  Here each is a message of QEMU's, and the guest's processor may get
/// no time between two of them, so a card that looked once would often see what a real one hardly
/// ever does.
const SETTLE: Duration = Duration::from_millis(500);

/// Step 0: waits for the host's flag in BAR0, acknowledges it and opens the window.
pub fn find_host(card: &Card, generation: Generation) -> Result<Window, Interrupted> {
    let deadline = Instant::now() + LIMIT;
    let mut flag_seen = None;
    loop {
        if card.bar0.word(0) == HOST && !card.switches.flag("step0.no_ack") {
            let since = *flag_seen.get_or_insert_with(Instant::now);
            let complete = card.bar0.double_word(0x10) != 0 && card.bar0.double_word(0x18) != 0;
            let strict = card.options.strict || card.switches.flag("step0.no_settle");
            if complete || strict || since.elapsed() >= SETTLE {
                break;
            }
        } else {
            flag_seen = None;
        }
        if Instant::now() >= deadline {
            warn!("handshake 0: no host came in {} s", LIMIT.as_secs());
            card.counters.hit("handshake.step0_timeout");
            return Err(card.hang(generation));
        }
        card.pause(generation, POLL)?;
    }
    // In one step, for a host may clear the parameters as soon as it sees the acknowledge.
    let (mut base, mut size) = card.bar0.acknowledge(CARD);
    if let Some(ms) = card.switches.number("step0.delay_base_ms") {
        card.pause(generation, Duration::from_millis(ms))?;
        base = card.bar0.double_word(0x10);
        size = card.bar0.double_word(0x18);
    }
    match Window::new(card.host.clone(), base, size) {
        Ok(window) => {
            info!("handshake 0: shared region {base:#x}, {size:#x} bytes");
            Ok(window)
        }
        Err(why) => {
            card.refuse("window", format_args!("handshake 0: {why}"));
            Err(card.hang(generation))
        }
    }
}

/// Ring set-up, card's half.
pub fn set_up_rings(window: Window) -> Arc<Transport> {
    let transport = Transport::new(window);
    if transport.clear_pointers().is_err() {
        warn!("ring set-up: the ring pointers cannot be written");
    }
    Arc::new(transport)
}

/// What stands for the host in step 1.
enum Seen {
    /// Its flag.
    Flag,
    /// The flag has come and gone: its clock is there already.
    Clock,
}

/// Step 1: announces the card and waits for the host's flag in shared memory.  As on the card, a
/// host that does not come counts as one that came.
pub fn announce(
    card: &Card,
    generation: Generation,
    transport: &Transport,
) -> Result<(), Interrupted> {
    let page = transport.window.control_page();
    let deadline = Instant::now() + LIMIT;
    let mut announced = false;
    let seen = card.wait_until(generation, Some(deadline), Some(POLL), || {
        if !announced && !card.switches.flag("step1.no_ack") {
            announced = page.set_answer(CARD).is_ok();
        }
        match page.flag().ok()? {
            HOST => Some(Seen::Flag),
            // The host has cleared what this boot has announced, so the word is of this boot too.
            MAGIC if announced && page.answer().ok()? == 0 => Some(Seen::Clock),
            _ => None,
        }
    })?;
    match seen {
        Some(Seen::Flag) => info!("handshake 1: done"),
        Some(Seen::Clock) => {
            // The host gives the card 100 ms to see its flag.  A card has time for that; this
            // program may not get any when the machine is busy, and must not clear the clock.
            warn!("handshake 1: seen late, the host has gone on to time sync");
            card.counters.hit("handshake.step1_late");
            return Ok(());
        }
        None => {
            warn!(
                "handshake 1: the host's flag did not come in {} s",
                LIMIT.as_secs()
            );
            card.counters.hit("handshake.step1_timeout");
        }
    }
    if page.clear_step_1().is_err() {
        warn!("handshake 1: the control page cannot be cleared");
    }
    Ok(())
}
