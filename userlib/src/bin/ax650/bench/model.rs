// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 bench --model`: counts of this card and driver, put into the model of the link, beside those of Axera's driver.

use std::io::Write;
use std::ops::Range;

use ax650::{Buffer, Card, CardMemory, Job, Part, Stream};
use serde_json::{json, Value};

use super::link::{self, Link, Work};
use super::Cost;
use crate::failure::Failure;
use crate::text;
use crate::{interrupt, standard};

/// How often an operation is counted: calls of the driver's own come in between now and then.
const ROUNDS: u32 = 7;
/// Bytes of an echo that stands for another call.
const CALL: [u8; 100] = [0x5A; 100];

/// A part of an operation.  A call is an echo here: what a call does on the bus does not depend on what it says.
#[derive(Debug, Clone, Copy)]
enum Doing {
    Call,
    ToCard(u64),
    FromCard(u64),
}
use Doing::{Call, FromCard, ToCard};

/// What users wait for.
#[derive(Debug)]
struct Operation {
    name: &'static str,
    /// What is said of it in a table.
    what: &'static str,
    /// Jobs, one after the other.
    jobs: &'static [&'static [Doing]],
    /// Calls of the first job do not wait for each other.
    pipelined: bool,
    /// Doorbells and interrupts of Axera's driver.  Each of its doorbells is 1 read and 3 writes [pcie 4.8].
    axera: (u64, u64),
}

/// Bytes of a 1080p picture in NV12, of the packet that becomes of it, of an RGB picture that a detector looks at, and of
/// what it finds.
const PICTURE: u64 = 1920 * 1080 * 3 / 2;
const PACKET: u64 = 20_000;
const INPUT: u64 = 640 * 640 * 3;
const OUTPUT: u64 = 8400 * 84;

const OPERATIONS: [Operation; 3] = [
    Operation {
        name: "token",
        what: "37 calls (RunModel)",
        jobs: &[&[Call; 37]],
        pipelined: true,
        axera: (37, 37),
    },
    Operation {
        name: "frame",
        what: "1080p encoded: picture in, packet out",
        jobs: &[
            &[ToCard(PICTURE), Call],
            &[Call],
            &[FromCard(PACKET)],
            &[Call],
        ],
        pipelined: false,
        axera: (3 + 1 + 1 + 4 + 1, 2 + 1 + 1 + 1 + 1),
    },
    Operation {
        name: "inference",
        what: "640x640x3 in, run, 8400x84 out",
        jobs: &[&[ToCard(INPUT), Call, FromCard(OUTPUT)]],
        pipelined: false,
        axera: (3 + 1 + 4, 2 + 1 + 1),
    },
];

impl Operation {
    fn doings(&self) -> impl Iterator<Item = &'static Doing> {
        self.jobs.iter().copied().flatten()
    }

    /// Returns the work without what a driver does for it.
    fn payload(&self) -> Work {
        let mut work = Work::default();
        for doing in self.doings() {
            match doing {
                Call => work.calls += 1,
                ToCard(bytes) => work.to_card += bytes,
                FromCard(bytes) => work.from_card += bytes,
            }
        }
        work
    }

    fn axera(&self) -> Work {
        let (doorbells, interrupts) = self.axera;
        Work {
            reads: doorbells as f64,
            writes: 3.0 * doorbells as f64,
            interrupts: interrupts as f64,
            ..self.payload()
        }
    }

    /// Returns the work as this driver does it.
    fn ours(&self, cost: &Cost) -> Work {
        Work {
            reads: cost.mmio_reads,
            writes: cost.mmio_writes,
            interrupts: cost.interrupts,
            ..self.payload()
        }
    }
}

/// Room for the copies of all operations.
struct Room<'a> {
    stream: &'a Stream,
    buffer: Buffer,
    memory: CardMemory,
}

impl Room<'_> {
    fn range(bytes: u64) -> Range<usize> {
        0..bytes as usize
    }

    /// Does an operation once.
    fn run(&self, operation: &Operation) -> Result<(), Failure> {
        let most = self.stream.session().limits().max_steps_per_job.max(1) as usize;
        for doings in operation.jobs.iter().flat_map(|job| job.chunks(most)) {
            let mut job = self.stream.job();
            for doing in doings {
                job = self.add(job, *doing, operation.pipelined);
            }
            job.run()?;
        }
        Ok(())
    }

    fn add<'a>(&self, job: Job<'a>, doing: Doing, pipelined: bool) -> Job<'a> {
        let address = self.memory.address();
        match doing {
            Call if pipelined => job.along(self.stream.echo_call(&CALL)),
            Call => job.then(self.stream.echo_call(&CALL)),
            ToCard(bytes) => job.then(Part::to_card(&self.buffer, Self::range(bytes), address)),
            FromCard(bytes) => job.then(Part::from_card(&self.buffer, Self::range(bytes), address)),
        }
    }
}

/// Counts the operations and prints what the model makes of them.
pub fn model(card: &Card, as_json: bool) -> Result<(), Failure> {
    let session = card.session()?;
    let stream = session.stream();
    let room = Room {
        stream: &stream,
        buffer: session.buffer(PICTURE as usize)?,
        memory: CardMemory::new(&stream, PICTURE)?,
    };
    let mut rows = Vec::new();
    for operation in &OPERATIONS {
        room.run(operation)?;
        let mut best: Option<Cost> = None;
        for _ in 0..ROUNDS {
            interrupt::check()?;
            let before = card.counters()?;
            room.run(operation)?;
            let now = Cost::of(&before, &card.counters()?, 1);
            best = best.filter(|best| best.sum() <= now.sum()).or(Some(now));
        }
        rows.extend(best.map(|cost| (operation, cost)));
    }
    let mut output = standard::output()?;
    if as_json {
        writeln!(output, "{}", to_json(&rows))?;
    } else {
        write!(output, "{}", to_text(&rows))?;
    }
    Ok(())
}

const NOTE: &str = "A model, not a measurement: counts of this card and driver, and of Axera's, on the card's published \
                    link; without the time of the card itself and of software (docs/performance.md).";

fn us(link: Link, work: &Work) -> f64 {
    link.time_ns(work) / 1e3
}

fn to_text(rows: &[(&Operation, Cost)]) -> String {
    let title = [
        "OPERATION",
        "LINK",
        "OURS D/I/R+W",
        "AXERA D/I/R+W",
        "OURS",
        "AXERA",
        "OURS/AXERA",
        "LIMIT",
        "WHAT",
    ];
    let mut lines = vec![title.map(String::from).to_vec()];
    for (operation, cost) in rows {
        let (ours, axera) = (operation.ours(cost), operation.axera());
        let counts = |doorbells: f64, work: &Work| {
            let Work {
                interrupts,
                reads,
                writes,
                ..
            } = work;
            format!("{doorbells:.0}/{interrupts:.0}/{reads:.0}+{writes:.0}")
        };
        for link in Link::ALL {
            let times = [&ours, &axera, &ours.limit()].map(|work| us(link, work));
            let [our_time, their_time, limit] = times.map(|us| format!("{us:.1} us"));
            lines.push(vec![
                operation.name.into(),
                format!("Gen2 x{}", link.lanes),
                counts(cost.doorbells, &ours),
                counts(operation.axera.0 as f64, &axera),
                our_time,
                their_time,
                format!("{:.2}", times[0] / times[1]),
                limit,
                operation.what.into(),
            ]);
        }
    }
    format!("{NOTE}\n\n{}", text::table(&lines))
}

fn to_json(rows: &[(&Operation, Cost)]) -> Value {
    let operations: Vec<Value> = rows
        .iter()
        .map(|(operation, cost)| {
            let (ours, axera) = (operation.ours(cost), operation.axera());
            let payload = operation.payload();
            let times = Link::ALL.map(|link| {
                json!({
                    "lanes": link.lanes,
                    "ours_us": us(link, &ours),
                    "axera_us": us(link, &axera),
                    "limit_us": us(link, &ours.limit()),
                })
            });
            json!({
                "name": operation.name,
                "what": operation.what,
                "calls": payload.calls,
                "bytes_to_card": payload.to_card,
                "bytes_from_card": payload.from_card,
                "ours": cost.json(),
                "axera": {
                    "doorbells": operation.axera.0,
                    "interrupts": axera.interrupts,
                    "mmio_reads": axera.reads,
                    "mmio_writes": axera.writes,
                },
                "times": times,
            })
        })
        .collect();
    json!({ "note": NOTE, "constants": link::constants(), "operations": operations })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(doorbells: f64, interrupts: f64) -> Cost {
        Cost {
            messages: 74.0,
            doorbells,
            interrupts,
            mmio_reads: doorbells,
            mmio_writes: 3.0 * doorbells,
        }
    }

    #[test]
    fn axeras_counts_are_sums_of_its_calls_and_copies() {
        let work = OPERATIONS.map(|operation| operation.axera());
        assert_eq!((work[0].reads, work[0].writes), (37.0, 111.0));
        // Copies 3/2/12 and 4/1/16, calls 1/1/4.
        let three = |w: &Work| (w.reads, w.interrupts, w.reads + w.writes);
        assert_eq!(three(&work[1]), (10.0, 6.0, 40.0));
        assert_eq!(three(&work[2]), (8.0, 4.0, 32.0));
    }

    #[test]
    fn a_token_by_hand() {
        let token = &OPERATIONS[0];
        // 37 small calls of 4344 ns; the same bytes with 1 read, 3 writes, 1 interrupt.
        let one = Link { lanes: 1 };
        assert_eq!(one.time_ns(&token.axera()), 37.0 * 4344.0);
        let bytes = 37.0 * 1200.0;
        assert_eq!(one.time_ns(&token.ours(&cost(1.0, 1.0))), bytes + 3144.0);
        assert_eq!(one.time_ns(&token.payload().limit()), bytes + 2048.0);
        let text = to_text(&[(token, cost(1.0, 37.0))]);
        assert!(
            text.contains("1/37/1+3") && text.contains("37/37/37+111"),
            "{text}"
        );
        assert!(text.starts_with("A model"), "{text}");
        let json = to_json(&[(token, cost(1.0, 1.0))]);
        assert_eq!(json["operations"][0]["times"][0]["axera_us"], 160.728);
        assert_eq!(json["constants"]["interrupt_us"], 2.0);
    }
}
