// SPDX-License-Identifier: MIT OR Apache-2.0

//! What operations cost: counts of the emulated card, which are exact, and in the long form of a case
//! time and CPU as well.  The harness compares the counts with the stored ones (tests/costs.json).

use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context as _, Result};
use nix::time::{clock_gettime, ClockId};
use serde_json::{json, Value};

use crate::case::{rounds, Context};
use crate::kernel;

/// Operations that are counted at least; the driver's own calls come in between now and then.
const LEAST: u32 = 5;
/// The same at most, while the stored counts are not reached.
const MOST: u32 = 60;

/// What an operation is on the bus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counts {
    /// Messages of both directions.
    pub messages: u64,
    /// Messages that the card was told of.
    pub doorbells: u64,
    /// Interrupts that arrived.
    pub interrupts: u64,
    /// Registers read.
    pub reads: u64,
    /// Registers written, doorbells among them.
    pub writes: u64,
    /// Accesses to configuration space.
    pub config: u64,
}

impl Counts {
    const NAMES: [&'static str; 6] = [
        "messages",
        "doorbells",
        "interrupts",
        "reads",
        "writes",
        "config",
    ];

    fn values(&self) -> [u64; 6] {
        [
            self.messages,
            self.doorbells,
            self.interrupts,
            self.reads,
            self.writes,
            self.config,
        ]
    }

    fn json(&self) -> Value {
        let pairs = Self::NAMES.iter().zip(self.values());
        Value::Object(
            pairs
                .map(|(name, value)| ((*name).into(), value.into()))
                .collect(),
        )
    }

    /// Registers read and written.
    pub fn registers(&self) -> u64 {
        self.reads + self.writes
    }

    /// Whether the registers were written for all doorbells that the card has looked at: one that was rung before the
    /// counters were set back is not a cost of what was counted.
    fn is_whole(&self) -> bool {
        self.writes > 0 && self.writes >= self.doorbells
    }

    fn sum(&self) -> u64 {
        self.values().iter().sum()
    }

    /// Whether nothing is more than in `stored`, as the harness has it: it lets the driver look before each bell whether the
    /// card is there.
    fn reaches(&self, stored: &Value) -> bool {
        Self::NAMES.iter().zip(self.values()).all(|(name, value)| {
            let looks = if *name == "config" { self.doorbells } else { 0 };
            stored[name]
                .as_u64()
                .is_none_or(|stored| value <= stored + looks)
        })
    }

    /// Takes them out of what a card has counted.
    fn of(counters: &Value) -> Self {
        let total = |wanted: &dyn Fn(&str) -> bool| -> u64 {
            let all = counters["counters"].as_object();
            let list = all.into_iter().flatten().filter(|(name, _)| wanted(name));
            list.filter_map(|(_, value)| value.as_u64()).sum()
        };
        // Names with a fourth part are shares of these.
        let registers = |name: &str, way: &str| {
            let mut parts = name.split('.');
            parts.next() == Some("mmio")
                && parts.next().is_some_and(|part| part.starts_with("bar"))
                && parts.next() == Some(way)
                && parts.next().is_none()
        };
        Self {
            messages: total(&|name| matches!(name, "ring.h2c.messages" | "ring.c2h.messages")),
            doorbells: total(&|name| name == "doorbell.received"),
            interrupts: total(&|name| name == "msi.sent"),
            reads: total(&|name| registers(name, "read")),
            writes: total(&|name| registers(name, "write")),
            config: total(&|name| matches!(name, "config.read" | "config.write")),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            messages: self.messages + other.messages,
            doorbells: self.doorbells + other.doorbells,
            interrupts: self.interrupts + other.interrupts,
            reads: self.reads + other.reads,
            writes: self.writes + other.writes,
            config: self.config + other.config,
        }
    }
}

/// Counts what `f` costs on the first `cards` cards together.
pub fn count(context: &mut Context, cards: u32, f: impl FnOnce() -> Result<()>) -> Result<Counts> {
    for card in 0..cards {
        let reset = json!({"reset": true});
        context.host.card(card, "counters", reset)?;
    }
    f()?;
    let mut sum = Counts::default();
    for card in 0..cards {
        let counters = context.host.card(card, "counters", json!({}))?;
        sum = sum.plus(Counts::of(&counters));
    }
    // Counters that do not count would make this a case that cannot fail.
    ensure!(
        sum.messages + sum.writes > 0,
        "nothing was counted: {sum:?}"
    );
    Ok(sum)
}

/// Counts the least that `f` costs on the first card, of so many `times`: the driver's own calls come in between now and
/// then.
pub fn least(
    context: &mut Context,
    times: u32,
    mut f: impl FnMut() -> Result<()>,
) -> Result<Counts> {
    let mut all = Vec::new();
    for _ in 0..times {
        all.push(count(context, 1, &mut f)?);
    }
    all.into_iter()
        .filter(Counts::is_whole)
        .min_by_key(|counts| counts.doorbells + counts.interrupts + counts.registers())
        .context("no measurement")
}

/// Measures operations and tells the harness.
pub struct Meter<'a> {
    context: &'a mut Context,
    door: &'static str,
    cards: u32,
}

impl<'a> Meter<'a> {
    /// Makes a meter of operations that go through this door of the driver, on the first card.
    pub fn new(context: &'a mut Context, door: &'static str) -> Self {
        Self {
            context,
            door,
            cards: 1,
        }
    }

    /// Counts on the first `cards` cards together.
    pub fn of_cards(self, cards: u32) -> Self {
        Self { cards, ..self }
    }

    /// Measures `f`, whose counts are exact: they are compared with the stored ones.  In its long form the case does
    /// it `times` times more, with a watch.
    pub fn measure(
        &mut self,
        name: &str,
        times: u32,
        mut f: impl FnMut() -> Result<()>,
    ) -> Result<Counts> {
        let name = format!("{}: {name}", self.door);
        let stored = self
            .context
            .host
            .harness("stored_costs", json!({"operation": name}))?;
        let mut best: Option<Counts> = None;
        for round in 1..=MOST {
            let now = count(self.context, self.cards, &mut f).with_context(|| name.clone())?;
            if now.is_whole() {
                best = best
                    .filter(|best| (best.sum(), *best) <= (now.sum(), now))
                    .or(Some(now));
            }
            let reached = best.is_some_and(|best| best.reaches(&stored["costs"]));
            if round >= LEAST && reached {
                break;
            }
        }
        let best = best.context("no measurement")?;
        let time = self.time(rounds(0, times), &mut f)?;
        self.tell(&name, best, true, time)?;
        Ok(best)
    }

    /// Measures `f` once, of which only some is the same each time: for the record.
    pub fn record(&mut self, name: &str, f: impl FnOnce() -> Result<()>) -> Result<Counts> {
        let name = format!("{}: {name}", self.door);
        let mut f = Some(f);
        let (begin, cpu) = (Instant::now(), cpu()?);
        let mut took = Duration::ZERO;
        let counts = count(self.context, self.cards, || {
            let result = f.take().context("twice")?();
            took = begin.elapsed();
            result
        })?;
        let time = watch_json(&mut [took], &cpu)?;
        self.tell(&name, counts, false, time)?;
        Ok(counts)
    }

    fn time(&mut self, times: u32, f: &mut dyn FnMut() -> Result<()>) -> Result<Value> {
        if times == 0 {
            return Ok(Value::Null);
        }
        let before = cpu()?;
        let mut took = Vec::with_capacity(times as usize);
        for _ in 0..times {
            let begin = Instant::now();
            f()?;
            took.push(begin.elapsed());
        }
        watch_json(&mut took, &before)
    }

    fn tell(&mut self, name: &str, counts: Counts, exact: bool, time: Value) -> Result<()> {
        eprintln!("{name}: {counts:?} {time}");
        let figure =
            json!({"operation": name, "costs": counts.json(), "exact": exact, "time": time});
        let answer = self.context.host.harness("costs", figure)?;
        match answer["dearer"].as_str() {
            Some(how) => bail!("{name} has become dearer: {how}"),
            None => Ok(()),
        }
    }
}

/// Times and CPU of each operation.
fn watch_json(took: &mut [Duration], before: &Cpu) -> Result<Value> {
    let after = cpu()?;
    took.sort_unstable();
    let count = took.len();
    let us = |time: Duration| time.as_nanos() as f64 / 1e3;
    let each = |after: Duration, before: Duration| us(after.saturating_sub(before)) / count as f64;
    Ok(json!({
        "count": count,
        "min_us": us(took[0]),
        "median_us": us(took[count / 2]),
        "p99_us": us(took[(count * 99).div_ceil(100) - 1]),
        "process_us": each(after.process, before.process),
        "driver_us": each(after.driver, before.driver),
    }))
}

/// CPU time, user and system: of this process with all its threads, and of the driver's own.
struct Cpu {
    process: Duration,
    driver: Duration,
}

fn cpu() -> Result<Cpu> {
    let process = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
    Ok(Cpu {
        process: process.into(),
        driver: driver_threads()?,
    })
}

/// Time that the driver's threads, and threads of its interrupts, have run.
fn driver_threads() -> Result<Duration> {
    let mut sum = 0;
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        // Processes end meanwhile.
        let Ok(name) = kernel::read(path.join("comm")) else {
            continue;
        };
        let ours =
            name.starts_with("ax650") || (name.starts_with("irq/") && name.contains("ax650"));
        let is_thread = || kernel::read(path.join("cmdline")).is_ok_and(|line| line.is_empty());
        if ours && is_thread() {
            let text = kernel::read(path.join("schedstat")).unwrap_or_default();
            let ran = text.split_whitespace().next();
            sum += ran.and_then(|ran| ran.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Ok(Duration::from_nanos(sum))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters() -> Value {
        json!({"counters": {
            "mmio.bar1.read": 2, "mmio.bar1.write": 6, "mmio.bar1.write.slot_data": 2, "mmio.bar4.write": 1,
            "mmio.outside": 9, "config.write": 3, "config.read": 1, "ring.h2c.messages": 4, "ring.h2c.bytes": 800,
            "ring.c2h.messages": 5, "doorbell.received": 2, "doorbell.received.x": 7, "msi.sent": 1,
        }})
    }

    #[test]
    fn counts_are_sums_of_what_is_asked_for() {
        let counts = Counts::of(&counters());
        assert_eq!(counts.values(), [9, 2, 1, 2, 7, 4]);
    }

    #[test]
    fn each_count_must_be_reached() {
        let counts = Counts::of(&counters());
        let mut stored = counts.json();
        assert!(counts.reaches(&stored));
        stored["interrupts"] = 0.into();
        stored["messages"] = 99.into();
        assert!(
            !counts.reaches(&stored),
            "less of one is no excuse for another"
        );
        assert!(counts.reaches(&Value::Null), "nothing is stored yet");
    }
}
