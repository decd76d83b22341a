// SPDX-License-Identifier: MIT OR Apache-2.0

//! The list of all switches.

use serde_json::Value;

/// What a switch takes as its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A number; the switch stays set.
    Number,
    /// A number that is used up by one event.
    Once,
    /// A number of events, or `true` for all.
    Count,
    /// A number, or `true` for the strongest form.
    NumberOrAll,
    /// `{"field": NAME, "value": N, "count": N}`.
    Field,
    /// Whatever the service on the card makes of it.
    Any,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Number => "number",
            Self::Once => "once",
            Self::Count => "count",
            Self::NumberOrAll => "number-or-all",
            Self::Field => "field",
            Self::Any => "any",
        }
    }

    pub(super) fn wants(self) -> &'static str {
        match self {
            Self::Flag => "true or false",
            Self::Number | Self::Once => "a number that is not negative",
            Self::Count => "a number of events, or true for all",
            Self::NumberOrAll => "a number that is not negative, or true",
            Self::Field => {
                "{\"field\": destination|sender|port|reserved|length|check, \"value\": N, \"count\": N}"
            }
            Self::Any => "a value",
        }
    }

    pub(super) fn accepts(self, value: &Value) -> bool {
        match self {
            Self::Flag => value.is_boolean(),
            Self::Number | Self::Once => value.is_u64() || value == &Value::Bool(false),
            Self::Count | Self::NumberOrAll => value.is_u64() || value.is_boolean(),
            Self::Field => {
                let number = |name| value.get(name).and_then(Value::as_u64);
                let count = value.get("count").is_none() || number("count").is_some_and(|n| n > 0);
                let field = value.get("field").and_then(Value::as_str);
                let known = field.is_some_and(|f| HEADER_FIELDS.contains(&f));
                let fits = number("value").is_some_and(|n| n <= u64::from(u32::MAX));
                value == &Value::Bool(false) || (known && fits && count)
            }
            Self::Any => !value.is_null(),
        }
    }
}

/// The words of a message header, in their order [pcie 4.4].
pub const HEADER_FIELDS: [&str; 6] = [
    "destination",
    "sender",
    "port",
    "reserved",
    "length",
    "check",
];

/// One switch.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it does.
    pub about: &'static str,
}

const fn spec(name: &'static str, kind: Kind, about: &'static str) -> Spec {
    Spec { name, kind, about }
}

/// The switches of the hardware and of the card's kernel.
pub static TABLE: &[Spec] = &[
    spec(
        "loader.stuck",
        Kind::Flag,
        "the loader never looks at its command register",
    ),
    spec(
        "boot.status_fail",
        Kind::Number,
        "every boot command ends with these status bits instead of success",
    ),
    spec(
        "boot.status_never",
        Kind::Flag,
        "boot commands are picked up, but the status stays 0",
    ),
    spec(
        "boot.dma_error",
        Kind::Count,
        "the DMA of this many boot commands fails",
    ),
    spec(
        "boot.stale_done",
        Kind::Flag,
        "each chunk but the first is answered with a stale success before it is picked up",
    ),
    spec(
        "bar0.lost_write",
        Kind::Count,
        "this many writes to BAR0 are lost",
    ),
    spec(
        "uboot.slow_ms",
        Kind::Number,
        "U-Boot takes this long to start, ms",
    ),
    spec(
        "boot_reason",
        Kind::Number,
        "boot reason register at the next entry into the loader, and now if the card is there",
    ),
    spec(
        "step0.no_ack",
        Kind::Flag,
        "handshake step 0 is not acknowledged",
    ),
    spec(
        "step0.no_settle",
        Kind::Flag,
        "the card takes base and size as they are when it sees the flag, be they there or not",
    ),
    spec(
        "step0.delay_base_ms",
        Kind::Number,
        "time between the acknowledge of step 0 and the reading of base and size, ms",
    ),
    spec(
        "step1.no_ack",
        Kind::Flag,
        "the card does not announce itself in step 1",
    ),
    spec(
        "timesync.no_clear",
        Kind::Flag,
        "the control page is not cleared after time sync",
    ),
    spec(
        "timesync.delay_clear_ms",
        Kind::Number,
        "the control page is cleared this much later, ms",
    ),
    spec("card_id", Kind::Number, "the id the card calls itself"),
    spec(
        "silent",
        Kind::Flag,
        "the card stands still: no heartbeat, no reading, no answers; registers answer",
    ),
    spec(
        "all_ones",
        Kind::Flag,
        "registers and configuration space read as ones, writes vanish, the card stands still",
    ),
    spec("mailbox.empty", Kind::Flag, "there is no free mailbox slot"),
    spec(
        "mailbox.bad_slot",
        Kind::Number,
        "slot requests return this number",
    ),
    spec(
        "doorbell.ignore",
        Kind::Count,
        "this many doorbells are ignored: not counted, ring not read",
    ),
    spec(
        "msi.lose",
        Kind::NumberOrAll,
        "every Nth message interrupt is lost; true: all",
    ),
    spec(
        "msi.duplicate",
        Kind::Flag,
        "every message interrupt is sent twice",
    ),
    spec(
        "msi.storm",
        Kind::Number,
        "this many spurious message interrupts per second",
    ),
    spec(
        "msi.coalesce_ms",
        Kind::Number,
        "message interrupts are held back and merged for this long, ms",
    ),
    spec(
        "header.field",
        Kind::Field,
        "a header word of the next messages has this value",
    ),
    spec(
        "header.bad_check",
        Kind::Count,
        "the check word of this many messages is wrong",
    ),
    spec(
        "header.length",
        Kind::Once,
        "the header of the next message announces this length",
    ),
    spec(
        "ring.wp_jump",
        Kind::Once,
        "the write pointer moves this many bytes too far with the next message",
    ),
    spec(
        "ring.stuck",
        Kind::Flag,
        "the card counts doorbells but does not read its ring",
    ),
    spec(
        "heartbeat.interval",
        Kind::Number,
        "interval announced in the heartbeat, ms",
    ),
    spec(
        "heartbeat.frozen",
        Kind::Flag,
        "heartbeats repeat the same stamp",
    ),
    spec(
        "heartbeat.period_ms",
        Kind::Number,
        "time between heartbeats, ms",
    ),
    spec(
        "heartbeat.first_delay_ms",
        Kind::Number,
        "time until the first heartbeat after a boot, ms",
    ),
    spec(
        "heartbeat.v2",
        Kind::Flag,
        "heartbeats of V2 firmware: a 64-bit count at offset 8",
    ),
    spec(
        "reset.slow_ms",
        Kind::Number,
        "how long the link stays down in a chip reset, ms",
    ),
];
