// SPDX-License-Identifier: MIT OR Apache-2.0

//! Audio that goes from one MP4 file into another as it is.

use std::io::{self, Write};

use crate::video::mp4::fields::{boxes, find, Kind};
use crate::video::mp4::{Reader, Step, Track};

/// Kinds of audio whose description means the same in every MP4 file.
const KINDS: [&Kind; 7] = [
    b"mp4a", b"ac-3", b"ec-3", b"Opus", b"fLaC", b"alac", b".mp3",
];

/// A track of audio.
pub struct AudioTrack {
    reader: Reader,
    /// The next sample and its bytes.
    next: Option<(Step, Vec<u8>)>,
    sizes: Vec<u32>,
    durations: Vec<u32>,
    places: Vec<u64>,
}

impl AudioTrack {
    /// Returns whether a track can be copied.
    pub fn can_copy(track: &Track) -> bool {
        let stsd = find(&track.stbl, b"stsd").and_then(|stsd| stsd.get(8..));
        let entries: Vec<_> = boxes(stsd.unwrap_or_default()).collect();
        // Version 0 of the description: others are those of QuickTime.
        let plain = |body: &[u8]| body.get(8..10) == Some(&[0, 0]);
        &track.handler == b"soun"
            && entries.len() == 1
            && entries
                .iter()
                .all(|(kind, body)| KINDS.contains(&kind) && plain(body))
    }

    /// Copies the track that the reader has chosen.
    pub fn new(reader: Reader) -> Self {
        Self {
            reader,
            next: None,
            sizes: Vec::new(),
            durations: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Appends what comes before a time, in ticks of so many per second; `None`: all the rest.
    pub fn write(
        &mut self,
        file: &mut impl Write,
        position: &mut u64,
        until: Option<(u64, u32)>,
    ) -> io::Result<()> {
        loop {
            if self.next.is_none() {
                let mut bytes = Vec::new();
                self.next = self.reader.next(&mut bytes)?.map(|step| (step, bytes));
            }
            let Some((step, bytes)) = &self.next else {
                return Ok(());
            };
            if let Some((until, scale)) = until {
                let mine = i128::from(self.reader.track().timescale);
                if i128::from(step.time) * i128::from(scale) >= i128::from(until) * mine {
                    return Ok(());
                }
            }
            file.write_all(bytes)?;
            self.sizes.push(bytes.len() as u32);
            self.durations.push(step.sample.duration);
            self.places.push(*position);
            *position += bytes.len() as u64;
            self.next = None;
        }
    }

    /// Makes the box that describes the track; `movie`: ticks per second of the file.
    pub fn description(&self, number: u32, movie: u32) -> Vec<u8> {
        let track = self.reader.track();
        let ticks: u64 = self.durations.iter().map(|ticks| u64::from(*ticks)).sum();
        let scaled = |ticks: u64, from: u32| {
            let value = u128::from(ticks) * u128::from(movie) / u128::from(from.max(1));
            u64::try_from(value).unwrap_or(u64::MAX)
        };
        let mut stts: Vec<[u32; 2]> = Vec::new();
        for duration in &self.durations {
            match stts.last_mut() {
                Some(last) if last[1] == *duration => last[0] += 1,
                _ => stts.push([1, *duration]),
            }
        }
        let places = self.places.iter().flat_map(|place| place.to_be_bytes());
        let stbl = [
            wrap(b"stsd", find(&track.stbl, b"stsd").unwrap_or_default()),
            table(b"stts", stts.len(), stts.as_flattened()),
            table(b"stsc", 1, &[1, 1, 1]),
            wrap(
                b"stsz",
                &words(&[&[0, 0, self.sizes.len() as u32], &self.sizes[..]].concat()),
            ),
            wrap(
                b"co64",
                &[
                    words(&[0, self.places.len() as u32]),
                    places.collect::<Vec<_>>(),
                ]
                .concat(),
            ),
        ]
        .concat();
        let here = [
            &[0, 0, 0, 28][..],
            b"dref",
            &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 12],
            b"url ",
            &[0, 0, 0, 1],
        ]
        .concat();
        let minf = [
            wrap(b"smhd", &[0; 8]),
            wrap(b"dinf", &here),
            wrap(b"stbl", &stbl),
        ]
        .concat();
        let mut mdhd = words(&[0x100_0000, 0, 0, 0, 0, track.timescale]);
        mdhd.extend(ticks.to_be_bytes());
        mdhd.extend([0x55, 0xC4, 0, 0]);
        let hdlr = [&[0; 8][..], b"soun", &[0; 12], b"audio\0"].concat();
        let mdia = [
            wrap(b"mdhd", &mdhd),
            wrap(b"hdlr", &hdlr),
            wrap(b"minf", &minf),
        ]
        .concat();
        let from = self.reader.movie.timescale;
        let mut edits = Vec::new();
        let mut shown = 0_u64;
        for edit in &track.edits {
            let length = match edit.duration {
                0 => scaled(ticks, track.timescale),
                ticks => scaled(ticks, from),
            };
            // No longer than what there is.
            let left = scaled(ticks, track.timescale);
            let length = if edit.from < 0 {
                length
            } else {
                length.min(left)
            };
            shown = shown.saturating_add(length);
            edits.extend(length.to_be_bytes());
            edits.extend(edit.from.max(-1).to_be_bytes());
            edits.extend([0, 1, 0, 0]);
        }
        let edts = match track.edits.len() as u32 {
            0 => Vec::new(),
            count => {
                let elst = [words(&[0x100_0000, count]), edits].concat();
                wrap(b"edts", &wrap(b"elst", &elst))
            }
        };
        if track.edits.is_empty() {
            shown = scaled(ticks, track.timescale);
        }
        let mut tkhd = words(&[0x100_0003, 0, 0, 0, 0, number, 0]);
        tkhd.extend(shown.to_be_bytes());
        tkhd.extend(words(&[0, 0, 0, 0x0100_0000]));
        tkhd.extend(words(&[
            0x1_0000,
            0,
            0,
            0,
            0x1_0000,
            0,
            0,
            0,
            0x4000_0000,
            0,
            0,
        ]));
        wrap(
            b"trak",
            &[wrap(b"tkhd", &tkhd), edts, wrap(b"mdia", &mdia)].concat(),
        )
    }
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn table(kind: &Kind, rows: usize, cells: &[u32]) -> Vec<u8> {
    wrap(kind, &words(&[&[0, rows as u32], cells].concat()))
}

fn wrap(kind: &Kind, body: &[u8]) -> Vec<u8> {
    let size = (body.len() + 8) as u32;
    [&size.to_be_bytes()[..], kind, body].concat()
}
