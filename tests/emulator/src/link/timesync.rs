// SPDX-License-Identifier: MIT OR Apache-2.0

//! Time sync [pcie 2.7].

use std::time::{Duration, Instant};

use log::{info, warn};

use crate::card::Card;
use crate::parts::{Generation, Interrupted, WallClock};
use crate::rings::Transport;

/// The host's flag when its clock is there.
pub(super) const MAGIC: u32 = 0x2222_2222;
const LIMIT: Duration = Duration::from_secs(5);
/// The card polls without a pause; this is as often as makes sense here.  A host that does not wait
/// for the clear below races against it with its first doorbell, and must not lose that race here
/// when it would win it against a card.
const POLL: Duration = Duration::from_micros(20);

/// Waits for the host's clock, then clears the control page in any case.
pub fn sync(
    card: &Card,
    generation: Generation,
    transport: &Transport,
) -> Result<Option<WallClock>, Interrupted> {
    let page = transport.window.control_page();
    let deadline = Instant::now() + LIMIT;
    let clock = card.wait_until(generation, Some(deadline), Some(POLL), || {
        if page.flag().ok()? != MAGIC {
            return None;
        }
        let (seconds, nanoseconds) = page.clock().ok()?;
        Some(WallClock {
            seconds,
            nanoseconds,
        })
    })?;
    match clock {
        Some(clock) => info!("time sync: {} s", clock.seconds),
        None => {
            warn!(
                "time sync: the host did not tell the time in {} s",
                LIMIT.as_secs()
            );
            card.counters.hit("handshake.timesync_timeout");
        }
    }
    if let Some(ms) = card.switches.number("timesync.delay_clear_ms") {
        card.pause(generation, Duration::from_millis(ms))?;
    }
    if !card.switches.flag("timesync.no_clear") && page.clear().is_err() {
        warn!("time sync: the control page cannot be cleared");
    }
    Ok(clock)
}
