// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 encode`

use std::path::Path;
use std::time::Duration;

use ax650::media::{Codec, Encoder, EncoderConfig, RateControl, Received};
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
    refuse_input(
        Some(&options.output),
        pictures.input().file(),
        &options.input,
    )?;
    let size = (pictures.width, pictures.height);
    if let Some((width, height)) = options.size.filter(|wanted| *wanted != size) {
        return Err(Failure::usage(format!(
            "{}: its pictures have {}x{}, not {width}x{height}; they are not scaled",
            options.input.display(),
            size.0,
            size.1
        )));
    }
    let rate = options.fps.or(pictures.rate).unwrap_or(DEFAULT_RATE);
    let frames = if codec == Codec::Jpeg {
        Some(1)
    } else {
        options.frames
    };

    let session = card.session()?;
    let encoder = Encoder::new(&session, &config(codec, size, rate, &options.encoding)?)?;
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

/// Returns what an encoder needs to know.
pub fn config(
    codec: Codec,
    size: (u32, u32),
    rate: Rate,
    options: &Encoding,
) -> Result<EncoderConfig, Failure> {
    let frame_rate = rate.value() as f32;
    let mut config = EncoderConfig::new(codec, size.0, size.1).frame_rate(frame_rate);
    let usual = RateControl::usual_bit_rate(codec, size.0, size.1, frame_rate);
    config.rate = options.rate_control(codec, usual)?;
    config.profile = options.profile.map(Into::into);
    config.level = options.level;
    if let Some(gop) = options.gop {
        config.gop = gop;
    }
    Ok(config)
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

    /// Returns what the pictures are like, for files that can hold it.
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

#[cfg(test)]
mod tests {
    use super::*;
    use ax650::fake::FakeCard;
    use clap::Parser;

    use crate::args::{Arguments, Command};

    /// Encodes a picture of 64x32, in a file of that name, with more arguments, on a card that checks the encoder.
    fn run(
        name: &str,
        arguments: &str,
        check: fn(&ax650::media::VencChannel) -> bool,
    ) -> Result<(), Failure> {
        let path = std::env::temp_dir().join(format!("ax650-encode-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let (input, output) = (path.join(name), path.join(format!("{name}.h264")));
        let mut bytes = b"YUV4MPEG2 W64 H32 F25:1\nFRAME\n".to_vec();
        bytes.resize(bytes.len() + 64 * 32 * 3 / 2, 100);
        std::fs::write(&input, bytes).unwrap();
        let fake = FakeCard::new();
        fake.check_encoders(check);
        let files = ["ax650", "encode", "-q", "-o"].map(str::to_owned);
        let line = files
            .into_iter()
            .chain([&output, &input].map(|path| path.to_str().unwrap().to_owned()))
            .chain(arguments.split_whitespace().map(str::to_owned));
        let Command::Encode(options) = Arguments::parse_from(line).command else {
            panic!("encode")
        };
        let result = encode(&fake.open(), &options);
        let _ = std::fs::remove_dir_all(&path);
        result
    }

    /// F7: a size that is not that of the file is an error.
    #[test]
    fn f7_size_of_a_file_that_tells_it() {
        let failure = run("size.y4m", "-s 32x32", |_| true).unwrap_err();
        let words = "size.y4m: its pictures are 64x32, not 32x32";
        assert!(failure.message.ends_with(words), "{}", failure.message);
        assert_eq!(failure.code, crate::failure::USAGE);
        run("size.y4m", "-s 64x32", |_| true).unwrap();
    }

    /// F8: the card is told what the options say.
    #[test]
    fn f8_options_reach_the_card() {
        run(
            "all.y4m",
            "--profile baseline --level 2.1 --rc cvbr -b 300k --max-bitrate 500k --gop 7",
            |c| {
                let word = |at: usize| u32::from_le_bytes(c.rate()[at..at + 4].try_into().unwrap());
                (c.profile(), c.level(), c.rate_control()) == (9, 21, 5)
                    && (word(0), word(40), word(52)) == (7, 500, 300)
                    && c.target_rate() == 25.0
            },
        )
        .unwrap();
        run("qp.y4m", "--qp 20,22,24", |c| {
            let word = |at: usize| u32::from_le_bytes(c.rate()[at..at + 4].try_into().unwrap());
            c.rate_control() == 6 && [4, 8, 12].map(word) == [20, 22, 24]
        })
        .unwrap();
        let failure = run("level.y4m", "--level 1 -b 500k", |_| true).unwrap_err();
        assert!(
            failure.message.ends_with("the lowest that suffices is 1.3"),
            "{}",
            failure.message
        );
    }
}
