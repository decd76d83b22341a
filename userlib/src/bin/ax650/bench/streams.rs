// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 bench --streams`: requests that overlap.  A request copies to the card, calls, and copies back.

use std::time::{Duration, Instant};

use ax650::{Buffer, Card, CardMemory, Job, Part, Pending, Session, Stream};
use serde_json::{json, Value};

use super::Cost;
use crate::failure::{Failure, CARD};
use crate::in_flight::in_turn;
use crate::interrupt;
use crate::text;

/// Bytes of each copy.
const SIZE: usize = 64 << 10;
/// Requests of each way to send them.
const REQUESTS: u64 = 120;
/// What the call says.
const CALL: [u8; 8] = [0x5A; 8];

/// A stream with room for one request.
struct Lane {
    stream: Stream,
    source: Buffer,
    target: Buffer,
    memory: CardMemory,
}

impl Lane {
    fn new(session: &Session, number: u8) -> Result<Self, Failure> {
        let stream = session.stream().new_stream()?;
        let lane = Self {
            source: session.buffer(SIZE)?,
            target: session.buffer(SIZE)?,
            memory: CardMemory::new(&stream, SIZE as u64)?,
            stream,
        };
        lane.source.write()?.fill(number);
        Ok(lane)
    }

    fn job(&self) -> Job<'_> {
        let job = self.stream.job();
        job.then(Part::to_card(&self.source, 0..SIZE, &self.memory))
            .then(self.stream.echo_call(&CALL))
            .then(Part::from_card(&self.target, 0..SIZE, &self.memory))
    }

    fn finish(&self, pending: Pending) -> Result<(), Failure> {
        let mut done = pending.wait()?;
        ax650::check_echo(done.answer(1)?, &CALL)?;
        Ok(())
    }

    /// Does requests one after the other.
    fn one_by_one(&self, count: u64) -> Result<(), Failure> {
        for _ in 0..count {
            interrupt::check()?;
            self.finish(self.job().submit()?)?;
        }
        Ok(())
    }

    /// Sees that the bytes of this lane came back, and no other's.
    fn check(&self) -> Result<(), Failure> {
        if *self.source.read()? == *self.target.read()? {
            return Ok(());
        }
        Err(Failure::new(
            CARD,
            "what came back from the card is not what went there",
        ))
    }
}

/// One of the ways to send requests.
#[derive(Debug)]
struct Way {
    name: String,
    took: Duration,
    cost: Cost,
}

impl Way {
    fn per_second(&self) -> f64 {
        REQUESTS as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

/// What was measured.
#[derive(Debug)]
pub struct Overlap(Vec<Way>);

/// Measures requests one at a time, and `streams` at a time from one thread and from as many.
pub fn overlap(card: &Card, session: &Session, streams: u8) -> Result<Overlap, Failure> {
    let lanes: Vec<Lane> = (1..=streams)
        .map(|number| Lane::new(session, number))
        .collect::<Result<_, _>>()?;
    // The first request of a lane sets things up.
    lanes.iter().try_for_each(|lane| lane.one_by_one(1))?;
    let measure = |name: String, f: &dyn Fn() -> Result<(), Failure>| -> Result<Way, Failure> {
        let before = card.counters()?;
        let begin = Instant::now();
        f()?;
        let took = begin.elapsed();
        let cost = Cost::of(&before, &card.counters()?, REQUESTS);
        Ok(Way { name, took, cost })
    };
    let ways = vec![
        measure("one at a time".into(), &|| lanes[0].one_by_one(REQUESTS))?,
        measure(format!("{streams} at a time, one thread"), &|| {
            from_one_thread(&lanes)
        })?,
        measure(format!("{streams} at a time, {streams} threads"), &|| {
            from_many(&lanes)
        })?,
    ];
    lanes.iter().try_for_each(Lane::check)?;
    Ok(Overlap(ways))
}

/// Keeps a request of each lane under way.
fn from_one_thread(lanes: &[Lane]) -> Result<(), Failure> {
    let start = |lane: &Lane| Ok(lane.job().submit()?);
    in_turn(lanes, REQUESTS as usize, start, Lane::finish)
}

/// Gives each lane a thread, and its share of the requests.
fn from_many(lanes: &[Lane]) -> Result<(), Failure> {
    let count = lanes.len() as u64;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..)
            .zip(lanes)
            .map(|(at, lane)| {
                let share = REQUESTS / count + u64::from(at < REQUESTS % count);
                scope.spawn(move || lane.one_by_one(share))
            })
            .collect();
        threads.into_iter().try_for_each(|thread| {
            let panicked = |_| Failure::of("a thread of the measurement has panicked");
            thread.join().map_err(panicked)?
        })
    })
}

impl Overlap {
    /// Writes a table.
    pub fn text(&self) -> String {
        let title = [
            "REQUESTS",
            "PER SECOND",
            "MESSAGES",
            "DOORBELLS",
            "INTERRUPTS",
            "R+W REGISTERS",
        ];
        let mut rows = vec![title.map(String::from).to_vec()];
        for way in &self.0 {
            let mut row = vec![way.name.clone(), format!("{:.1}", way.per_second())];
            row.extend(way.cost.cells());
            rows.push(row);
        }
        let size = text::bytes(SIZE as u64);
        format!(
            "{REQUESTS} requests of {size} to the card, a call, {size} from the card:\n{}",
            text::table(&rows)
        )
    }

    /// Returns the same for programs.
    pub fn json(&self) -> Value {
        let ways = self.0.iter().map(|way| {
            json!({
                "name": way.name,
                "per_second": way.per_second(),
                "per_request": way.cost.json(),
            })
        });
        json!({ "bytes": SIZE, "requests": REQUESTS, "ways": ways.collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ax650::fake::FakeCard;

    #[test]
    fn each_way_sends_all_requests() {
        for streams in [1, 3, 7] {
            let fake = FakeCard::new();
            let card = fake.open();
            let session = card.session().unwrap();
            let Overlap(ways) = overlap(&card, &session, streams).unwrap();
            assert_eq!(ways.len(), 3);
            for way in &ways {
                // One job, with one call in it, a request.
                let Cost {
                    doorbells,
                    messages,
                    ..
                } = way.cost;
                assert_eq!((doorbells, messages), (1.0, 2.0), "{way:?}");
            }
            drop(session);
            assert_eq!(fake.card_memory_in_use(), 0);
        }
    }
}
