// SPDX-License-Identifier: MIT OR Apache-2.0

//! MP4 and QuickTime files, fragmented or not, from a file or a pipe.
//!
//! Only what the chosen track needs is read; what other tracks and unknown boxes hold does not matter.
//! `docs/decisions/21-mp4-reader.md` says why this is not a crate's work.

mod edit;
mod entry;
pub mod fields;
mod fragment;
mod movie;
mod tables;

use std::collections::VecDeque;
use std::io;

use ax650::media::Codec;

pub use edit::Step;
pub use entry::Entry;
pub use movie::{Movie, Track, IDENTITY};
pub use tables::Sample;

use super::input::Input;
use fields::Kind;
use movie::Defaults;

/// The description of a file or a fragment is never larger.
const MAX_DESCRIPTION: u64 = 256 << 20;

/// What is said of a file that ends in its description.
const CUT: &str = "the file is cut short in its description (moov)";

/// Samples may lie upon each other, and be shown again and again by edits, but a file is read so often at most.
const MAX_READINGS: u64 = 8;

/// A file that is being read.
pub struct Reader {
    input: Input,
    /// Description of the step's sample.
    pub movie: Movie,
    /// Which of its tracks is read.
    pub chosen: usize,
    steps: VecDeque<Step>,
    /// Where the next box of the file begins.
    next_box: u64,
    /// That box, if its header was read already.
    ahead: Option<Outer>,
    /// Whether samples were taken.
    begun: bool,
    /// Bytes of all samples so far.
    taken: u64,
    /// Decoding time of what follows.
    end: i64,
    /// What samples of fragments are shown later on the track's own clock.
    shift: Option<i64>,
    /// What was found to be missing or wrong.
    pub problems: Vec<String>,
}

/// Why a file cannot be read.
pub enum Problem {
    /// What it is like.
    Bad(String),
    /// The system.
    Io(io::Error),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self::Bad(text)
    }
}

/// A box of the file itself.
struct Outer {
    kind: Kind,
    begin: u64,
    body: u64,
    /// `None`: as far as the file goes.
    end: Option<u64>,
}

/// Returns whether a file that begins so is of this kind.
pub fn is_mp4(head: &[u8]) -> bool {
    head.get(4..8).is_some_and(|kind| {
        [
            b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pdin", b"pnot", b"styp",
            b"sidx", b"moof", b"uuid", b"udta", b"meta", b"junk", b"pict", b"PICT", b"prfl",
            b"emsg", b"prft",
        ]
        .iter()
        .any(|known| *known == kind)
    })
}

impl Reader {
    /// Reads the description; `track` is the number of a track, from 1, instead of the first that can be decoded.
    pub fn open(input: Input, track: Option<usize>) -> Result<Self, Problem> {
        let (movie, input, next_box) = Self::describe(input)?;
        let chosen = movie.choose(track).map_err(|text| match movie.cut {
            true => CUT.into(),
            false => text,
        })?;
        let mut reader = Self::new(movie, input, next_box, chosen);
        reader.begin(true);
        Ok(reader)
    }

    /// Reads a track as it is, whatever it holds, without its edits; `at` is its place among the tracks.
    pub fn open_as_is(input: Input, at: usize) -> Result<Self, Problem> {
        let (movie, input, next_box) = Self::describe(input)?;
        if at >= movie.tracks.len() {
            return Err(Problem::Bad("it has no such track".into()));
        }
        let mut reader = Self::new(movie, input, next_box, at);
        reader.begin(false);
        Ok(reader)
    }

    fn describe(mut input: Input) -> Result<(Movie, Input, u64), Problem> {
        // Anything may come first, but then the description has to follow.
        let missing = match is_mp4(input.peek()?) {
            true => "not a whole MP4 file: it has no description (moov)",
            false => "not an MP4 file",
        };
        let mut next_box = 0;
        loop {
            let Some(outer) = outer(&mut input, next_box)? else {
                return Err(Problem::Bad(missing.into()));
            };
            if &outer.kind == b"moov" {
                let (body, whole) = read_body(&mut input, &outer)?;
                next_box = outer.body + body.len() as u64;
                let mut movie = Movie::read(&body);
                movie.cut = !whole;
                return Ok((movie, input, next_box));
            }
            next_box = outer.end.ok_or_else(|| Problem::Bad(missing.into()))?;
        }
    }

    fn new(movie: Movie, input: Input, next_box: u64, chosen: usize) -> Self {
        Self {
            input,
            movie,
            chosen,
            steps: VecDeque::new(),
            next_box,
            ahead: None,
            begun: false,
            taken: 0,
            end: 0,
            shift: None,
            problems: Vec::new(),
        }
    }

    fn begin(&mut self, with_edits: bool) {
        let track = &self.movie.tracks[self.chosen];
        let samples = tables::samples(&track.stbl, self.input.length);
        self.end = samples.end;
        self.problems
            .extend(self.movie.cut.then(|| String::from(CUT)));
        self.problems.extend(samples.problem.map(String::from));
        let mut edits = track.edits.iter().filter(|_| with_edits);
        let shown = edits.find(|edit| edit.from >= 0);
        self.shift = shown.map(|edit| edit.from);
        self.steps = match shown {
            Some(_) => edit::apply(
                &samples.all,
                &track.edits,
                track.timescale,
                self.movie.timescale,
            ),
            None => edit::plain(&samples.all),
        }
        .into();
        if self.shift.is_none() {
            self.shift = samples.all.iter().map(|sample| sample.time).min();
        }
    }

    /// Returns the track.
    pub fn track(&self) -> &Track {
        &self.movie.tracks[self.chosen]
    }

    /// Returns the file.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// Steps that are known so far: all of them unless the file has fragments.
    pub fn steps(&self) -> &VecDeque<Step> {
        &self.steps
    }

    /// Returns whether fragments may follow.
    pub fn is_fragmented(&self) -> bool {
        self.movie.fragmented
    }

    /// Reads the next step and the bytes of its sample; `None` at the end, or where the file is cut.
    pub fn next(&mut self, bytes: &mut Vec<u8>) -> io::Result<Option<Step>> {
        if !self.steps.is_empty() && !self.begun {
            self.pass_data()?;
        }
        self.begun = true;
        while self.steps.is_empty() {
            if !self.next_fragment()? {
                return Ok(None);
            }
        }
        let Some(step) = self.steps.pop_front() else {
            return Ok(None);
        };
        let Sample { offset, size, .. } = step.sample;
        self.taken = self.taken.saturating_add(size.into());
        if (self.input.length).is_some_and(|length| self.taken / MAX_READINGS > length) {
            self.give_up("its samples lie upon each other", step.shown);
            return Ok(None);
        }
        let beyond = self.input.length.is_some_and(|length| {
            offset
                .checked_add(size.into())
                .is_none_or(|end| end > length)
        });
        if !beyond {
            self.input.go_to(offset)?;
            // Memory only for what comes.
            bytes.clear();
            let mut limited = io::Read::take(&mut self.input, size.into());
            if io::Read::read_to_end(&mut limited, bytes)? == size as usize {
                return Ok(Some(step));
            }
        }
        self.give_up("the file is cut short", step.shown);
        Ok(None)
    }

    /// Reads no further; `shown`: whether the sample in hand was to be shown.
    fn give_up(&mut self, why: &str, shown: bool) {
        let lost = self.steps.iter().filter(|step| step.shown).count() + usize::from(shown);
        self.steps.clear();
        self.next_box = u64::MAX;
        self.problems
            .push(format!("{why}: {lost} pictures are missing"));
    }

    /// Looks for the samples of the next fragment; false at the end of the file.
    fn next_fragment(&mut self) -> io::Result<bool> {
        if self.next_box == u64::MAX {
            return Ok(false);
        }
        let ahead = match self.ahead.take() {
            Some(outer) => Some(outer),
            None => outer(&mut self.input, self.next_box)?,
        };
        let Some(outer) = ahead else {
            self.next_box = u64::MAX;
            return Ok(false);
        };
        self.next_box = outer.end.unwrap_or(u64::MAX);
        if &outer.kind != b"moof" {
            return Ok(true);
        }
        let (body, whole) = match read_body(&mut self.input, &outer) {
            Ok(body) => body,
            Err(Problem::Io(error)) => return Err(error),
            Err(Problem::Bad(text)) => {
                self.problems.push(text);
                return Ok(true);
            }
        };
        if !whole {
            self.problems
                .push("the file is cut short in a fragment".into());
        }
        let id = self.track().id;
        let defaults = self.movie.defaults.iter().find(|trex| trex.track == id);
        let defaults = defaults.copied().unwrap_or(Defaults {
            track: id,
            entry: 1,
            ..Default::default()
        });
        let (samples, problem) = fragment::samples(&body, outer.begin, defaults, &mut self.end);
        self.problems.extend(problem.map(String::from));
        let first = samples.iter().map(|sample| sample.time).min();
        if let (None, Some(first)) = (self.shift, first) {
            self.shift = Some(first);
        }
        let shift = self.shift.unwrap_or(0);
        self.steps.extend(samples.into_iter().map(|sample| Step {
            sample,
            time: sample.time.saturating_sub(shift),
            shown: true,
        }));
        if !self.steps.is_empty() {
            self.pass_data()?;
        }
        Ok(true)
    }

    /// Finds out where the data end that samples are about to be read from: in a pipe there is no way back to the header.
    fn pass_data(&mut self) -> io::Result<()> {
        while self.next_box != u64::MAX {
            let Some(outer) = outer(&mut self.input, self.next_box)? else {
                self.next_box = u64::MAX;
                return Ok(());
            };
            if &outer.kind == b"moof" {
                self.ahead = Some(outer);
                return Ok(());
            }
            self.next_box = outer.end.unwrap_or(u64::MAX);
            if &outer.kind == b"mdat" {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The header of the box at `at`; `None` at the end of the file, or what is taken for it.
fn outer(input: &mut Input, at: u64) -> io::Result<Option<Outer>> {
    if input.length.is_some_and(|length| at >= length) {
        return Ok(None);
    }
    input.go_to(at)?;
    let mut head = [0; 16];
    if input.fill(&mut head[..8])? < 8 {
        return Ok(None);
    }
    let mut fields = fields::Fields(&head);
    let (Some(size), Some(kind)) = (fields.u32(), fields.kind()) else {
        return Ok(None);
    };
    let (mut body, mut size) = (8, u64::from(size));
    if size == 1 {
        if input.fill(&mut head[8..])? < 8 {
            return Ok(None);
        }
        size = u64::from_be_bytes(head[8..].try_into().expect("8 bytes"));
        body = 16;
    }
    if kind == [0; 4] || (size != 0 && size < body) {
        return Ok(None);
    }
    Ok(Some(Outer {
        kind,
        begin: at,
        body: at + body,
        end: match size {
            0 => None,
            size => at.checked_add(size),
        },
    }))
}

/// The body of a box, or as much as there is of it, and whether that is all.
fn read_body(input: &mut Input, outer: &Outer) -> Result<(Vec<u8>, bool), Problem> {
    let length = match (outer.end, input.length) {
        (Some(end), _) | (None, Some(end)) => end.saturating_sub(outer.body),
        (None, None) => MAX_DESCRIPTION,
    };
    if length > MAX_DESCRIPTION {
        return Err(Problem::Bad("its description is too large".into()));
    }
    input.go_to(outer.body)?;
    let mut body = Vec::new();
    let mut limited = io::Read::take(input, length);
    let read = io::Read::read_to_end(&mut limited, &mut body)? as u64;
    Ok((body, outer.end.is_none() || read == length))
}

/// Turns a sample into NAL units with start codes; false if it is damaged, and then as much of it as can be read.
pub fn to_annexb(entry: &Entry, mut bytes: &[u8], packet: &mut Vec<u8>) -> bool {
    if has_start_codes(entry, bytes) {
        packet.extend_from_slice(bytes);
        return true;
    }
    let length_size = entry.length_size.unwrap_or(4);
    while !bytes.is_empty() {
        let Some(length) = length(bytes, length_size) else {
            // Padding of less than a length.
            return bytes.iter().all(|byte| *byte == 0);
        };
        let Some((nal, rest)) = bytes[length_size..].split_at_checked(length) else {
            return false;
        };
        append(nal, packet);
        bytes = rest;
    }
    true
}

/// Whether a sample has start codes, against the rules: where the description does not tell what is ahead of NAL units,
/// or what it tells would be a NAL unit of one byte and then one that is too long.
fn has_start_codes(entry: &Entry, bytes: &[u8]) -> bool {
    match (entry.length_size, bytes) {
        (None, [0, 0, 1, ..] | [0, 0, 0, 1, ..]) => true,
        (Some(3), [0, 0, 1, _, next @ ..]) => length(next, 3).is_some_and(|size| size > next.len()),
        (Some(4), [0, 0, 0, 1, _, next @ ..]) => {
            length(next, 4).is_some_and(|size| size > next.len())
        }
        _ => false,
    }
}

fn length(bytes: &[u8], size: usize) -> Option<usize> {
    let bytes = bytes.get(..size)?;
    let number = |value: usize, byte: &u8| (value << 8) | usize::from(*byte);
    Some(bytes.iter().fold(0, number))
}

/// Appends the parameter sets of a description.
pub fn append_sets(entry: &Entry, packet: &mut Vec<u8>) {
    entry.sets.iter().for_each(|set| append(set, packet));
}

fn append(nal: &[u8], packet: &mut Vec<u8>) {
    // A NAL unit of zeros would be no more than a part of the next start code.
    if nal.iter().any(|byte| *byte != 0) {
        packet.extend([0, 0, 0, 1]);
        packet.extend_from_slice(nal);
    }
}

/// Returns what there is of the codec in a description.
pub fn codec(entry: Option<&Entry>) -> Option<Codec> {
    entry?.codec
}
