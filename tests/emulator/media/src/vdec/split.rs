// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cuts a stream into access units: all NAL units of one picture, or one JPEG image.

use std::collections::VecDeque;

use super::attr::{Codec, Stream};

/// A unit longer than this is no picture.
pub const MAX_UNIT: usize = 64 << 20;

/// The bytes of one picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The call that brought the first of them.
    pub stream: Stream,
}

/// Collects bytes until a unit is complete.
#[derive(Debug)]
pub struct Splitter {
    codec: Codec,
    buffer: Vec<u8>,
    /// Where in `buffer` the bytes of each call begin.
    calls: VecDeque<(usize, Stream)>,
    /// No start code, no further marker of a JPEG image, begins before this.
    scanned: usize,
    /// `buffer` has a slice in it.
    has_slice: bool,
    /// Where units begin that lie behind a slice and belong to the next one, be it of the same
    /// picture or not.
    ahead: Option<usize>,
}

/// What a NAL unit means for the cutting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nal {
    /// First slice of a picture.
    First,
    /// Further slice.
    Slice,
    /// Comes before the slices of a picture.
    Prefix,
    /// Belongs to the slice that follows.
    Ahead,
    /// Belongs to what came before.
    Other,
}

impl Splitter {
    /// An empty one.
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            buffer: Vec::new(),
            calls: VecDeque::new(),
            scanned: 0,
            has_slice: false,
            ahead: None,
        }
    }

    /// Adds the bytes of a call; returns the units that are complete now, if they are to be looked
    /// for.  Fails, and forgets all bytes, if they are too many for one unit.
    pub fn push(&mut self, bytes: &[u8], stream: Stream, look: bool) -> Result<Vec<Unit>, ()> {
        self.calls.push_back((self.buffer.len(), stream));
        self.buffer.extend_from_slice(bytes);
        let mut units = Vec::new();
        while let Some(end) = look.then(|| self.next_end()).flatten() {
            units.extend(self.cut(end));
        }
        if self.buffer.len() > MAX_UNIT {
            *self = Self::new(self.codec);
            return Err(());
        }
        Ok(units)
    }

    /// The rest: no bytes of this picture follow.
    pub fn finish(&mut self) -> Option<Unit> {
        let unit = self.cut(self.buffer.len());
        self.calls.clear();
        unit
    }

    fn cut(&mut self, end: usize) -> Option<Unit> {
        let rest = self.buffer.split_off(end);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        let stream = self.calls.front().map(|c| c.1).unwrap_or_default();
        while self.calls.get(1).is_some_and(|c| c.0 <= end) {
            self.calls.pop_front();
        }
        for call in &mut self.calls {
            call.0 = call.0.saturating_sub(end);
        }
        self.scanned = 0;
        self.has_slice = false;
        self.ahead = None;
        (!bytes.is_empty()).then_some(Unit { bytes, stream })
    }

    /// Where the first unit ends, if that can be told.
    fn next_end(&mut self) -> Option<usize> {
        if self.codec.is_jpeg() {
            return jpeg_end(&self.buffer, &mut self.scanned);
        }
        loop {
            let Some(at) = memchr::memmem::find(&self.buffer[self.scanned..], &[0, 0, 1]) else {
                // Two zeros at the end may be the beginning of one.
                self.scanned = self.scanned.max(self.buffer.len().saturating_sub(2));
                return None;
            };
            let code = self.scanned + at;
            self.scanned = code;
            // Two header bytes and the first byte of the slice header tell all.
            let head = self.buffer.get(code + 3..code + 6)?;
            let nal = match self.codec {
                Codec::H264 => h264_nal(head),
                _ => h265_nal(head),
            };
            // A fourth byte of the start code, 0, belongs to it.
            let begin = code - usize::from(code > 0 && self.buffer[code - 1] == 0);
            match nal {
                Nal::First | Nal::Prefix if self.has_slice => {
                    return Some(self.ahead.unwrap_or(begin));
                }
                Nal::First | Nal::Slice => (self.has_slice, self.ahead) = (true, None),
                Nal::Ahead if self.has_slice => {
                    self.ahead.get_or_insert(begin);
                }
                Nal::Prefix | Nal::Ahead | Nal::Other => (),
            }
            self.scanned = code + 3;
        }
    }
}

/// H.264 7.4.1.2.3: behind the last slice of a primary picture, the first delimiter, parameter set, SEI
/// message, unit of the types 14 to 18 or slice of another picture begins the next access unit.
///
/// Delimiters, parameter sets and SEI messages do not come between slices, so one that follows a
/// slice follows the last one.  Prefix units (14) precede every slice of a scalable stream: whether
/// the last slice has been, the next one has to tell.
fn h264_nal(head: &[u8]) -> Nal {
    match head[0] & 0x1f {
        // first_mb_in_slice is 0, which is coded as a single 1 bit.
        1 | 2 | 5 if head[1] & 0x80 != 0 => Nal::First,
        1..=5 => Nal::Slice,
        6..=9 => Nal::Prefix,
        14..=18 => Nal::Ahead,
        _ => Nal::Other,
    }
}

/// H.265 7.4.2.4.4: the same of delimiter, parameter sets, prefix SEI and the reserved and unspecified
/// types of the ranges given, none of which comes between slices.
fn h265_nal(head: &[u8]) -> Nal {
    match (head[0] >> 1) & 0x3f {
        // first_slice_segment_in_pic_flag.
        0..=31 if head[2] & 0x80 != 0 => Nal::First,
        0..=31 => Nal::Slice,
        32..=35 | 39 | 41..=44 | 48..=55 => Nal::Prefix,
        _ => Nal::Other,
    }
}

/// Where the first JPEG image of `bytes` ends, if its end is there; `at` is where the search
/// begins, and is to go on with more bytes.
fn jpeg_end(bytes: &[u8], at: &mut usize) -> Option<usize> {
    loop {
        let rest = bytes.get(*at..)?;
        // The next marker: 0xff and a code; 0 is stuffing, d0-d7 are restarts within a scan.
        let is_marker = |w: &[u8]| w[0] == 0xff && !matches!(w[1], 0 | 0xff | 0xd0..=0xd7);
        let Some(marker) = rest.windows(2).position(is_marker) else {
            *at += rest.len().saturating_sub(1);
            return None;
        };
        *at += marker;
        match bytes[*at + 1] {
            0xd9 => return Some(*at + 2),
            0xd8 | 0x01 => *at += 2,
            _ => {
                let len = bytes.get(*at + 2..*at + 4)?;
                *at += 2 + usize::from(u16::from_be_bytes([len[0], len[1]])).max(2);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(pts: u64) -> Stream {
        Stream {
            pts,
            ..Stream::default()
        }
    }

    /// SPS, PPS, IDR slice, its second slice; P slice; SEI, P slice.
    const H264: &[&[u8]] = &[
        &[
            0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 4, 0, 0, 1, 0x65, 0x88, 5, 0, 0, 1, 0x65,
            0x40, 6,
        ],
        &[0, 0, 0, 1, 0x41, 0x9a, 7],
        &[0, 0, 1, 0x06, 8, 9, 0, 0, 1, 0x41, 0x9a, 10],
    ];

    #[test]
    fn h264_at_any_cut() {
        let all = H264.concat();
        for step in 1..all.len() {
            let mut s = Splitter::new(Codec::H264);
            let mut units = Vec::new();
            for (i, chunk) in all.chunks(step).enumerate() {
                units.extend(s.push(chunk, stream(i as u64), true).unwrap());
            }
            units.extend(s.finish());
            let bytes: Vec<_> = units.iter().map(|u| u.bytes.as_slice()).collect();
            assert_eq!(bytes, H264, "step {step}");
            let first = |i: usize| H264[..i].iter().map(|u| u.len()).sum::<usize>() / step;
            for (i, unit) in units.iter().enumerate() {
                assert_eq!(unit.stream.pts, first(i) as u64, "step {step} unit {i}");
            }
            assert_eq!(s.finish(), None);
        }
    }

    #[test]
    fn h265() {
        let units: &[&[u8]] = &[
            &[
                0, 0, 1, 0x40, 1, 9, 0, 0, 1, 0x26, 1, 0x80, 0, 0, 1, 0x26, 1, 0x40,
            ],
            &[0, 0, 0, 1, 0x02, 1, 0x80, 7],
        ];
        let mut s = Splitter::new(Codec::H265);
        let got = s.push(&units.concat(), stream(1), true).unwrap();
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].bytes, units[0]);
        assert_eq!(s.finish().unwrap().bytes, units[1]);
    }

    #[test]
    fn jpeg() {
        let one: &[u8] = &[
            0xff, 0xd8, 0xff, 0xe0, 0, 4, 0xff, 0xd9, 0xff, 0xda, 0, 2, 7, 0xff, 0, 0xff, 0xd0, 8,
            0xff, 0xd9,
        ];
        let mut s = Splitter::new(Codec::Jpeg);
        let mut units = Vec::new();
        for b in [one, one].concat() {
            units.extend(s.push(&[b], stream(0), true).unwrap());
        }
        assert_eq!(
            units.iter().map(|u| u.bytes.as_slice()).collect::<Vec<_>>(),
            [one, one]
        );
        assert_eq!(s.finish(), None);
    }

    #[test]
    fn too_long() {
        let mut s = Splitter::new(Codec::H264);
        assert_eq!(s.push(&vec![0xff; MAX_UNIT + 1], stream(0), true), Err(()));
        assert_eq!(s.finish(), None);
    }
}
