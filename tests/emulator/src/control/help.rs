// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the control socket understands, for the command `help`.

use serde_json::{json, Value};

/// A command, its fields with their defaults, and what it does.
type Line = (&'static str, &'static str, &'static str);

/// All commands.
pub const COMMANDS: &[Line] = &[
    ("help", "", "this list"),
    (
        "counters",
        "reset (false)",
        "all counters; reset sets them to 0",
    ),
    ("state", "", "the card's state"),
    (
        "set",
        "switch, value",
        "sets a fault switch; false clears it",
    ),
    ("clear", "switch (all)", "clears a fault switch, or all"),
    (
        "switches",
        "",
        "all fault switches with type, description and value",
    ),
    ("images", "", "firmware images of the last boot"),
    (
        "faults",
        "reset (false)",
        "DMA faults, and card memory freed while in use",
    ),
    ("daemon", "", "the service's own report"),
    (
        "dram",
        "address, size",
        "digest and beginning of card memory",
    ),
    ("inject", "what, ...", "a one-time fault"),
    (
        "wait-state",
        "state, boots (0), timeout_ms (60000)",
        "waits for a state",
    ),
    ("reset", "", "resets the chip"),
    ("unplug", "", "breaks the connection to the host"),
    ("quit", "", "ends the program"),
];

/// What can be injected.
pub const INJECT: &[Line] = &[
    ("msi", "vector (0)", "an interrupt"),
    ("message", "port, payload", "a message of the card"),
    ("header", "header, payload", "the same with any header"),
    ("wp-jump", "bytes", "moves the card's write pointer"),
];

fn list(lines: &[Line]) -> Value {
    lines
        .iter()
        .map(|(name, fields, about)| json!({ "name": name, "fields": fields, "about": about }))
        .collect()
}

/// The answer to `help`.
pub(super) fn answer() -> Value {
    json!({ "commands": list(COMMANDS), "inject": list(INJECT), "manual": "docs/emulator.md" })
}
