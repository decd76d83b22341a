// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 bench --decode N --encode N --infer N`: channels that work at once, on one card or several.  What each gives is
//! compared with what one gave alone before.

mod channel;
mod decode;
mod encode;
mod infer;
mod report;

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use ax650::{Card, Counters, Model, Session};

use super::Cost;
use crate::args::Many;
use crate::failure::Failure;
use crate::{interrupt, standard};
use channel::{Channel, Until};
use decode::{Clip, Decoding};
use encode::{Encoding, Pictures};
use infer::Inference;
use report::{Kind, Report, Tally};

/// Lets channels work at once, and tells how fast they were.
pub fn many(cards: &[Card], options: &Many, as_json: bool) -> Result<(), Failure> {
    let sessions = cards.iter().map(Card::session);
    let sessions = sessions.collect::<Result<Vec<_>, _>>()?;
    let pictures = Pictures::new(options.size)?;
    // What one gives alone, on the first card.
    let packets = match (options.encode, options.decode, &options.clip) {
        (None, None, _) | (None, _, Some(_)) => Vec::new(),
        _ => encode::alone(&sessions[0], &pictures)?,
    };
    let clip = match &options.clip {
        Some(path) => Clip::read(path)?,
        None => Clip::of(&packets, options.size),
    };
    let shown = match options.decode {
        Some(_) => decode::alone(&sessions[0], &clip)?,
        None => Vec::new(),
    };
    let models = models(&sessions, options)?;
    let results = models.first().map_or(Ok(Vec::new()), infer::alone)?;

    let mut channels: Vec<(Kind, Box<dyn Channel + '_>)> = Vec::new();
    let place = |number: usize| number % cards.len();
    for _ in 0..options.decode.unwrap_or(0) {
        let session = &sessions[place(channels.len())];
        let channel = Decoding::new(session, &clip, &shown);
        channels.push((Kind::Decode, Box::new(channel)));
    }
    for _ in 0..options.encode.unwrap_or(0) {
        let session = &sessions[place(channels.len())];
        let channel = Encoding::new(session, &pictures, &packets)?;
        channels.push((Kind::Encode, Box::new(channel)));
    }
    for _ in 0..options.infer.unwrap_or(0) {
        let model = &models[place(channels.len())];
        let channel = Inference::new(model, &results)?;
        channels.push((Kind::Infer, Box::new(channel)));
    }
    let before = counters(cards)?;
    let begin = Instant::now();
    let tallies = at_once(channels, options);
    let took = begin.elapsed();
    let after = counters(cards)?;
    interrupt::check()?;
    let done: u64 = tallies.iter().map(|tally| tally.done).sum();
    let costs = before.iter().zip(&after);
    let costs = costs.map(|(before, after)| Cost::of(before, after, done.max(1)));
    let report = Report {
        cards: cards.iter().map(|card| card.name().to_owned()).collect(),
        took,
        cost: costs.fold(Cost::default(), Cost::plus),
        tallies,
    };
    match as_json {
        true => writeln!(standard::output()?, "{}", report.json())?,
        false => write!(standard::output()?, "{}", report.text())?,
    }
    report.judge()
}

/// Loads the model onto each card.
fn models(sessions: &[Session], options: &Many) -> Result<Vec<Model>, Failure> {
    let load = |path: &PathBuf| {
        let all = sessions
            .iter()
            .map(|session| Ok(Model::load_file(session, path)?));
        all.collect()
    };
    options.infer_model.as_ref().map_or(Ok(Vec::new()), load)
}

fn counters(cards: &[Card]) -> Result<Vec<Counters>, Failure> {
    cards.iter().map(|card| Ok(card.counters()?)).collect()
}

/// Lets all channels begin at the same time, each in a thread of its own.
fn at_once(channels: Vec<(Kind, Box<dyn Channel + '_>)>, options: &Many) -> Vec<Tally> {
    let begin = Barrier::new(channels.len());
    let begin = &begin;
    thread::scope(|scope| {
        let threads: Vec<_> = channels
            .into_iter()
            .map(|(kind, mut channel)| {
                let thread = scope.spawn(move || {
                    begin.wait();
                    let (start, done) = (Instant::now(), AtomicU64::new(0));
                    let result = channel.work(Until::begin(options), &done);
                    Tally {
                        kind,
                        done: done.load(Ordering::Relaxed),
                        took: start.elapsed(),
                        failure: result.err().map(|failure| failure.message),
                    }
                });
                (kind, thread)
            })
            .collect();
        let tallies = threads.into_iter().map(|(kind, thread)| {
            thread.join().unwrap_or_else(|_| Tally {
                kind,
                done: 0,
                took: Duration::ZERO,
                failure: Some("its thread has ended with a panic".into()),
            })
        });
        tallies.collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ax650::fake::FakeCard;
    use clap::Parser;

    use crate::args::{Arguments, Command};
    use crate::failure::CARD;

    fn options(line: &str) -> Many {
        let words = format!("ax650 bench {line}");
        match Arguments::parse_from(words.split_whitespace()).command {
            Command::Bench(bench) => bench.many,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn channels_are_shared_out() {
        let fakes = [FakeCard::new(), FakeCard::new()];
        let cards = [fakes[0].open_as("ax650-0"), fakes[1].open_as("ax650-1")];
        for (line, second) in [
            ("--decode 3 --encode 2 --frames 20 --size 64x48", true),
            ("--decode 1 --seconds 0.2 --size 64x48", false),
            ("--encode 4 --frames 1 --size 64x48", true),
        ] {
            let before = fakes[1].submits();
            many(&cards, &options(line), true).unwrap();
            many(&cards, &options(line), false).unwrap();
            // With one channel the second card has only its session.
            assert_eq!(fakes[1].submits() > before + 10, second, "{line}");
            for fake in &fakes {
                assert_eq!(fake.open_handles(), (0, 0), "{line}");
                assert_eq!(fake.card_memory_in_use(), 0, "{line}");
            }
        }
    }

    /// A card that tells something else of pictures gives others.
    #[test]
    fn other_pictures_are_found() {
        let fakes = [FakeCard::new(), FakeCard::new()];
        let cards = [fakes[0].open_as("ax650-0"), fakes[1].open_as("ax650-1")];
        fakes[1].tell_of_pictures(|picture| picture.with_height(picture.height() - 2));
        let line = "--decode 2 --frames 20 --size 64x48";
        let failure = many(&cards, &options(line), true).unwrap_err();
        assert!(
            failure.message.contains("1 of 2 decoders"),
            "{}",
            failure.message
        );
        assert!(
            failure.message.contains("picture 0 is not"),
            "{}",
            failure.message
        );
        assert_eq!(failure.code, CARD);
    }
}
