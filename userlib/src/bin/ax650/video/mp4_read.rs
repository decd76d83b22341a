// SPDX-License-Identifier: MIT OR Apache-2.0

//! The video track of an MP4 file.

use std::io::{Cursor, Read, Seek, SeekFrom};

use ax650::media::{annexb, sps, Codec};
use mp4_atom::{Atom, DecodeAtom, FourCC, Header, Hvcc, Moov, ReadFrom, Stbl, StszSamples, Trak};

use crate::args::Rate;

/// The description of a file is never larger.
const MAX_MOOV: usize = 256 << 20;
/// What a file begins with.
const FIRST_KINDS: [&[u8; 4]; 7] = [
    b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pdin",
];
/// No packet is larger.
const MAX_SAMPLE: u32 = 256 << 20;

/// A track.
pub struct Track {
    /// Codec.
    pub codec: Codec,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Ticks per second.
    pub timescale: u32,
    /// Pictures per second.
    pub rate: Option<Rate>,
    /// Whether all pictures last equally long.
    pub constant_rate: bool,
    /// Its packets in decoding order.
    pub samples: Vec<Sample>,
    /// Bytes of the length ahead of each NAL unit.
    length_size: usize,
    /// NAL units that are needed ahead of a key picture.
    parameter_sets: Vec<Vec<u8>>,
}

/// A packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Where it begins in the file.
    pub offset: u64,
    /// Bytes.
    pub size: u32,
    /// Presentation time, in ticks.
    pub time: i64,
}

/// Reads the description of the first video track.
pub fn read(file: &mut (impl Read + Seek)) -> Result<Track, String> {
    let end = file
        .seek(SeekFrom::End(0))
        .map_err(|error| error.to_string())?;
    let moov = find_moov(file, end)?;
    let fragmented = moov.mvex.is_some();
    let trak = moov
        .trak
        .into_iter()
        .find(|trak| trak.mdia.hdlr.handler == FourCC::new(b"vide"))
        .ok_or("no video track")?;
    let track = track(&trak, end)?;
    if track.samples.is_empty() && fragmented {
        return Err("fragmented MP4 files cannot be read".into());
    }
    Ok(track)
}

fn find_moov(file: &mut (impl Read + Seek), end: u64) -> Result<Moov, String> {
    let mut at = 0;
    while at < end {
        let seek = file.seek(SeekFrom::Start(at));
        seek.map_err(|error| error.to_string())?;
        let header = Header::read_from(file).map_err(|_| "not an MP4 file")?;
        if at == 0
            && !FIRST_KINDS
                .iter()
                .any(|kind| header.kind == FourCC::new(kind))
        {
            return Err("not an MP4 file".into());
        }
        let body = file.stream_position().map_err(|error| error.to_string())?;
        // Without a size the atom goes to the end of the file.
        let size = header.size.map_or(end - body, |size| size as u64);
        let next = body
            .checked_add(size)
            .filter(|next| *next <= end)
            .ok_or("the file is cut short")?;
        if header.kind == Moov::KIND {
            let size = usize::try_from(size).ok().filter(|size| *size <= MAX_MOOV);
            let mut bytes = vec![0; size.ok_or("its description is too large")?];
            file.read_exact(&mut bytes)
                .map_err(|error| error.to_string())?;
            let header = Header {
                size: Some(bytes.len()),
                ..header
            };
            return Moov::decode_atom(&header, &mut Cursor::new(bytes))
                .map_err(|error| format!("damaged MP4 file: {error}"));
        }
        at = next;
    }
    Err("not an MP4 file, or one without description".into())
}

fn track(trak: &Trak, end: u64) -> Result<Track, String> {
    let stbl = &trak.mdia.minf.stbl;
    let timescale = trak.mdia.mdhd.timescale;
    if timescale == 0 {
        return Err("damaged MP4 file: a track without time".into());
    }
    let entry = stbl
        .stsd
        .codecs
        .first()
        .ok_or("damaged MP4 file: a track without codec")?;
    let (codec, visual, length_size, parameter_sets) = match entry {
        mp4_atom::Codec::Avc1(avc1) => {
            let avcc = &avc1.avcc;
            let sets = [
                &avcc.sequence_parameter_sets[..],
                &avcc.picture_parameter_sets,
            ]
            .concat();
            (Codec::H264, &avc1.visual, avcc.length_size, sets)
        }
        mp4_atom::Codec::Hev1(hev1) => h265(&hev1.visual, &hev1.hvcc),
        mp4_atom::Codec::Hvc1(hvc1) => h265(&hvc1.visual, &hvc1.hvcc),
        _ => return Err("its video is neither H.264 nor H.265".into()),
    };
    let read_sps = |set: &Vec<u8>| match codec {
        Codec::H264 if set.first()? & 0x1F == 7 => sps::h264(set),
        Codec::H265 if (set.first()? >> 1) & 0x3F == 33 => sps::h265(set),
        _ => None,
    };
    let size = parameter_sets.iter().find_map(read_sps);
    let samples = samples(stbl, end).ok_or("damaged MP4 file: its tables do not fit together")?;
    let ticks: u64 = stbl
        .stts
        .entries
        .iter()
        .map(|entry| u64::from(entry.sample_count) * u64::from(entry.sample_delta))
        .fold(0, u64::saturating_add);
    let rate = (samples.len() as u64).checked_mul(timescale.into());
    Ok(Track {
        codec,
        width: size.map_or(visual.width.into(), |size| size.width),
        height: size.map_or(visual.height.into(), |size| size.height),
        timescale,
        rate: rate.and_then(|num| Rate::new(num, ticks)),
        constant_rate: stbl
            .stts
            .entries
            .iter()
            .all(|entry| entry.sample_delta == stbl.stts.entries[0].sample_delta),
        samples,
        length_size: length_size.into(),
        parameter_sets,
    })
}

fn h265<'a>(
    visual: &'a mp4_atom::Visual,
    hvcc: &Hvcc,
) -> (Codec, &'a mp4_atom::Visual, u8, Vec<Vec<u8>>) {
    let sets = hvcc
        .arrays
        .iter()
        .flat_map(|array| array.nalus.iter().cloned())
        .collect();
    (Codec::H265, visual, hvcc.length_size_minus_one + 1, sets)
}

/// Puts the tables together; `None` if they contradict each other or the size of the file.
fn samples(stbl: &Stbl, end: u64) -> Option<Vec<Sample>> {
    let count = match &stbl.stsz.samples {
        StszSamples::Identical { count, .. } => *count as usize,
        StszSamples::Different { sizes } => sizes.len(),
    };
    // A packet has at least one byte: a count that cannot be is not worth any memory.
    if count as u64 > end {
        return None;
    }
    let size = |index: usize| match &stbl.stsz.samples {
        StszSamples::Identical { size, .. } => *size,
        StszSamples::Different { sizes } => sizes[index],
    };
    let deltas = stbl
        .stts
        .entries
        .iter()
        .flat_map(|entry| std::iter::repeat_n(entry.sample_delta, entry.sample_count as usize));
    let shifts = stbl
        .ctts
        .iter()
        .flat_map(|ctts| &ctts.entries)
        .flat_map(|entry| std::iter::repeat_n(entry.sample_offset, entry.sample_count as usize));
    // Missing shifts are 0, a missing duration is that of the one before.
    let mut deltas = deltas;
    let mut shifts = shifts.chain(std::iter::repeat(0));

    let chunks: Vec<u64> = match (&stbl.co64, &stbl.stco) {
        (Some(co64), _) => co64.entries.clone(),
        (None, Some(stco)) => stco
            .entries
            .iter()
            .map(|offset| u64::from(*offset))
            .collect(),
        (None, None) => Vec::new(),
    };
    let mut samples = Vec::with_capacity(count);
    let (mut time, mut delta) = (0_i64, 0_u32);
    let mut run = 0;
    for (number, chunk) in (1_u32..).zip(chunks) {
        let runs = &stbl.stsc.entries;
        while runs
            .get(run + 1)
            .is_some_and(|next| next.first_chunk <= number)
        {
            run += 1;
        }
        let mut offset = chunk;
        for _ in 0..runs.get(run)?.samples_per_chunk {
            if samples.len() == count {
                break;
            }
            let size = size(samples.len());
            if size == 0 || size > MAX_SAMPLE || offset.checked_add(size.into())? > end {
                return None;
            }
            let shown = time.checked_add(shifts.next()?.into())?;
            samples.push(Sample {
                offset,
                size,
                time: shown,
            });
            offset += u64::from(size);
            delta = deltas.next().unwrap_or(delta);
            time = time.checked_add(delta.into())?;
        }
    }
    (samples.len() == count).then_some(samples)
}

impl Track {
    /// Turns packet number `index` into NAL units with start codes; `None` if it is damaged.
    pub fn to_annexb(&self, index: usize, mut bytes: &[u8], packet: &mut Vec<u8>) -> Option<()> {
        const START_CODE: [u8; 4] = [0, 0, 0, 1];
        let begin = packet.len();
        while !bytes.is_empty() {
            let (length, rest) = bytes.split_at_checked(self.length_size)?;
            let length = length
                .iter()
                .fold(0_usize, |value, byte| (value << 8) | usize::from(*byte));
            let (nal, rest) = rest.split_at_checked(length)?;
            packet.extend(START_CODE);
            packet.extend_from_slice(nal);
            bytes = rest;
        }
        if index == 0 || annexb::is_key(self.codec, &packet[begin..]) {
            let mut sets = Vec::new();
            for set in &self.parameter_sets {
                sets.extend(START_CODE);
                sets.extend_from_slice(set);
            }
            packet.splice(begin..begin, sets);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mp4_atom::{Stco, Stsc, StscEntry, Stsz, Stts, SttsEntry};

    fn tables() -> Stbl {
        let run = |first_chunk, samples_per_chunk| StscEntry {
            first_chunk,
            samples_per_chunk,
            sample_description_index: 1,
        };
        Stbl {
            stts: Stts {
                entries: vec![SttsEntry {
                    sample_count: 5,
                    sample_delta: 10,
                }],
            },
            stsc: Stsc {
                entries: vec![run(1, 2), run(3, 1)],
            },
            stsz: Stsz {
                samples: StszSamples::Different {
                    sizes: vec![1, 2, 3, 4, 5],
                },
            },
            stco: Some(Stco {
                entries: vec![100, 200, 300],
            }),
            ..Default::default()
        }
    }

    #[test]
    fn tables_fit_together() {
        let samples = samples(&tables(), 305).unwrap();
        let places: Vec<_> = samples
            .iter()
            .map(|sample| (sample.offset, sample.size, sample.time))
            .collect();
        assert_eq!(
            places,
            [
                (100, 1, 0),
                (101, 2, 10),
                (200, 3, 20),
                (203, 4, 30),
                (300, 5, 40)
            ]
        );
    }

    #[test]
    fn tables_that_do_not_fit() {
        assert!(samples(&tables(), 304).is_none());
        let mut short = tables();
        short.stco = Some(Stco {
            entries: vec![100, 200],
        });
        assert!(samples(&short, 1000).is_none());
        let mut huge = tables();
        huge.stsz.samples = StszSamples::Identical {
            count: u32::MAX,
            size: 1,
        };
        assert!(samples(&huge, 1000).is_none());
        let mut empty = tables();
        empty.stsc.entries.clear();
        assert!(samples(&empty, 1000).is_none());
        let mut zero = tables();
        zero.stsz.samples = StszSamples::Different {
            sizes: vec![1, 2, 0, 4, 5],
        };
        assert!(samples(&zero, 1000).is_none());
    }

    #[test]
    fn what_is_no_mp4() {
        for bytes in [&b""[..], b"abc", b"not an mp4 file at all", &[0; 64]] {
            assert!(read(&mut Cursor::new(bytes)).is_err());
        }
    }
}
