// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 transcode`, and the thread that feeds a decoder.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ax650::media::{Codec, Decoder, DecoderConfig, Encoder, Received};
use ax650::Card;

use crate::args::Transcode;
use crate::encode::{config, Sink};
use crate::failure::{Failure, CARD};
use crate::interrupt;
use crate::video::clip::Clip;
use crate::video::packets::codec_for;

/// A decoder that was fed and gives nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(30);
/// Ticks per second of a file whose pictures do not last equally long.
const FINE_TIMESCALE: u32 = 90_000;

/// Decodes and encodes a file.
pub fn transcode(card: &Card, options: &Transcode) -> Result<(), Failure> {
    let codec = codec_for(&options.output, options.encoding.codec)?;
    if codec == Codec::Jpeg {
        return Err(Failure::usage(format!(
            "{}: give a video file",
            options.output.display()
        )));
    }
    let mut clip = Clip::open(&options.input, options.fps)?;
    let (rate, size, from) = (clip.rate, (clip.width, clip.height), clip.codec);
    let session = card.session()?;
    let mut decoding = DecoderConfig::new(clip.codec, size.0, size.1);
    decoding.frame_rate = rate.value() as f32;
    // The encoder keeps pictures of the decoder.
    decoding.pictures += 4;
    let decoder = Decoder::new(&session, &decoding)?;
    let encoder = Encoder::new(&session, &config(codec, size, rate, &options.encoding)?)?;

    let mut times = clip.times().to_vec();
    times.sort_unstable();
    let timescale = if clip.constant_rate {
        rate.num
    } else {
        FINE_TIMESCALE
    };
    let constant = clip.constant_rate;
    let time = |index: u64| match times.get(index as usize) {
        Some(micros) if !constant => micros * u64::from(FINE_TIMESCALE) / 1_000_000,
        _ => index * u64::from(rate.den),
    };
    let total = options
        .frames
        .map_or(clip.len() as u64, |frames| frames.min(clip.len() as u64));
    let mut sink = Sink::create(
        &options.output,
        codec,
        size,
        timescale,
        options.quiet,
        Some(total),
    )?;
    let mut sent = 0;
    Feeder::run(&decoder, &mut clip, |feeder| {
        while options.frames.is_none_or(|frames| sent < frames) {
            if encoder.pending() == encoder.depth() {
                sink.take(&encoder, time)?;
            }
            match decoder.receive(Duration::from_millis(200))? {
                Received::Some(frame) => {
                    feeder.seen();
                    encoder.send_frame(frame)?;
                    sent += 1;
                }
                Received::Nothing => feeder.check()?,
                Received::End => break,
            }
        }
        while encoder.pending() > 0 {
            interrupt::check()?;
            sink.take(&encoder, time)?;
        }
        Ok(())
    })?;
    debug_assert_eq!(sink.taken(), sent);
    sink.finish(&format!(
        "transcoded {from} to {codec}, {}x{}",
        size.0, size.1
    ))
}

/// Sends the packets of a clip to a decoder, in a thread of its own.
pub struct Feeder<'a> {
    stop: &'a AtomicBool,
    failure: &'a Mutex<Option<Failure>>,
    last: Instant,
}

impl Feeder<'_> {
    /// Feeds the decoder while `receive` runs, and stops when that is through.
    pub fn run(
        decoder: &Decoder,
        clip: &mut Clip,
        receive: impl FnOnce(&mut Feeder<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let stop = AtomicBool::new(false);
        let failure = Mutex::new(None);
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                if let Err(error) = feed(decoder, clip, &stop) {
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            });
            let mut feeder = Feeder {
                stop: &stop,
                failure: &failure,
                last: Instant::now(),
            };
            let result = receive(&mut feeder);
            feeder.stop.store(true, Ordering::Relaxed);
            // The thread may be waiting for room in the decoder.
            while !thread.is_finished() && decoder.receive(Duration::from_millis(50)).is_ok() {}
            result
        })?;
        // The receiver may have seen the end of what was sent before the failure.
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// A picture came.
    pub fn seen(&mut self) {
        self.last = Instant::now();
    }

    /// No picture came: is that all right?
    pub fn check(&mut self) -> Result<(), Failure> {
        interrupt::check()?;
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = failure.take() {
            return Err(failure);
        }
        if self.last.elapsed() > PATIENCE {
            let seconds = PATIENCE.as_secs();
            return Err(Failure::new(
                CARD,
                format!("the decoder gave no picture for {seconds} s"),
            ));
        }
        Ok(())
    }
}

fn feed(decoder: &Decoder, clip: &mut Clip, stop: &AtomicBool) -> Result<(), Failure> {
    let mut packet = Vec::new();
    for index in 0..clip.len() {
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        interrupt::check()?;
        clip.read(index, &mut packet)?;
        decoder.send(&packet, clip.times()[index])?;
    }
    Ok(decoder.finish()?)
}
