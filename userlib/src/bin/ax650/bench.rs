// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 bench`

mod link;
mod many;
mod model;
mod streams;

use std::io::Write;
use std::time::{Duration, Instant};

use ax650::uapi::ax650_counters;
use ax650::{Card, CardMemory, Counters, Part, Stream};
use serde_json::{json, Value};

use crate::args::Bench;
use crate::failure::{Failure, CARD};
use crate::text::{self, Spread};
use crate::{interrupt, standard};

/// Calls that do not count.
const WARM_UP: u32 = 10;
/// Bytes of an echo.
const ECHO: usize = 8;
/// Copies of one size, at most.
const MAX_COPIES: u64 = 1000;
/// Jobs of the measurement of calls per second.
const CHAINS: u32 = 20;

/// Measures calls, copies and inference, as the options say, on the first card; channels that work at once on all.
pub fn bench(cards: &[Card], options: &Bench) -> Result<(), Failure> {
    if options.many.is_wanted() {
        return many::many(cards, &options.many, options.json);
    }
    let card = &cards[0];
    if options.model {
        return model::model(card, options.json);
    }
    let session = card.session()?;
    let stream = session.stream();
    let latency = latency(card, &stream, options.calls)?;
    let chained = chained(card, &stream)?;
    let mut copies = Vec::new();
    for size in &options.sizes {
        if *size > session.limits().max_buffer_bytes {
            let size = text::bytes(*size);
            return Err(Failure::usage(format!(
                "{size}: larger than a buffer may be"
            )));
        }
        copies.push(copy(card, &stream, *size, options.volume)?);
    }
    let overlap = options
        .streams
        .map(|streams| streams::overlap(card, &session, streams))
        .transpose()?;
    if options.json {
        let copies: Vec<_> = copies.iter().map(Copy::json).collect();
        let mut value =
            json!({ "latency": latency.json(), "calls": chained.json(), "copies": copies });
        if let Some(overlap) = overlap {
            value["overlap"] = overlap.json();
        }
        writeln!(standard::output()?, "{value}")?;
    } else {
        write!(
            standard::output()?,
            "{}\n{}\n{}",
            latency.text(),
            chained.text(),
            copy_table(&copies)
        )?;
        if let Some(overlap) = overlap {
            write!(standard::output()?, "\n{}", overlap.text())?;
        }
    }
    Ok(())
}

/// What one operation cost, on average.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    messages: f64,
    doorbells: f64,
    interrupts: f64,
    mmio_reads: f64,
    mmio_writes: f64,
}

impl Cost {
    fn of(before: &Counters, after: &Counters, operations: u64) -> Self {
        let per = |count: fn(&ax650_counters) -> u64| {
            count(&after.0).saturating_sub(count(&before.0)) as f64 / operations as f64
        };
        Self {
            messages: per(|counters| counters.messages_sent + counters.messages_received),
            doorbells: per(|counters| counters.doorbells),
            interrupts: per(|counters| counters.interrupts),
            mmio_reads: per(|counters| counters.mmio_reads),
            mmio_writes: per(|counters| counters.mmio_writes),
        }
    }

    /// Adds what was done at the same time on another card.
    fn plus(self, other: Self) -> Self {
        Self {
            messages: self.messages + other.messages,
            doorbells: self.doorbells + other.doorbells,
            interrupts: self.interrupts + other.interrupts,
            mmio_reads: self.mmio_reads + other.mmio_reads,
            mmio_writes: self.mmio_writes + other.mmio_writes,
        }
    }

    /// Tells which of two measurements of one thing had less in between.
    fn sum(&self) -> f64 {
        self.messages + self.doorbells + self.interrupts + self.mmio_reads + self.mmio_writes
    }

    fn cells(&self) -> [String; 4] {
        let mmio = format!("{:.2}+{:.2}", self.mmio_reads, self.mmio_writes);
        let [messages, doorbells, interrupts] =
            [self.messages, self.doorbells, self.interrupts].map(|count| format!("{count:.2}"));
        [messages, doorbells, interrupts, mmio]
    }

    fn text(&self) -> String {
        let [messages, doorbells, interrupts, mmio] = self.cells();
        format!("{messages} messages, {doorbells} doorbells, {interrupts} interrupts, {mmio} register reads+writes")
    }

    fn json(&self) -> Value {
        json!({
            "messages": self.messages,
            "doorbells": self.doorbells,
            "interrupts": self.interrupts,
            "mmio_reads": self.mmio_reads,
            "mmio_writes": self.mmio_writes,
        })
    }
}

struct Latency {
    spread: Spread,
    cost: Cost,
    calls: u32,
}

fn latency(card: &Card, stream: &Stream, calls: u32) -> Result<Latency, Failure> {
    let data = [0x5A; ECHO];
    for _ in 0..WARM_UP {
        stream.echo(&data, None)?;
    }
    let before = card.counters()?;
    let mut times = Vec::with_capacity(calls as usize);
    for _ in 0..calls {
        interrupt::check()?;
        let begin = Instant::now();
        stream.echo(&data, None)?;
        times.push(begin.elapsed());
    }
    let cost = Cost::of(&before, &card.counters()?, calls.into());
    Ok(Latency {
        spread: Spread::of(times),
        cost,
        calls,
    })
}

impl Latency {
    fn text(&self) -> String {
        let [min, avg, p99] = self.spread.cells();
        let cost = self.cost.text();
        format!(
            "Latency of {} calls: min {min}, avg {avg}, p99 {p99}\n  per call: {cost}\n",
            self.calls
        )
    }

    fn json(&self) -> Value {
        let mut value = self.spread.json();
        value["count"] = self.calls.into();
        value["per_call"] = self.cost.json();
        value
    }
}

struct Chained {
    chain: usize,
    per_second: f64,
    cost: Cost,
}

/// Calls that are queued with one request and do not wait for each other.
fn chained(card: &Card, stream: &Stream) -> Result<Chained, Failure> {
    let chain = (stream.session().limits().max_steps_per_job as usize).min(32);
    let before = card.counters()?;
    let mut took = Duration::ZERO;
    for _ in 0..CHAINS {
        interrupt::check()?;
        let mut job = stream.job();
        for step in 0..chain {
            job = job.along(stream.echo_call(&[step as u8; ECHO]));
        }
        let begin = Instant::now();
        let mut done = job.run()?;
        took += begin.elapsed();
        for step in 0..chain {
            ax650::check_echo(done.answer(step)?, &[step as u8; ECHO])?;
        }
    }
    let calls = u64::from(CHAINS) * chain as u64;
    let cost = Cost::of(&before, &card.counters()?, calls);
    Ok(Chained {
        chain,
        per_second: calls as f64 / took.as_secs_f64(),
        cost,
    })
}

impl Chained {
    fn text(&self) -> String {
        let Self {
            chain,
            per_second,
            cost,
        } = self;
        format!(
            "Calls in jobs of {chain}: {per_second:.0} calls/s\n  per call: {}\n",
            cost.text()
        )
    }

    fn json(&self) -> Value {
        json!({ "chain": self.chain, "per_second": self.per_second, "per_call": self.cost.json() })
    }
}

struct Copy {
    size: u64,
    count: u64,
    to_card: (Duration, Cost),
    from_card: (Duration, Cost),
}

fn copy(card: &Card, stream: &Stream, size: u64, volume: u64) -> Result<Copy, Failure> {
    let len = size as usize;
    let memory = CardMemory::new(stream, size)?;
    let (source, target) = (stream.session().buffer(len)?, stream.session().buffer(len)?);
    for (index, bytes) in source.write()?.chunks_mut(8).enumerate() {
        let value = (index as u64)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .to_le_bytes();
        bytes.copy_from_slice(&value[..bytes.len()]);
    }
    let count = (volume / size).clamp(1, MAX_COPIES);
    let address = memory.address();
    let measure = |part: &dyn Fn() -> Part| -> Result<_, Failure> {
        // The first copy sets things up.
        stream.job().then(part()).run()?;
        let before = card.counters()?;
        let begin = Instant::now();
        for _ in 0..count {
            interrupt::check()?;
            stream.job().then(part()).run()?;
        }
        let took = begin.elapsed();
        Ok((took, Cost::of(&before, &card.counters()?, count)))
    };
    let to_card = measure(&|| Part::to_card(&source, 0..len, address))?;
    let from_card = measure(&|| Part::from_card(&target, 0..len, address))?;
    if *source.read()? != *target.read()? {
        return Err(Failure::new(
            CARD,
            format!("{size} bytes came back from the card changed"),
        ));
    }
    Ok(Copy {
        size,
        count,
        to_card,
        from_card,
    })
}

impl Copy {
    /// Bytes per second.
    fn rate(&self, took: Duration) -> f64 {
        (self.size * self.count) as f64 / took.as_secs_f64().max(1e-9)
    }

    fn json(&self) -> Value {
        let way = |(took, cost): &(Duration, Cost)| {
            json!({
                "bytes_per_second": self.rate(*took),
                "us_per_copy": took.as_secs_f64() * 1e6 / self.count as f64,
                "per_copy": cost.json(),
            })
        };
        json!({
            "bytes": self.size,
            "count": self.count,
            "to_card": way(&self.to_card),
            "from_card": way(&self.from_card),
        })
    }
}

fn copy_table(copies: &[Copy]) -> String {
    let title = [
        "COPIES",
        "SIZE",
        "WAY",
        "MB/s",
        "TIME",
        "MESSAGES",
        "DOORBELLS",
        "INTERRUPTS",
        "R+W REGISTERS",
    ];
    let mut rows = vec![title.map(String::from).to_vec()];
    for copy in copies {
        for (way, (took, cost)) in [("to card", &copy.to_card), ("from card", &copy.from_card)] {
            let mut row = vec![
                copy.count.to_string(),
                text::bytes(copy.size),
                way.into(),
                format!("{:.1}", copy.rate(*took) / 1e6),
                text::time(*took / copy.count as u32),
            ];
            row.extend(cost.cells());
            rows.push(row);
        }
    }
    text::table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ax650::fake::FakeCard;

    #[test]
    fn costs_are_differences_of_counters() {
        let fake = FakeCard::new();
        let card = fake.open();
        let session = card.session().unwrap();
        let measured = latency(&card, &session.stream(), 50).unwrap();
        assert_eq!(
            (measured.cost.messages, measured.cost.doorbells),
            (2.0, 1.0)
        );
        let measured = chained(&card, &session.stream()).unwrap();
        assert_eq!((measured.chain, measured.cost.messages), (32, 2.0));
        assert_eq!(measured.cost.doorbells, 1.0 / 32.0);
    }

    #[test]
    fn copies_of_all_sizes() {
        let card = FakeCard::new().open();
        let session = card.session().unwrap();
        for size in [1, 4096, 100_000] {
            let measured = copy(&card, &session.stream(), size, 1 << 20).unwrap();
            assert_eq!(measured.count, ((1 << 20) / size).min(1000));
            assert!(copy_table(&[measured]).contains("from card"));
        }
    }
}
