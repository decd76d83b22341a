// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a file says of itself: its tracks.

use std::io::Read;

use super::entry::{self, Entry};
use super::fields::{boxes, find, find_at, name, Fields, Kind};

/// The description of a file.
#[derive(Debug, Default)]
pub struct Movie {
    /// Ticks per second of edits.
    pub timescale: u32,
    /// Tracks of the file, in order.
    pub tracks: Vec<Track>,
    /// Whether fragments may follow.
    pub fragmented: bool,
    /// Whether the file ends in the middle of it.
    pub cut: bool,
    /// Defaults of fragments, by the number of the track.
    pub defaults: Vec<Defaults>,
}

/// No description is larger when it is unpacked.
const MAX_UNPACKED: u64 = 64 << 20;

/// What samples of fragments have unless the fragment says something else.
#[derive(Debug, Clone, Copy, Default)]
pub struct Defaults {
    /// Number of the track.
    pub track: u32,
    /// Number of the description, from 1.
    pub entry: u32,
    /// Ticks.
    pub duration: u32,
    /// Bytes.
    pub size: u32,
    /// Flags.
    pub flags: u32,
}

/// A track.
#[derive(Debug)]
pub struct Track {
    /// The number by which fragments name it.
    pub id: u32,
    /// What it is: `vide`, `soun` and others.
    pub handler: Kind,
    /// Ticks per second.
    pub timescale: u32,
    /// How its pictures are turned and scaled.
    pub matrix: [i32; 9],
    /// What of it is shown when.
    pub edits: Vec<Edit>,
    /// Descriptions of the track's samples, if it is a video.
    pub entries: Vec<Entry>,
    /// Name of the first description.
    pub coding: Kind,
    /// The body of its table of samples.
    pub stbl: Vec<u8>,
}

/// A part of a track that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit {
    /// How long, in ticks of the file.
    pub duration: u64,
    /// From where, in ticks of the track; -1: nothing is shown so long.
    pub from: i64,
}

impl Movie {
    /// Reads the body of a `moov` box; old QuickTime files have it packed.
    pub fn read(moov: &[u8]) -> Self {
        let packed = find_at(moov, &[b"cmov", b"cmvd"]).and_then(|packed| packed.get(4..));
        let Some(packed) = packed else {
            return Self::read_plain(moov);
        };
        let mut plain = Vec::new();
        let mut limited = flate2::read::ZlibDecoder::new(packed).take(MAX_UNPACKED);
        // What is cut or damaged is read as far as it goes.
        if let Err(error) = limited.read_to_end(&mut plain) {
            log::debug!("a packed description: {error}");
        }
        Self::read_plain(find(&plain, b"moov").unwrap_or_default())
    }

    fn read_plain(moov: &[u8]) -> Self {
        let mut movie = Self {
            timescale: 1,
            ..Default::default()
        };
        for (kind, body) in boxes(moov) {
            match &kind {
                b"mvhd" => movie.timescale = timescale(body).unwrap_or(1),
                b"trak" => movie.tracks.extend(Track::read(body)),
                b"mvex" => {
                    movie.fragmented = true;
                    let trex = boxes(body).filter(|(kind, _)| kind == b"trex");
                    movie
                        .defaults
                        .extend(trex.filter_map(|(_, body)| defaults(body)));
                }
                _ => {}
            }
        }
        movie
    }

    /// Finds the track with this number, from 1, or the first video that can be decoded.
    pub fn choose(&self, wanted: Option<usize>) -> Result<usize, String> {
        let decodable = |track: &Track| track.entries.iter().any(|entry| entry.codec.is_some());
        let all = || {
            let tracks = self.tracks.iter().zip(1..);
            let text: Vec<_> = tracks
                .map(|(track, number)| format!("{number} {}", track.label()))
                .collect();
            text.join(", ")
        };
        if let Some(number) = wanted {
            let track = number.checked_sub(1).and_then(|at| self.tracks.get(at));
            let track = track.ok_or_else(|| format!("no track {number}; it has {}", all()))?;
            if !decodable(track) {
                return Err(format!(
                    "track {number} ({}) is neither H.264 nor H.265",
                    track.label()
                ));
            }
            return Ok(number - 1);
        }
        // A track may be there and empty, or be the transparency of another.
        let better = |track: &Track| {
            decodable(track)
                && track.handler != *b"auxv"
                && (self.fragmented || track.has_samples())
        };
        let mut tracks = self.tracks.iter();
        if let Some(at) = tracks
            .position(better)
            .or_else(|| self.tracks.iter().position(decodable))
        {
            return Ok(at);
        }
        if !self.tracks.iter().any(|track| &track.handler == b"vide") {
            return Err("no video track".into());
        }
        Err(format!("its video is neither H.264 nor H.265: {}", all()))
    }
}

fn timescale(header: &[u8]) -> Option<u32> {
    let mut fields = Fields(header);
    let (version, _) = fields.version()?;
    fields.long(version)?;
    fields.long(version)?;
    fields.u32().filter(|scale| *scale > 0)
}

fn defaults(trex: &[u8]) -> Option<Defaults> {
    let mut fields = Fields(trex);
    fields.u32()?;
    Some(Defaults {
        track: fields.u32()?,
        entry: fields.u32()?,
        duration: fields.u32()?,
        size: fields.u32()?,
        flags: fields.u32()?,
    })
}

impl Track {
    fn read(trak: &[u8]) -> Option<Self> {
        let mdia = find(trak, b"mdia")?;
        let stbl = find_at(mdia, &[b"minf", b"stbl"]).unwrap_or_default();
        let stsd = find(stbl, b"stsd").unwrap_or_default();
        let handler = find(mdia, b"hdlr")
            .and_then(|hdlr| hdlr.get(8..12)?.try_into().ok())
            .unwrap_or_default();
        let (id, matrix) = find(trak, b"tkhd")
            .and_then(track_header)
            .unwrap_or((0, IDENTITY));
        Some(Self {
            id,
            handler,
            timescale: find(mdia, b"mdhd").and_then(timescale).unwrap_or(1),
            matrix,
            edits: find_at(trak, &[b"edts", b"elst"])
                .map(edits)
                .unwrap_or_default(),
            entries: match &handler {
                b"soun" => Vec::new(),
                // Some programs write another handler, or none, for videos.
                _ => entry::read(stsd),
            },
            coding: boxes(stsd.get(8..).unwrap_or_default())
                .next()
                .map_or([b' '; 4], |(kind, _)| kind),
            stbl: stbl.to_vec(),
        })
    }

    /// Says in words what the track is.
    pub fn label(&self) -> String {
        let what = match &self.handler {
            b"vide" => "video",
            _ if self.entries.iter().any(|entry| entry.codec.is_some()) => "video",
            b"soun" => "audio",
            b"tmcd" => "time code",
            b"sbtl" | b"subt" | b"text" | b"clcp" => "subtitles",
            _ => "data",
        };
        let encrypted = match entry::is_encrypted(self.coding) {
            true => "encrypted ",
            false => "",
        };
        format!("{encrypted}{what} {}", name(self.coding).trim())
    }

    /// Whether its tables have any sample.
    fn has_samples(&self) -> bool {
        let count = |kind: &Kind, at: usize| find(&self.stbl, kind)?.get(at..at + 4);
        let count = count(b"stsz", 8).or_else(|| count(b"stz2", 8));
        count.is_some_and(|count| count != [0; 4])
    }

    /// Returns by how many degrees, clockwise, pictures are to be turned to be shown; `None` if the matrix does
    /// something else than turning.
    pub fn rotation(&self) -> Option<u32> {
        let one = 0x1_0000;
        match self.matrix[..5] {
            [a, 0, _, 0, d] if a > 0 && d > 0 => Some(0),
            [0, b, _, d, 0] if b == one && d == -one => Some(90),
            [a, 0, _, 0, d] if a == -one && d == -one => Some(180),
            [0, b, _, d, 0] if b == -one && d == one => Some(270),
            _ => None,
        }
    }
}

/// Nothing is turned.
pub const IDENTITY: [i32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

fn track_header(tkhd: &[u8]) -> Option<(u32, [i32; 9])> {
    let mut fields = Fields(tkhd);
    let (version, _) = fields.version()?;
    fields.long(version)?;
    fields.long(version)?;
    let id = fields.u32()?;
    fields.u32()?;
    fields.long(version)?;
    fields.bytes(16)?;
    let mut matrix = IDENTITY;
    for number in &mut matrix {
        let Some(value) = fields.i32() else {
            return Some((id, IDENTITY));
        };
        *number = value;
    }
    // Some programs write nothing at all.
    Some((
        id,
        if matrix[..5] == [0; 5] {
            IDENTITY
        } else {
            matrix
        },
    ))
}

fn edits(elst: &[u8]) -> Vec<Edit> {
    let mut fields = Fields(elst);
    let Some(((version, _), _)) = fields.version().zip(fields.u32()) else {
        return Vec::new();
    };
    std::iter::from_fn(|| {
        let duration = fields.long(version)?;
        let from = match version {
            1 => fields.u64()? as i64,
            _ => fields.i32()?.into(),
        };
        fields.u32()?; // speed
        Some(Edit { duration, from })
    })
    .collect()
}
