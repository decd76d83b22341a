// SPDX-License-Identifier: MIT OR Apache-2.0

//! Encoded videos: packets in decoding order, whatever file or pipe they come from.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

use ax650::media::annexb::{self, Splitter};
use ax650::media::Codec;

use super::input::Input;
use super::look::Look;
use super::mp4::{self, Reader};
use super::sniff::{self, Found};
use super::FileKind;
use crate::args::Rate;
use crate::failure::Failure;
use crate::interrupt;

/// Of elementary streams that do not tell.
const DEFAULT_RATE: Rate = Rate { num: 25, den: 1 };
/// Bytes of a stream that are read at a time.
const PIECE: usize = 64 << 10;
/// No picture of a stream is larger.
const MAX_PACKET: usize = 64 << 20;
/// What may come ahead of the first picture that can be decoded.
const MAX_LEAD: usize = 64 << 20;

/// What a decoder must be made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Codec.
    pub codec: Codec,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// A packet.
#[derive(Debug)]
pub struct Unit {
    /// NAL units with start codes, and all that is needed to decode them.
    pub data: Vec<u8>,
    /// When its picture is shown, in ticks of the clip; elementary streams do not tell.
    pub time: Option<i64>,
    /// How long, in ticks of the clip.
    pub duration: u32,
    /// Whether its picture is shown; others are decoded for the sake of those that follow.
    pub shown: bool,
    /// Whether it may have no picture, where the stream begins in the middle.
    pub optional: bool,
    /// What it is.
    pub format: Format,
}

/// A video.
pub struct Clip {
    /// Format of the first picture.
    pub format: Format,
    /// What its pictures are like, as far as was seen.
    pub look: Look,
    /// Pictures per second, on average.
    pub rate: Rate,
    /// Ticks per second of the times of packets.
    pub timescale: u32,
    /// Packets that are shown, if that is known beforehand.
    pub count: Option<u64>,
    /// What of the file is not video: the names of its other tracks.
    pub others: Vec<String>,
    name: PathBuf,
    source: Source,
    /// Knows the parameter sets.
    splitter: Splitter,
    current: Option<Format>,
    /// Width and height of a sample as the container tells it, which counts more than what parameter sets tell.
    aspect: Option<(u32, u32)>,
    /// NAL units that belong to the next packet.
    carried: Vec<u8>,
    first: Option<Unit>,
    seen_key: bool,
    after_break: bool,
    /// What was found to be missing or wrong.
    problems: Vec<String>,
}

enum Source {
    /// An elementary stream.
    Stream(Input),
    /// Samples of a file, and the description of the sample ahead.
    Mp4(Box<Reader>, Option<u32>),
}

impl Clip {
    /// Opens a file.
    #[cfg(test)]
    pub fn open(path: &Path, rate: Option<Rate>, track: Option<usize>) -> Result<Self, Failure> {
        Self::from_input(Input::open(path)?, path, rate, track)
    }

    /// Reads what is open as `path`; `rate` overrides that of the file, `track` is the number of a track.
    pub fn from_input(
        mut input: Input,
        path: &Path,
        rate: Option<Rate>,
        track: Option<usize>,
    ) -> Result<Self, Failure> {
        let named = FileKind::of(path);
        let found = match named {
            // Its name is enough to begin with.
            Some(_) => input.peek().map(sniff::sniff),
            None => sniff::look(&mut input),
        };
        let found = found.map_err(|error| Self::read_failure(path, &error))?;
        let name = path.display();
        let kind = match (found, named) {
            (Found::Other(what), _) => {
                let hint = sniff::hint(&name.to_string());
                return Err(Failure::of(format!(
                    "{name}: {what} is not read; try: {hint}"
                )));
            }
            (Found::Known(FileKind::Y4m), _) => {
                return Err(Failure::of(format!(
                    "{name}: its pictures are not encoded; see `ax650 encode`"
                )));
            }
            // What cannot be mistaken counts more than the name.
            (Found::Known(FileKind::Mp4), _) => FileKind::Mp4,
            (Found::Known(kind @ FileKind::Stream(_)), Some(FileKind::Stream(_))) => kind,
            (_, Some(kind @ (FileKind::Mp4 | FileKind::Stream(_)))) => kind,
            (Found::Known(kind), None) => kind,
            (Found::Unknown, None) if path == Path::new("-") => {
                return Err(Failure::of(
                    "-: neither an H.264 or H.265 stream with parameter sets nor MP4",
                ));
            }
            _ => {
                return Err(Failure::of(format!(
                    "{name}: not an .mp4, .h264 or .h265 file by its name"
                )));
            }
        };
        let mut clip = match kind {
            FileKind::Mp4 => Self::from_mp4(input, path, track)?,
            FileKind::Stream(codec) => {
                if track.is_some_and(|track| track != 1) {
                    return Err(Failure::of(format!("{name}: a stream has one track")));
                }
                Self::new(path, codec, Source::Stream(input))
            }
            _ => {
                return Err(Failure::of(format!(
                    "{name}: not an .mp4, .h264 or .h265 file by its name"
                )));
            }
        };
        clip.begin()?;
        if let Source::Stream(_) = clip.source {
            let told = clip.splitter.sps().and_then(|sps| sps.vui?.rate);
            let told = told.and_then(|(num, den)| Rate::new(num, den));
            clip.rate = told
                .filter(|rate| rate.value() <= 300.0)
                .unwrap_or(clip.rate);
        }
        clip.rate = rate.unwrap_or(clip.rate);
        if rate.is_some() {
            // All last equally long.
            clip.timescale = 0;
        }
        Ok(clip)
    }

    fn new(path: &Path, codec: Codec, source: Source) -> Self {
        Self {
            format: Format {
                codec,
                width: 0,
                height: 0,
            },
            look: Look::default(),
            rate: DEFAULT_RATE,
            timescale: 0,
            count: None,
            others: Vec::new(),
            name: path.into(),
            source,
            splitter: Splitter::new(codec),
            current: None,
            aspect: None,
            carried: Vec::new(),
            first: None,
            seen_key: false,
            after_break: true,
            problems: Vec::new(),
        }
    }

    fn from_mp4(input: Input, path: &Path, track: Option<usize>) -> Result<Self, Failure> {
        let reader = Reader::open(input, track).map_err(|problem| match problem {
            mp4::Problem::Bad(text) => Failure::of(format!("{}: {text}", path.display())),
            mp4::Problem::Io(error) => Self::read_failure(path, &error),
        })?;
        let track = reader.track();
        let entry = track.entries.iter().find(|entry| entry.codec.is_some());
        let codec = mp4::codec(entry).unwrap_or(Codec::H264);
        let mut look = Look {
            matrix: track.matrix,
            rotation: track.rotation(),
            ..Default::default()
        };
        if let Some(entry) = entry {
            look.clean = entry.clean;
            if let Some((colour, range)) = entry.colour {
                look.colour = colour;
                look.full_range = range.unwrap_or(false);
            }
        }
        let others = reader.movie.tracks.iter().enumerate();
        let others = others
            .filter(|(at, _)| *at != reader.chosen)
            .map(|(_, track)| track.label())
            .collect();
        let shown = reader.steps().iter().filter(|step| step.shown);
        let (count, ticks) = shown.fold((0_u64, 0_u64), |(count, ticks), step| {
            (count + 1, ticks.saturating_add(step.sample.duration.into()))
        });
        let timescale = track.timescale;
        let rate = count
            .checked_mul(timescale.into())
            .and_then(|num| Rate::new(num, ticks));
        let known = (!reader.is_fragmented()).then_some(count);
        let mut clip = Self::new(path, codec, Source::Mp4(Box::new(reader), None));
        clip.look = look;
        clip.others = others;
        clip.timescale = timescale;
        clip.count = known;
        clip.rate = rate.unwrap_or(DEFAULT_RATE);
        Ok(clip)
    }

    /// Reads up to the first picture.
    fn begin(&mut self) -> Result<(), Failure> {
        let name = self.name.display().to_string();
        let first = self.read()?;
        let Some(unit) = first else {
            if let Some(problem) = self.problems.first() {
                return Err(Failure::of(format!("{name}: {problem}")));
            }
            let codec = self.format.codec;
            return Err(Failure::of(match self.source {
                Source::Stream(_) => format!(
                    "{name}: no {codec} parameter set that can be read; not an {codec} stream?"
                ),
                Source::Mp4(..) => format!("{name}: there is no picture in it"),
            }));
        };
        self.format = unit.format;
        let whole = (unit.format.width, unit.format.height);
        self.look.clean = self.look.clean.filter(|clean| *clean != whole);
        if unit.format.width == 0 || unit.format.height == 0 {
            return Err(Failure::of(format!(
                "{name}: the size of its pictures is not known"
            )));
        }
        if let (Source::Mp4(..), Some(0)) = (&self.source, self.count) {
            self.count = None;
        }
        // A fragment tells the rate if the description did not.
        if let (Source::Mp4(..), None, true) = (&self.source, self.count, unit.duration > 0) {
            let rate = Rate::new(self.timescale.into(), unit.duration.into());
            self.rate = rate.unwrap_or(self.rate);
        }
        self.first = Some(unit);
        Ok(())
    }

    /// Reads the next packet.
    pub fn next(&mut self) -> Result<Option<Unit>, Failure> {
        match self.first.take() {
            Some(unit) => Ok(Some(unit)),
            None => self.read(),
        }
    }

    /// Returns what was found to be missing or wrong so far.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Makes reading end with an error when it is set.
    pub fn stop(&self) -> Arc<AtomicBool> {
        match &self.source {
            Source::Stream(input) => input.stop(),
            Source::Mp4(reader, _) => reader.input().stop(),
        }
    }

    /// Returns the reader of an MP4 file.
    pub fn mp4(&self) -> Option<&Reader> {
        match &self.source {
            Source::Mp4(reader, _) => Some(reader),
            Source::Stream(_) => None,
        }
    }

    /// Returns why reading failed: the file, or an interrupt.
    pub fn read_failure(path: &Path, error: &std::io::Error) -> Failure {
        interrupt::check()
            .err()
            .unwrap_or_else(|| Failure::file(path, error))
    }

    fn read(&mut self) -> Result<Option<Unit>, Failure> {
        loop {
            let part = match &self.source {
                Source::Stream(_) => self.read_stream()?,
                Source::Mp4(..) => self.read_sample()?,
            };
            let Some(mut unit) = part else {
                return Ok(None);
            };
            let codec = unit.format.codec;
            let has_picture = annexb::has_picture(codec, &unit.data);
            // Appended and looked at once each: there may be very many of them.
            self.carried.append(&mut unit.data);
            if !has_picture {
                // Parameter sets and messages go with the picture that follows.
                if self.carried.len() > MAX_PACKET {
                    return Err(self.too_large());
                }
                continue;
            }
            unit.data = std::mem::take(&mut self.carried);
            if self.complete(&mut unit) {
                return Ok(Some(unit));
            }
        }
    }

    /// Finds out what the packet is; false if it cannot be decoded as nothing is known of it.
    fn complete(&mut self, unit: &mut Unit) -> bool {
        let there = self.find_format(unit);
        self.look.aspect = self.aspect.unwrap_or(self.look.aspect);
        there
    }

    fn find_format(&mut self, unit: &mut Unit) -> bool {
        let codec = unit.format.codec;
        let key = annexb::is_key(codec, &unit.data);
        unit.optional = self.after_break && annexb::is_skipped_leading(codec, &unit.data);
        if self.seen_key && !unit.optional {
            self.after_break = false;
        }
        self.seen_key |= key;
        let changed = self.current.is_none_or(|current| current.codec != codec);
        if key || changed {
            match self.splitter.sps_of(&unit.data) {
                Some(sps) => {
                    unit.format.width = sps.width;
                    unit.format.height = sps.height;
                    self.look.learn(sps);
                    self.current = Some(unit.format);
                }
                None if unit.format.width > 0 && changed => {
                    // A container tells, if nobody else does.
                    if let Some(sps) = self.splitter.sps() {
                        (unit.format.width, unit.format.height) = (sps.width, sps.height);
                        self.look.learn(sps);
                    }
                    self.current = Some(unit.format);
                }
                None => {}
            }
        }
        match self.current {
            Some(current) => {
                unit.format = current;
                true
            }
            None => match self.splitter.sps().copied() {
                Some(sps) => {
                    (unit.format.width, unit.format.height) = (sps.width, sps.height);
                    self.look.learn(&sps);
                    self.current = Some(unit.format);
                    true
                }
                None => {
                    self.problems
                        .push("pictures ahead of the first parameter sets are missing".into());
                    self.problems.dedup();
                    false
                }
            },
        }
    }

    fn read_stream(&mut self) -> Result<Option<Unit>, Failure> {
        let mut piece = [0; PIECE];
        let mut lead = 0;
        loop {
            if let Some(data) = self.splitter.packet() {
                return Ok(Some(Unit {
                    data,
                    time: None,
                    duration: 0,
                    shown: true,
                    optional: false,
                    format: Format {
                        codec: self.format.codec,
                        width: 0,
                        height: 0,
                    },
                }));
            }
            if self.splitter.is_finished() {
                return Ok(None);
            }
            if self.splitter.pending() > MAX_PACKET {
                return Err(self.too_large());
            }
            let Source::Stream(input) = &mut self.source else {
                return Ok(None);
            };
            match input.read(&mut piece) {
                Ok(0) => self.splitter.finish(),
                Ok(count) => {
                    lead += count;
                    self.splitter.push(&piece[..count]);
                }
                Err(error) => return Err(Self::read_failure(&self.name, &error)),
            }
            if self.current.is_none() && lead > MAX_LEAD {
                return Ok(None);
            }
        }
    }

    fn too_large(&self) -> Failure {
        let (name, limit) = (self.name.display(), MAX_PACKET >> 20);
        Failure::of(format!("{name}: a picture of more than {limit} MiB"))
    }

    fn read_sample(&mut self) -> Result<Option<Unit>, Failure> {
        let Source::Mp4(reader, last_entry) = &mut self.source else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        loop {
            let step = reader.next(&mut bytes);
            self.problems.append(&mut reader.problems);
            let Some(step) = step.map_err(|error| Self::read_failure(&self.name, &error))? else {
                return Ok(None);
            };
            let number = step.sample.entry;
            let entries = &reader.track().entries;
            let entry = entries.get(number as usize).or(entries.first());
            let (Some(entry), Some(codec)) = (entry, mp4::codec(entry)) else {
                self.problems
                    .push("pictures of another codec are missing".into());
                self.problems.dedup();
                continue;
            };
            let mut data = Vec::with_capacity(bytes.len() + 64);
            if step.sample.key || *last_entry != Some(number) {
                mp4::append_sets(entry, &mut data);
            }
            let changed = *last_entry != Some(number);
            if changed {
                *last_entry = Some(number);
                self.aspect = entry.aspect;
            }
            let begin = data.len();
            if !mp4::to_annexb(entry, &bytes, &mut data) {
                self.problems.push("a sample is damaged".into());
                self.problems.dedup();
            }
            if !step.sample.key && annexb::is_key(codec, &data[begin..]) {
                let mut sets = Vec::new();
                mp4::append_sets(entry, &mut sets);
                data.splice(..begin, sets);
            }
            if data.is_empty() {
                continue;
            }
            if changed && self.current.is_some_and(|current| current.codec != codec) {
                self.splitter = Splitter::new(codec);
            }
            self.splitter.learn(&data);
            return Ok(Some(Unit {
                data,
                time: Some(step.time),
                duration: step.sample.duration,
                shown: step.shown,
                optional: false,
                format: Format {
                    codec,
                    width: entry.size.0,
                    height: entry.size.1,
                },
            }));
        }
    }
}
