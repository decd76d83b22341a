// SPDX-License-Identifier: MIT OR Apache-2.0

//! Handshake steps 0 and 1 and the ring set-up (spec 2.4 to 2.6).

use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{info, warn};

use super::rings::Transport;
use super::window::Window;
use crate::card::{Card, Generation, Interrupted};

/// "Host present".
const HOST: u32 = 0x1f4b;
/// "Card present".
const CARD: u32 = 0xa650;

/// The limit of both waits.
const LIMIT: Duration = Duration::from_secs(120);
/// How often the card looks for the host.
const POLL: Duration = Duration::from_millis(1);

/// Step 0: waits for the host's flag in BAR0, acknowledges it and opens the window.
pub fn find_host(card: &Card, generation: Generation) -> Result<Window, Interrupted> {
    let deadline = Instant::now() + LIMIT;
    // The card looks once per millisecond; what the host writes between two looks, and in which
    // order, decides what it gets to see.
    while card.bar0.word(0) != HOST || card.switches.flag("step0.no_ack") {
        if Instant::now() >= deadline {
            warn!("handshake 0: no host came in {} s", LIMIT.as_secs());
            card.counters.hit("handshake.step0_timeout");
            return Err(card.hang(generation));
        }
        card.pause(generation, POLL)?;
    }
    card.bar0.set_word(4, CARD);
    if let Some(ms) = card.switches.number("step0.delay_base_ms") {
        card.pause(generation, Duration::from_millis(ms))?;
    }
    let base = card.bar0.double_word(0x10);
    let size = card.bar0.double_word(0x18);
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

/// Step 1: announces the card and waits for the host's flag in shared memory.  As on the card, a
/// host that does not come counts as one that came.
pub fn announce(
    card: &Card,
    generation: Generation,
    transport: &Transport,
) -> Result<(), Interrupted> {
    let window = &transport.window;
    let deadline = Instant::now() + LIMIT;
    let mut announced = false;
    let seen = card.wait_until(generation, Some(deadline), Some(POLL), || {
        if !announced && !card.switches.flag("step1.no_ack") {
            announced = window.write_u32(4, CARD).is_ok();
        }
        window
            .read_u32(0)
            .is_ok_and(|flag| flag == HOST)
            .then_some(())
    })?;
    match seen {
        Some(()) => info!("handshake 1: done"),
        None => {
            warn!(
                "handshake 1: the host's flag did not come in {} s",
                LIMIT.as_secs()
            );
            card.counters.hit("handshake.step1_timeout");
        }
    }
    if window.clear(32).is_err() {
        warn!("handshake 1: the control page cannot be cleared");
    }
    Ok(())
}
