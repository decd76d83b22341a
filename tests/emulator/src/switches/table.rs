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
    /// Its name in the manual and on the control socket.
    pub fn name(self) -> &'static str {
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
    /// What it does, as the manual and the control socket tell it.
    pub about: &'static str,
}

const fn spec(name: &'static str, kind: Kind, about: &'static str) -> Spec {
    Spec { name, kind, about }
}

/// The switches of the hardware and of the card's kernel, by what they are of.  This is the one place that
/// knows a switch: the control socket, the command line and docs/emulator.md follow it.
pub static TABLE: &[(&str, &[Spec])] = &[
    ("Boot", &[
        spec("loader.stuck", Kind::Flag, "the loader never looks at its command register"),
        spec("boot.status_fail", Kind::Number, "every command ends with these status bits instead of success [pcie 3.3]"),
        spec("boot.status_never", Kind::Flag, "commands are picked up, the status stays 0"),
        spec("boot.dma_error", Kind::Count, "the DMA of commands fails: status bit 1"),
        spec("boot.stale_done", Kind::Flag, "each command to U-Boot is answered with a stale success 20 ms before it is picked up"),
        spec("bar0.lost_write", Kind::Count, "writes to BAR0 are lost"),
        spec("uboot.slow_ms", Kind::Number, "U-Boot starts this late; commands stay pending (above 6000 the host must give up)"),
        spec("boot_reason", Kind::Number, "boot reason register, at the next start of the loader and at once if the card is there"),
        spec("reset.slow_ms", Kind::Number, "how long the link stays down in a reset, instead of 200"),
    ]),
    ("Handshake", &[
        spec("step0.no_ack", Kind::Flag, "the card does not acknowledge step 0"),
        spec("step0.no_settle", Kind::Flag, "the card takes base and size as they are when it sees the flag, be they there or not"),
        spec("step0.delay_base_ms", Kind::Number, "the card reads base and size this long after its acknowledge"),
        spec("step1.no_ack", Kind::Flag, "the card does not announce itself in step 1"),
        spec("timesync.no_clear", Kind::Flag, "the control page is not cleared after time sync"),
        spec("timesync.delay_clear_ms", Kind::Number, "it is cleared late"),
        spec("card_id", Kind::Number, "the id that the card calls itself, as `--card-id`"),
    ]),
    ("The whole card", &[
        spec("silent", Kind::Flag, "silent death: no heartbeat, no reading, no answers, no DMA; registers still answer, mailbox slots run out. When cleared, the card goes on where it stood"),
        spec("hostile", Kind::Number, "with a seed: the card does what harm it can, at random: messages, headers, changed answers, ring pointers, control page, interrupts, DMA to anywhere; `hostile.events` counts. Only behind an IOMMU: without one it writes all over the host"),
        spec("all_ones", Kind::Flag, "gone: registers and configuration space read as ones, writes vanish, nothing is sent"),
    ]),
    ("Doorbells, rings, interrupts", &[
        spec("mailbox.empty", Kind::Flag, "slot requests return ones"),
        spec("mailbox.bad_slot", Kind::Number, "slot requests return this number"),
        spec("doorbell.ignore", Kind::Count, "doorbells are neither counted at S+0x28 nor served"),
        spec("ring.stuck", Kind::Flag, "doorbells are counted, the h2c ring is not read; when cleared, the next doorbell has it read"),
        spec("ring.wp_jump", Kind::Once, "the c2h write pointer moves this many bytes too far with the next message"),
        spec("header.field", Kind::Field, r#"`{"field":F,"value":N,"count":N}`: a header word of the next messages; F is destination, sender, port, reserved, length or check"#),
        spec("header.bad_check", Kind::Count, "the check word of messages is wrong"),
        spec("header.length", Kind::Once, "the header of the next message announces this length"),
        spec("msi.lose", Kind::NumberOrAll, "every Nth message interrupt is lost; true: all"),
        spec("msi.duplicate", Kind::Flag, "every message interrupt is sent twice"),
        spec("msi.storm", Kind::Number, "so many spurious interrupts per second, at most 10000"),
        spec("msi.coalesce_ms", Kind::Number, "interrupts are held back and merged for this long"),
    ]),
    ("Heartbeat", &[
        spec("heartbeat.interval", Kind::Number, "interval announced to the host, instead of 9000 ms"),
        spec("heartbeat.period_ms", Kind::Number, "time between beats, instead of 3000"),
        spec("heartbeat.first_delay_ms", Kind::Number, "time until the first beat"),
        spec("heartbeat.frozen", Kind::Flag, "the stamp does not change"),
        spec("heartbeat.v2", Kind::Flag, "beats of V2 firmware: a 64-bit count at offset 8"),
    ]),
];

/// Returns all switches of the table.
pub fn hardware() -> impl Iterator<Item = &'static Spec> {
    TABLE.iter().flat_map(|(_, specs)| specs.iter())
}
