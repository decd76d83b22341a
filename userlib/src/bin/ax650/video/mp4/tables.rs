// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where the samples of a track are.

use super::fields::{find, Fields};

/// No track has more samples.
const MAX_SAMPLES: usize = 1 << 24;
/// Samples that are all of one size take no bytes in the tables; in a pipe nothing else tells that there cannot be so many.
const MAX_UNSEEN: usize = 1 << 16;
/// No sample is larger.
pub const MAX_SAMPLE: u32 = 256 << 20;

/// No sample lasts longer; what is more is a negative number, as ffmpeg sees it.
const MAX_DELTA: u32 = u32::MAX - 480_000;

/// A packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Where it begins in the file.
    pub offset: u64,
    /// Bytes.
    pub size: u32,
    /// Presentation time on the track's own clock, in ticks.
    pub time: i64,
    /// How long it lasts.
    pub duration: u32,
    /// Whether it can be decoded without others.
    pub key: bool,
    /// Number of its description, from 0.
    pub entry: u32,
}

/// The samples of a track, in decoding order.
#[derive(Debug, Default)]
pub struct Samples {
    /// Samples of the table.
    pub all: Vec<Sample>,
    /// Decoding time of what follows.
    pub end: i64,
    /// What is wrong with the tables, if anything.
    pub problem: Option<&'static str>,
}

/// Numbers with how often each comes in succession.
struct Runs<'a> {
    fields: Fields<'a>,
    left: u32,
    value: u32,
}

impl<'a> Runs<'a> {
    fn new(table: Option<&'a [u8]>) -> Self {
        // Version and flags, number of entries: there are as many as there are.
        let fields = Fields(table.and_then(|table| table.get(8..)).unwrap_or_default());
        Self {
            fields,
            left: 0,
            value: 0,
        }
    }

    fn next(&mut self) -> Option<u32> {
        while self.left == 0 {
            (self.left, self.value) = self.fields.u32().zip(self.fields.u32())?;
        }
        self.left -= 1;
        Some(self.value)
    }
}

/// The sizes of a track's samples.
enum Sizes<'a> {
    Same(u32),
    Bytes(Fields<'a>, u32),
}

impl Sizes<'_> {
    fn next(&mut self, index: usize) -> Option<u32> {
        match self {
            Self::Same(size) => Some(*size),
            Self::Bytes(fields, 32) => fields.u32(),
            Self::Bytes(fields, 16) => fields.u16().map(u32::from),
            Self::Bytes(fields, 8) => fields.u8().map(u32::from),
            // Two in a byte, the upper half first.
            Self::Bytes(fields, _) => {
                let byte = *fields.0.first()?;
                if index % 2 == 1 {
                    fields.u8()?;
                    return Some((byte & 15).into());
                }
                Some((byte >> 4).into())
            }
        }
    }
}

fn sizes(stbl: &[u8]) -> Option<(Sizes<'_>, u32)> {
    if let Some(stsz) = find(stbl, b"stsz") {
        let mut fields = Fields(stsz);
        fields.u32()?;
        let (same, count) = (fields.u32()?, fields.u32()?);
        let sizes = match same {
            0 => Sizes::Bytes(fields, 32),
            size => Sizes::Same(size),
        };
        return Some((sizes, count));
    }
    let mut fields = Fields(find(stbl, b"stz2")?);
    fields.u32()?;
    let (bits, count) = (fields.u32()? & 0xFF, fields.u32()?);
    Some((Sizes::Bytes(fields, bits), count))
}

/// Puts the tables of a track together.  Samples without bytes have a time and nothing else: they are left out.  `end`
/// is that of the file, if it is known.
pub fn samples(stbl: &[u8], end: Option<u64>) -> Samples {
    let mut samples = Samples::default();
    let Some((sizes, count)) = sizes(stbl) else {
        return samples;
    };
    let problem = fill(stbl, sizes, count as usize, end, &mut samples);
    samples.problem = problem.err();
    samples
}

fn fill(
    stbl: &[u8],
    mut sizes: Sizes<'_>,
    count: usize,
    end: Option<u64>,
    samples: &mut Samples,
) -> Result<(), &'static str> {
    const SHORT: &str = "its tables do not fit together";
    if count == 0 {
        return Ok(());
    }
    let mut deltas = Runs::new(find(stbl, b"stts"));
    let mut shifts = Runs::new(find(stbl, b"ctts"));
    let mut keys = find(stbl, b"stss").map(|table| Fields(table.get(8..).unwrap_or_default()));
    let mut next_key = keys.as_mut().map(|keys| keys.u32().unwrap_or(0));
    let mut runs = Fields(
        find(stbl, b"stsc")
            .and_then(|table| table.get(8..))
            .unwrap_or_default(),
    );
    let mut read_run = || Some((runs.u32()?, runs.u32()?, runs.u32()?));
    let mut run = read_run().ok_or(SHORT)?;
    let mut next_run = read_run();
    let (wide, chunks) = match (find(stbl, b"co64"), find(stbl, b"stco")) {
        (Some(table), _) => (true, table),
        (None, table) => (false, table.unwrap_or_default()),
    };
    let mut chunks = Fields(chunks.get(8..).unwrap_or_default());
    let mut offset_of = || match wide {
        true => chunks.u64(),
        false => chunks.u32().map(u64::from),
    };
    let (mut number, mut delta) = (0_usize, 0_u32);
    let most = match (&sizes, end) {
        (Sizes::Same(_), None) => MAX_UNSEEN,
        _ => MAX_SAMPLES,
    };
    for chunk in 1_u32.. {
        let mut offset = offset_of().ok_or(SHORT)?;
        while let Some(next) = next_run.filter(|next| next.0 <= chunk) {
            run = next;
            next_run = read_run();
        }
        // A chunk without samples is none.
        for _ in 0..run.1.max(1) {
            let size = sizes.next(number).ok_or(SHORT)?;
            number += 1;
            // A missing duration is that of the one before, a missing shift is 0.
            delta = match deltas.next() {
                // Less than nothing.
                Some(long) if long > MAX_DELTA => 1,
                told => told.unwrap_or(delta),
            };
            let shift = shifts.next().unwrap_or(0) as i32;
            while next_key.is_some_and(|key| key != 0 && (key as usize) < number) {
                next_key = keys.as_mut().map(|keys| keys.u32().unwrap_or(0));
            }
            let time = samples.end.checked_add(shift.into()).ok_or(SHORT)?;
            samples.end = samples.end.checked_add(delta.into()).ok_or(SHORT)?;
            if size > MAX_SAMPLE {
                return Err("a sample is too large");
            }
            // What lies behind the end of the file is missing, and is found out when it is read; only that there
            // cannot be so many is seen here.
            if samples.all.len() == most || end.is_some_and(|end| number as u64 > end) {
                return Err("it has too many samples");
            }
            if size > 0 {
                samples.all.push(Sample {
                    offset,
                    size,
                    time,
                    duration: delta,
                    key: next_key.is_none_or(|key| key as usize == number),
                    entry: run.2.saturating_sub(1),
                });
            }
            offset = offset.checked_add(size.into()).ok_or(SHORT)?;
            if number == count {
                return Ok(());
            }
        }
    }
    Err(SHORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(kind: &[u8; 4], head: &[u32], rows: &[u32]) -> Vec<u8> {
        let words = head.iter().chain(rows);
        let body: Vec<u8> = words.flat_map(|word| word.to_be_bytes()).collect();
        let size = body.len() as u32 + 8;
        [&size.to_be_bytes()[..], kind, &body].concat()
    }

    fn tables(sizes: &[u32], chunks: &[u32]) -> Vec<u8> {
        [
            table(b"stts", &[0, 1], &[sizes.len() as u32, 10]),
            table(b"stsz", &[0, 0, sizes.len() as u32], sizes),
            table(b"stsc", &[0, 2], &[1, 2, 1, 3, 1, 2]),
            table(b"stss", &[0, 2], &[1, 4]),
            table(b"stco", &[0, chunks.len() as u32], chunks),
        ]
        .concat()
    }

    #[test]
    fn tables_fit_together() {
        let samples = samples(&tables(&[1, 2, 3, 4, 5], &[100, 200, 300]), Some(305));
        assert_eq!(samples.problem, None);
        assert_eq!(samples.end, 50);
        let places: Vec<_> = samples
            .all
            .iter()
            .map(|sample| {
                (
                    sample.offset,
                    sample.size,
                    sample.time,
                    sample.key,
                    sample.entry,
                )
            })
            .collect();
        assert_eq!(
            places,
            [
                (100, 1, 0, true, 0),
                (101, 2, 10, false, 0),
                (200, 3, 20, false, 0),
                (203, 4, 30, true, 0),
                (300, 5, 40, false, 1)
            ]
        );
    }

    #[test]
    fn samples_without_bytes_are_left_out() {
        let samples = samples(&tables(&[1, 2, 0, 4, 0], &[100, 200, 300]), None);
        assert_eq!(samples.problem, None);
        let times: Vec<_> = samples.all.iter().map(|sample| sample.time).collect();
        assert_eq!(times, [0, 10, 30]);
    }

    #[test]
    fn chunks_without_samples_and_times_that_run_back() {
        let bytes = [
            table(b"stts", &[0, 3], &[1, 10, 1, -5_i32 as u32, 1, 10]),
            table(b"stsz", &[0, 0, 3], &[1, 2, 3]),
            table(b"stsc", &[0, 2], &[1, 0, 1, 2, 1, 1]),
            table(b"stco", &[0, 3], &[100, 200, 300]),
        ]
        .concat();
        let samples = samples(&bytes, None);
        let all = samples.all.iter();
        let all: Vec<_> = all.map(|sample| (sample.offset, sample.time)).collect();
        assert_eq!((samples.problem, samples.end), (None, 21));
        assert_eq!(all, [(100, 0), (200, 10), (300, 11)]);
    }

    #[test]
    fn tables_that_do_not_fit() {
        let short = samples(&tables(&[1, 2, 3, 4, 5], &[100, 200]), None);
        assert_eq!(short.all.len(), 4);
        assert!(short.problem.is_some());
        let mut huge = tables(&[1], &[100]);
        huge.extend(table(b"stsz", &[0, 1, u32::MAX], &[]));
        assert_eq!(samples(&huge, None).all.len(), 1);
        let many = [
            table(b"stsz", &[0, 1, u32::MAX], &[]),
            table(b"stsc", &[0, 1], &[1, u32::MAX, 1]),
            table(b"stco", &[0, 1], &[0]),
        ]
        .concat();
        assert!(samples(&many, Some(1000)).problem.is_some());
        let piped = samples(&many, None);
        assert!(piped.problem.is_some() && piped.all.len() <= 1 << 16);
        let large = samples(&tables(&[1, u32::MAX], &[1, 2]), None);
        assert_eq!((large.all.len(), large.problem.is_some()), (1, true));
        assert!(samples(&[], None).all.is_empty());
    }
}
