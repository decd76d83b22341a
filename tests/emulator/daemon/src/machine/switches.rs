// SPDX-License-Identifier: MIT OR Apache-2.0

//! Fault switches that the daemon obeys.

use std::collections::HashMap;
use std::time::Duration;

use ax650_emu_api::Link;
use parking_lot::Mutex;
use serde_json::Value;

/// Names and meanings.  `n` counts down from when the value is set; `true` means always.  Clear a
/// switch before setting the same number again.
pub const SWITCHES: &[(&str, &str)] = &[
    ("port11.no_reply", "n or true: no reply to create packets"),
    ("port11.late_ms", "replies to create packets are this late"),
    (
        "port11.short",
        "replies to create packets have this many bytes (true: 20)",
    ),
    (
        "port11.long",
        "replies to create packets have this many bytes (true: 41)",
    ),
    (
        "port11.fail",
        "n or true: create fails (command 5), no session is made",
    ),
    ("rpc.drop", "n or true: calls run but are not answered"),
    (
        "rpc.delay_ms",
        "each answer waits this long, holding its stream",
    ),
    (
        "rpc.wrong_sequence",
        "n or true: answers carry the sequence number plus 1",
    ),
    ("rpc.duplicate", "n or true: answers are sent twice"),
    (
        "dma.stall_ms",
        "each DMA chunk waits this long before it starts",
    ),
    (
        "dma.short_list",
        "the card's window is at most this many bytes",
    ),
    (
        "dma.wrong_count",
        "READ_DONE and TASK_DONE name this many bytes too few (true: 1)",
    ),
    (
        "p0.ignore",
        "n or true: messages on P0 are dropped, the handshake included",
    ),
    (
        "memory.limit_bytes",
        "CMM allocations fail beyond this many bytes in use",
    ),
    (
        "vdec.any_format",
        "true: H.264 and H.265 beyond 4:2:0 and 10 bits are converted, not counted as unsupported",
    ),
    (
        "engine.fail",
        "runs fail: true for \"execute failed\", or the error number to answer",
    ),
];

/// The link's switches, with the counting down that the link does not do.
#[derive(Default)]
pub(crate) struct Switches {
    left: Mutex<HashMap<&'static str, (Value, u64)>>,
}

impl Switches {
    /// Whether the switch `name`, a count or a truth value, is on; counts down.
    pub(crate) fn fires(&self, link: &dyn Link, name: &'static str) -> bool {
        let value = link.switch(name);
        let mut left = self.left.lock();
        let Some(value) = value else {
            left.remove(name);
            return false;
        };
        let Some(count) = value.as_u64() else {
            return value == Value::Bool(true);
        };
        match left.get_mut(name) {
            Some((seen, 0)) if *seen == value => false,
            Some((seen, rest)) if *seen == value => {
                *rest -= 1;
                true
            }
            _ => {
                left.insert(name, (value, count.saturating_sub(1)));
                count > 0
            }
        }
    }
}

/// The number of a switch; `true` stands for `default`.
pub(crate) fn number(link: &dyn Link, name: &'static str, default: u64) -> Option<u64> {
    match link.switch(name)? {
        Value::Bool(true) => Some(default),
        value => value.as_u64(),
    }
}

/// The time of a switch in milliseconds.
pub(crate) fn delay(link: &dyn Link, name: &'static str) -> Option<Duration> {
    let millis = number(link, name, 0)?;
    (millis > 0).then(|| Duration::from_millis(millis))
}
