// SPDX-License-Identifier: MIT OR Apache-2.0

//! Fault switches that the daemon obeys.

use std::collections::HashMap;
use std::time::Duration;

use ax650_emu_api::Link;
use parking_lot::Mutex;
use serde_json::Value;

/// Names and meanings, as docs/emulator.md shows them.  A count counts down from when the value is set; `true` means always.  Clear a
/// switch before setting the same number again.
pub const SWITCHES: &[(&str, &str)] = &[
    ("port11.no_reply", "no reply to create packets (count or true)"),
    ("port11.late_ms", "replies to create packets are late"),
    ("port11.short", "replies to create packets have this many bytes (true: 20)"),
    ("port11.long", "replies to create packets have this many bytes (true: 41)"),
    ("port11.fail", "create fails with command 5 (count or true)"),
    ("rpc.drop", "calls run but are not answered (count or true)"),
    ("rpc.delay_ms", "each answer waits this long, holding its stream"),
    ("rpc.wrong_sequence", "answers carry the sequence number plus 1 (count or true)"),
    ("rpc.duplicate", "answers are sent twice (count or true)"),
    ("dma.stall_ms", "each piece of a bulk transfer waits this long before it starts"),
    ("dma.short_list", "the card's window is at most this many bytes"),
    ("dma.wrong_count", "completions name this many bytes too few (true: 1)"),
    ("dma.early_list", "lists that come before the card has said how much it takes are lost (true)"),
    ("p0.ignore", "messages on the transaction port are dropped, the handshake included (count or true)"),
    ("service.trust", "the service checks no ownership: every session may use, change and free memory, models, groups, channels, pools and blocks of every other (true)"),
    ("memory.limit_bytes", "CMM allocations fail beyond this many bytes in use"),
    ("vdec.any_format", "H.264 and H.265 beyond 4:2:0 and 10 bits are converted to NV12 instead of being counted as unsupported (true)"),
    ("engine.fail", "runs fail: true, or the error number to answer"),
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
