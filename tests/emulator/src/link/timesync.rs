// SPDX-License-Identifier: MIT OR Apache-2.0

//! Time sync [pcie 2.7].

use std::time::{Duration, Instant};

use log::{info, warn};

use crate::card::Card;
use crate::parts::{Generation, Interrupted, WallClock};
use crate::rings::Transport;

/// What the host writes to S+0x00 when its clock is there.
pub(super) const MAGIC: u32 = 0x2222_2222;
const LIMIT: Duration = Duration::from_secs(5);
/// The card polls without a pause; this is as often as makes sense here.  A host that does not wait
/// for the clear below races against it with its first doorbell, and must not lose that race here
/// when it would win it against a card.
const POLL: Duration = Duration::from_micros(20);

/// Waits for the host's clock, then clears the first 64 bytes of the region in any case.
pub fn sync(
    card: &Card,
    generation: Generation,
    transport: &Transport,
) -> Result<Option<WallClock>, Interrupted> {
    let window = &transport.window;
    let deadline = Instant::now() + LIMIT;
    let clock = card.wait_until(generation, Some(deadline), Some(POLL), || {
        if window.read_u32(0).ok()? != MAGIC {
            return None;
        }
        Some(WallClock {
            seconds: window.read_u64(0x10).ok()? as i64,
            nanoseconds: window.read_u64(0x18).ok()? as i64,
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
    if !card.switches.flag("timesync.no_clear") && window.clear(64).is_err() {
        warn!("time sync: the control page cannot be cleared");
    }
    Ok(clock)
}
