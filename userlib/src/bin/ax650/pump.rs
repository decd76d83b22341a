// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sends the packets of a clip to decoders and takes the pictures out: one decoder after the other where the size or the
//! codec changes, so that each picture comes out as it is.  Keeps the books on what went in and what came out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ax650::media::{Decoder, DecoderConfig, Frame, Received, VdecStatus};
use ax650::Session;

use crate::failure::{Failure, CARD};
use crate::interrupt;
use crate::notes::Notes;
use crate::video::clip::{Clip, Format, Unit};

/// A decoder that was fed and gives nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// When a picture is shown, in ticks of the clip.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// From when; elementary streams do not tell.
    pub time: Option<i64>,
    /// How long.
    pub duration: u32,
}

/// Takes the pictures.
pub trait Consumer {
    /// Pictures of this format follow.
    fn begin(&mut self, format: Format) -> Result<(), Failure>;
    /// A picture; false if no more is wanted.
    fn picture(&mut self, frame: Frame, moment: Moment) -> Result<bool, Failure>;
}

/// What became of a clip.
#[derive(Debug, Default)]
pub struct Report {
    /// Pictures that came out to be shown.
    pub shown: u64,
    /// Pictures that should have been shown and did not come out.
    pub lost: u64,
    /// Packets at the beginning of the clip that cannot be decoded by themselves.
    pub skipped: u64,
    /// Errors that the card has counted, in words.
    pub errors: Vec<String>,
    /// Whether the clip went through to its end.
    pub complete: bool,
}

/// Packets that are in a decoder, by the time stamp that was sent with them.
#[derive(Default)]
struct Books {
    inside: BTreeMap<u64, Sent>,
    number: u64,
    first_out: Option<u64>,
    lost: u64,
}

#[derive(Clone, Copy)]
struct Sent {
    number: u64,
    moment: Moment,
    shown: bool,
    optional: bool,
}

impl Books {
    /// Notes a packet; the time stamp to send it with.
    fn enter(&mut self, unit: &Unit, micros: Option<u64>) -> u64 {
        let number = self.number;
        self.number += 1;
        let mut stamp = micros.unwrap_or(number);
        while self.inside.contains_key(&stamp) {
            stamp = stamp.wrapping_add(1);
        }
        self.inside.insert(
            stamp,
            Sent {
                number,
                moment: Moment {
                    time: unit.time,
                    duration: unit.duration,
                },
                shown: unit.shown,
                optional: unit.optional,
            },
        );
        stamp
    }

    /// The packet that a picture with this time stamp belongs to.
    fn leave(&mut self, stamp: u64) -> Option<Sent> {
        let sent = match self.inside.remove(&stamp) {
            Some(sent) => sent,
            // The card does not say, so it is the one that should come first.
            None => self.inside.pop_first()?.1,
        };
        let first = self.first_out.get_or_insert(sent.number);
        *first = (*first).min(sent.number);
        Some(sent)
    }

    /// A decoder has ended: what is still in it will not come.
    fn close(&mut self, report: &mut Report) {
        for sent in std::mem::take(&mut self.inside).into_values() {
            if !sent.shown {
                continue;
            }
            match self.first_out {
                Some(first) if sent.number < first || sent.optional => report.skipped += 1,
                _ => report.lost += 1,
            }
        }
        report.lost += std::mem::take(&mut self.lost);
    }
}

/// What feeding and receiving threads share.
#[derive(Default)]
struct Shared {
    books: Mutex<Books>,
    stop: AtomicBool,
    /// The feeding thread waits for input, so the decoder has nothing to do.
    waiting: AtomicBool,
    /// The consumer has a picture in hand: its output may be a pipe that nobody empties for a while.
    busy: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Decodes a clip; `spare` is how many pictures the consumer keeps.
pub fn run(
    session: &Session,
    clip: &mut Clip,
    spare: u32,
    consumer: &mut dyn Consumer,
) -> Result<Report, Failure> {
    let shared = Shared::default();
    let mut report = Report::default();
    let mut next = clip.next()?;
    while let Some(unit) = next.take() {
        let format = unit.format;
        consumer.begin(format)?;
        let mut config = DecoderConfig::new(format.codec, format.width, format.height);
        config.frame_rate = clip.rate.value() as f32;
        config.pictures += spare;
        let decoder = Decoder::new(session, &config)?;
        let more = segment(
            &decoder,
            clip,
            unit,
            &mut next,
            &shared,
            &mut report,
            consumer,
        )?;
        if !more {
            return Ok(report);
        }
        lock(&shared.books).close(&mut report);
        // A card that does not know has nothing to report.
        match decoder.status() {
            Ok(status) => errors(&status, &mut report.errors),
            Err(error) => log::debug!("{error}"),
        }
    }
    report.complete = true;
    Ok(report)
}

/// Decodes pictures of one format; false if the consumer wants no more.
fn segment(
    decoder: &Decoder,
    clip: &mut Clip,
    first: Unit,
    next: &mut Option<Unit>,
    shared: &Shared,
    report: &mut Report,
    consumer: &mut dyn Consumer,
) -> Result<bool, Failure> {
    let stop_reading = clip.stop();
    let more = std::thread::scope(|scope| {
        let feeder = std::thread::Builder::new().spawn_scoped(scope, || {
            if let Err(error) = feed(decoder, clip, first, next, shared) {
                *lock(&shared.failure) = Some(error);
            }
        });
        let feeder =
            feeder.map_err(|error| Failure::of(format!("a thread cannot be started: {error}")))?;
        let result = receive(decoder, shared, report, consumer);
        if !matches!(result, Ok(true)) {
            shared.stop.store(true, Ordering::Relaxed);
            stop_reading.store(true, Ordering::Relaxed);
        }
        // The thread may be waiting for room in the decoder.
        while !feeder.is_finished() && decoder.receive(Duration::from_millis(50)).is_ok() {}
        result
    })?;
    // The receiver may have seen the end of what was sent before the failure.
    match lock(&shared.failure).take() {
        Some(error) if more => Err(error),
        _ => Ok(more),
    }
}

/// Takes pictures to the end; false if the consumer wants no more.
fn receive(
    decoder: &Decoder,
    shared: &Shared,
    report: &mut Report,
    consumer: &mut dyn Consumer,
) -> Result<bool, Failure> {
    let mut last = Instant::now();
    loop {
        match decoder.receive(Duration::from_millis(200))? {
            Received::Some(frame) => {
                last = Instant::now();
                let sent = lock(&shared.books).leave(frame.pts());
                let moment = sent.map_or(
                    Moment {
                        time: None,
                        duration: 0,
                    },
                    |sent| sent.moment,
                );
                if sent.is_some_and(|sent| !sent.shown) {
                    continue;
                }
                report.shown += 1;
                shared.busy.store(true, Ordering::Relaxed);
                let more = consumer.picture(frame, moment);
                shared.busy.store(false, Ordering::Relaxed);
                if !more? {
                    return Ok(false);
                }
                last = Instant::now();
            }
            Received::Nothing => {
                interrupt::check()?;
                if let Some(failure) = lock(&shared.failure).take() {
                    return Err(failure);
                }
                if shared.waiting.load(Ordering::Relaxed) {
                    last = Instant::now();
                } else if last.elapsed() > PATIENCE {
                    let seconds = PATIENCE.as_secs();
                    return Err(Failure::new(
                        CARD,
                        format!("the decoder gave no picture for {seconds} s"),
                    ));
                }
            }
            Received::End => return Ok(true),
        }
    }
}

/// Sends packets as long as the format stays; then `next` is the first of another.
fn feed(
    decoder: &Decoder,
    clip: &mut Clip,
    first: Unit,
    next: &mut Option<Unit>,
    shared: &Shared,
) -> Result<(), Failure> {
    let format = first.format;
    let timescale = clip.timescale;
    let micros = |unit: &Unit| {
        let time = unit.time.filter(|_| timescale > 0)?.max(0);
        u64::try_from(i128::from(time) * 1_000_000 / i128::from(timescale)).ok()
    };
    let mut unit = Some(first);
    while let Some(packet) = unit.take() {
        if packet.format != format {
            *next = Some(packet);
            break;
        }
        if shared.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        interrupt::check()?;
        let stamp = lock(&shared.books).enter(&packet, micros(&packet));
        loop {
            let busy = shared.busy.load(Ordering::Relaxed);
            match decoder.send(&packet.data, stamp) {
                // It is full because the output is slow, which is nobody's fault.
                Err(error)
                    if (busy || shared.busy.load(Ordering::Relaxed))
                        && error
                            .card_code()
                            .is_some_and(|code| code.is_timeout() || code.is_no_memory()) =>
                {
                    interrupt::check()?;
                }
                result => break result?,
            }
        }
        shared.waiting.store(true, Ordering::Relaxed);
        let following = clip.next();
        shared.waiting.store(false, Ordering::Relaxed);
        unit = following?;
    }
    Ok(decoder.finish()?)
}

/// Puts the counts of a decoder into words.
fn errors(status: &VdecStatus, words: &mut Vec<String>) {
    let counts = [
        (status.format_errors(), "not decodable"),
        (status.size_errors(), "of a wrong size"),
        (status.unsupported(), "not supported"),
        (status.packet_errors(), "bad packets"),
        (status.reference_errors(), "damaged"),
        (status.buffer_errors(), "larger than a buffer"),
        (status.stream_errors(), "too long"),
    ];
    let words_of = counts.iter().filter(|(count, _)| *count > 0);
    words.extend(words_of.map(|(count, what)| format!("{count} {what}")));
}

impl Report {
    /// Says what is to be said of a clip that went through; fails if anything of it was lost.
    pub fn judge(&self, name: &str, clip: &Clip, notes: &mut Notes) -> Result<(), Failure> {
        if self.shown == 0 {
            let errors = match self.errors.join(", ") {
                errors if errors.is_empty() => errors,
                errors => format!("; the decoder counted errors: {errors}"),
            };
            return Err(Failure::of(format!(
                "{name}: no picture of it could be decoded{errors}"
            )));
        }
        if !self.complete {
            return Ok(());
        }
        if self.skipped > 0 {
            notes.warn(format!(
                "{name}: {} pictures at the beginning cannot be decoded without what is missing",
                self.skipped
            ))?;
        }
        let mut faults: Vec<String> = clip.problems().to_vec();
        if self.lost > 0 {
            let all = self.shown + self.lost;
            faults.push(format!("{} of {all} pictures did not come out", self.lost));
        }
        if !self.errors.is_empty() {
            let errors = self.errors.join(", ");
            faults.push(format!("the decoder counted errors: {errors}"));
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(Notes::incomplete(format!("{name}: {}", faults.join("; "))))
    }
}
