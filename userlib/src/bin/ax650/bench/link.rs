// SPDX-License-Identifier: MIT OR Apache-2.0

//! A model of the card's PCI Express link: what counts and bytes cost in time.  docs/performance.md has the source of
//! every constant.

/// Nanoseconds of a byte on one lane: 5 GT/s with 8b/10b coding are 500 MB/s.
const LANE_NS_PER_BYTE: f64 = 2.0;
/// Bytes of payload in a packet: the card's maximum.
const MAX_PAYLOAD: u64 = 128;
/// Bytes around the payload of a completion, which is how the card reads the host's memory: framing 2, sequence number
/// 2, header 12, check sum 4.
const COMPLETION: u64 = 20;
/// The same of a write with a 64-bit address, which is how the card writes the host's memory: the header has 16.
const WRITE_64: u64 = 24;
/// Bytes of the write of a register of 32 bits at a 32-bit address: header of 12, and the value.
const REGISTER_WRITE: u64 = 24;
/// Nanoseconds that a CPU waits for a register's value.
const REGISTER_READ_NS: f64 = 1000.0;
/// Nanoseconds from a message interrupt until its handler has run.
const INTERRUPT_NS: f64 = 2000.0;
/// Bytes of a message with its record in the ring: those of a RunModel of few tensors and of its answer are less.
const MESSAGE: u64 = 256;

/// What an operation has to do on the bus.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Work {
    /// Registers read by the host.
    pub reads: f64,
    /// Registers written by the host, those of doorbells among them.
    pub writes: f64,
    /// Interrupts of the card.
    pub interrupts: f64,
    /// Calls: each is a message to the card and one from it.
    pub calls: u64,
    /// Payload of copies to the card.
    pub to_card: u64,
    /// Payload of copies from the card.
    pub from_card: u64,
}

impl Work {
    /// Returns the least that any driver can do: one doorbell written, one interrupt, nothing read.
    pub fn limit(self) -> Self {
        Self {
            reads: 0.0,
            writes: 1.0,
            interrupts: 1.0,
            ..self
        }
    }
}

/// Bytes on the wire of `payload` bytes in packets of `around` bytes more.
fn on_the_wire(payload: u64, around: u64) -> u64 {
    payload + payload.div_ceil(MAX_PAYLOAD) * around
}

/// A link of Gen2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// Lanes: the card has two, many carriers wire one.
    pub lanes: u32,
}

impl Link {
    /// Links that there are.
    pub const ALL: [Self; 2] = [Self { lanes: 1 }, Self { lanes: 2 }];

    fn wire_ns(self, bytes: u64) -> f64 {
        bytes as f64 * LANE_NS_PER_BYTE / f64::from(self.lanes)
    }

    /// Nanoseconds of an operation, one thing after the other.
    pub fn time_ns(self, work: &Work) -> f64 {
        let message = |around| work.calls * on_the_wire(MESSAGE, around);
        let to = on_the_wire(work.to_card, COMPLETION) + message(COMPLETION);
        let from = on_the_wire(work.from_card, WRITE_64) + message(WRITE_64);
        work.reads * REGISTER_READ_NS
            + work.writes * self.wire_ns(REGISTER_WRITE)
            + work.interrupts * INTERRUPT_NS
            + self.wire_ns(to + from)
    }
}

/// Returns the constants, for those who read the figures without the manual.
pub fn constants() -> serde_json::Value {
    serde_json::json!({
        "lane_bytes_per_second": 1e9 / LANE_NS_PER_BYTE,
        "max_payload_bytes": MAX_PAYLOAD,
        "completion_overhead_bytes": COMPLETION,
        "write_overhead_bytes": WRITE_64,
        "register_write_bytes": REGISTER_WRITE,
        "register_read_us": REGISTER_READ_NS / 1e3,
        "interrupt_us": INTERRUPT_NS / 1e3,
        "message_bytes": MESSAGE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Link = Link { lanes: 1 };
    const TWO: Link = Link { lanes: 2 };

    #[test]
    fn payload_alone() {
        // 1 MiB is 8192 packets of 148 bytes to the card, of 152 from it; 2 ns each byte.
        let to = Work {
            to_card: 1 << 20,
            ..Work::default()
        };
        assert_eq!(ONE.time_ns(&to), 2_424_832.0);
        assert_eq!(TWO.time_ns(&to), 1_212_416.0);
        let from = Work {
            from_card: 1 << 20,
            ..Work::default()
        };
        assert_eq!(ONE.time_ns(&from), 2_490_368.0);
        // The last packet is short: 128 + 20, 1 + 20.
        let odd = Work {
            to_card: 129,
            ..Work::default()
        };
        assert_eq!(ONE.time_ns(&odd), 338.0);
        assert_eq!(ONE.time_ns(&Work::default()), 0.0);
    }

    #[test]
    fn rates_are_the_published_ones() {
        let rate = |link: Link, work: Work| ((1 << 30) as f64 / link.time_ns(&work) * 1e3).round();
        let to = Work {
            to_card: 1 << 30,
            ..Work::default()
        };
        let from = Work {
            from_card: 1 << 30,
            ..Work::default()
        };
        assert_eq!((rate(ONE, to), rate(TWO, to)), (432.0, 865.0));
        assert_eq!((rate(ONE, from), rate(TWO, from)), (421.0, 842.0));
    }

    #[test]
    fn a_small_call() {
        let call = Work {
            reads: 1.0,
            writes: 3.0,
            interrupts: 1.0,
            calls: 1,
            ..Work::default()
        };
        // 1000 for the read, 3 x 24 x 2 for the writes, 2000 for the interrupt, two packets each way: 296 x 2, 304 x 2.
        assert_eq!(ONE.time_ns(&call), 4344.0);
        assert_eq!(TWO.time_ns(&call), 3672.0);
        // One write, one interrupt, and the bytes.
        assert_eq!(ONE.time_ns(&call.limit()), 3248.0);
    }
}
