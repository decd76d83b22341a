// SPDX-License-Identifier: MIT OR Apache-2.0

//! Encoded videos: packets in decoding order, whatever file they are in.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use ax650::media::{annexb, Codec};

use super::{mp4_read, FileKind};
use crate::args::Rate;
use crate::failure::Failure;

/// Of elementary streams, which do not tell.
const DEFAULT_RATE: Rate = Rate { num: 25, den: 1 };

/// A video.
pub struct Clip {
    /// Codec.
    pub codec: Codec,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Pictures per second, on average.
    pub rate: Rate,
    /// Whether all pictures last equally long.
    pub constant_rate: bool,
    path: PathBuf,
    source: Source,
    /// Presentation time of each packet, in microseconds from the beginning.
    times: Vec<u64>,
}

enum Source {
    /// An elementary stream, and where its packets are.
    Memory(Vec<u8>, Vec<Range<usize>>),
    /// Samples in a file.
    File(File, mp4_read::Track),
}

impl Clip {
    /// Opens a file; `rate` overrides that of the file.
    pub fn open(path: &Path, rate: Option<Rate>) -> Result<Self, Failure> {
        let clip = match FileKind::of(path) {
            Some(FileKind::Mp4) => Self::from_mp4(path, rate),
            Some(FileKind::Stream(codec)) => Self::from_stream(path, codec, rate),
            _ => {
                let path = path.display();
                return Err(Failure::of(format!(
                    "{path}: not an .mp4, .h264 or .h265 file by its name"
                )));
            }
        }?;
        if clip.times.is_empty() {
            return Err(Failure::of(format!(
                "{}: there is no picture in it",
                path.display()
            )));
        }
        Ok(clip)
    }

    fn from_stream(path: &Path, codec: Codec, rate: Option<Rate>) -> Result<Self, Failure> {
        let bytes = fs::read(path).map_err(|error| Failure::file(path, &error))?;
        let sps = annexb::find_sps(codec, &bytes).ok_or_else(|| {
            let path = path.display();
            Failure::of(format!(
                "{path}: no {codec} parameter set that can be read; not an {codec} stream?"
            ))
        })?;
        let start = bytes.as_ptr() as usize;
        let packets: Vec<_> = annexb::packets(codec, &bytes)
            .map(|packet| {
                let from = packet.as_ptr() as usize - start;
                from..from + packet.len()
            })
            .collect();
        let rate = rate.unwrap_or(DEFAULT_RATE);
        let time =
            |index: usize| index as u64 * 1_000_000 * u64::from(rate.den) / u64::from(rate.num);
        Ok(Self {
            codec,
            width: sps.width,
            height: sps.height,
            rate,
            constant_rate: true,
            path: path.into(),
            times: (0..packets.len()).map(time).collect(),
            source: Source::Memory(bytes, packets),
        })
    }

    fn from_mp4(path: &Path, rate: Option<Rate>) -> Result<Self, Failure> {
        let mut file = File::open(path).map_err(|error| Failure::file(path, &error))?;
        let track = mp4_read::read(&mut file)
            .map_err(|problem| Failure::of(format!("{}: {problem}", path.display())))?;
        let first = track
            .samples
            .iter()
            .map(|sample| sample.time)
            .min()
            .unwrap_or(0);
        let micros =
            |time: i64| (i128::from(time - first) * 1_000_000 / i128::from(track.timescale)) as u64;
        Ok(Self {
            codec: track.codec,
            width: track.width,
            height: track.height,
            rate: rate.or(track.rate).unwrap_or(DEFAULT_RATE),
            constant_rate: rate.is_some() || track.constant_rate,
            path: path.into(),
            times: track
                .samples
                .iter()
                .map(|sample| micros(sample.time))
                .collect(),
            source: Source::File(file, track),
        })
    }

    /// Packets.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Presentation times in the order of the packets, microseconds from the beginning.
    pub fn times(&self) -> &[u64] {
        &self.times
    }

    /// Reads packet number `index` into `packet`, with start codes and all that is needed to decode it.
    pub fn read(&mut self, index: usize, packet: &mut Vec<u8>) -> Result<(), Failure> {
        packet.clear();
        match &mut self.source {
            Source::Memory(bytes, packets) => {
                packet.extend_from_slice(&bytes[packets[index].clone()]);
                Ok(())
            }
            Source::File(file, track) => {
                let sample = &track.samples[index];
                let mut bytes = vec![0; sample.size as usize];
                file.seek(SeekFrom::Start(sample.offset))
                    .and_then(|_| file.read_exact(&mut bytes))
                    .map_err(|error| Failure::file(&self.path, &error))?;
                track.to_annexb(index, &bytes, packet).ok_or_else(|| {
                    Failure::of(format!(
                        "{}: packet {index} is damaged",
                        self.path.display()
                    ))
                })
            }
        }
    }
}
