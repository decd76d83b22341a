// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 encode`

use std::path::Path;
use std::time::Duration;

use ax650::media::{Codec, Encoder, EncoderConfig, Received};
use ax650::Card;

use crate::args::{Encode, Encoding, Rate};
use crate::failure::{Failure, CARD};
use crate::interrupt;
use crate::output::refuse_input;
use crate::progress::Progress;
use crate::video::look::Look;
use crate::video::packets::{codec_for, PacketFile};
use crate::video::pictures_in::PictureReader;

/// How long an encoder may take for a picture.
const PATIENCE: Duration = Duration::from_secs(30);
const DEFAULT_RATE: Rate = Rate { num: 30, den: 1 };

/// Encodes a file.
pub fn encode(card: &Card, options: &Encode) -> Result<(), Failure> {
    let codec = codec_for(&options.output, options.encoding.codec)?;
    let mut pictures = PictureReader::open(&options.input, options.size, options.pixels)?;
    refuse_input(Some(&options.output), pictures.input(), &options.input)?;
    let size = (pictures.width, pictures.height);
    let rate = options.fps.or(pictures.rate).unwrap_or(DEFAULT_RATE);
    let frames = if codec == Codec::Jpeg {
        Some(1)
    } else {
        options.frames
    };

    let session = card.session()?;
    let encoder = Encoder::new(&session, &config(codec, size, rate, &options.encoding))?;
    let buffer = session.buffer(encoder.layout().size())?;
    let (quiet, force) = (options.quiet, options.force);
    let mut sink = Sink::create(&options.output, codec, size, rate.num, (quiet, force), {
        match (pictures.count, frames) {
            (Some(count), Some(frames)) => Some(count.min(frames)),
            (count, frames) => count.or(frames),
        }
    })?;
    sink.set_look(pictures.look);
    let mut sent: u64 = 0;
    while frames.is_none_or(|frames| sent < frames) {
        interrupt::check()?;
        if !pictures.read(&encoder.layout(), &mut buffer.write()?)? {
            break;
        }
        if encoder.pending() == encoder.depth() {
            sink.take(&encoder, |index| index * u64::from(rate.den))?;
        }
        encoder.send(&buffer, micros(sent, rate))?;
        sent += 1;
    }
    while encoder.pending() > 0 {
        interrupt::check()?;
        sink.take(&encoder, |index| index * u64::from(rate.den))?;
    }
    sink.finish(&format!("encoded {codec} {}x{}", size.0, size.1))
}

fn micros(index: u64, rate: Rate) -> u64 {
    index * 1_000_000 * u64::from(rate.den) / u64::from(rate.num)
}

/// What an encoder needs to know.
pub fn config(codec: Codec, size: (u32, u32), rate: Rate, options: &Encoding) -> EncoderConfig {
    let mut config = EncoderConfig::new(codec, size.0, size.1);
    config.frame_rate = rate.value() as f32;
    config.gop = options.gop.unwrap_or((rate.value() * 2.0).ceil() as u32);
    if let Some(bit_rate) = options.bitrate {
        config.bit_rate = bit_rate;
    }
    config
}

/// Takes packets out of an encoder into a file.
pub struct Sink<'a> {
    path: &'a Path,
    file: PacketFile,
    progress: Progress,
}

impl<'a> Sink<'a> {
    /// Begins a file.
    pub fn create(
        path: &'a Path,
        codec: Codec,
        size: (u32, u32),
        timescale: u32,
        (quiet, force): (bool, bool),
        total: Option<u64>,
    ) -> Result<Self, Failure> {
        let file = PacketFile::create(path, codec, size, timescale, force)?;
        Ok(Self {
            path,
            file,
            progress: Progress::new(total, quiet),
        })
    }

    /// Takes one packet, which an encoder owes; `time` gives its time by its number.
    pub fn take(
        &mut self,
        encoder: &Encoder,
        time: impl FnOnce(u64) -> u64,
    ) -> Result<(), Failure> {
        match encoder.receive(PATIENCE)? {
            Received::Some(packet) => {
                self.file
                    .write(self.path, &packet, time(self.progress.frames()))?;
                self.progress.frame();
                Ok(())
            }
            Received::Nothing | Received::End => Err(Failure::new(
                CARD,
                "the encoder gave no packet for a picture that it had taken",
            )),
        }
    }

    /// What the pictures are like, for files that can hold it.
    pub fn set_look(&mut self, look: Look) {
        if let Some(writer) = self.file.mp4() {
            writer.set_look(look);
        }
    }

    /// Completes the file.
    pub fn finish(self, what: &str) -> Result<(), Failure> {
        if self.progress.frames() == 0 {
            return Err(Failure::of(format!(
                "{}: there are no pictures to encode",
                self.path.display()
            )));
        }
        self.file.finish(self.path)?;
        self.progress.finish(what);
        Ok(())
    }
}
