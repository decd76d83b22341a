// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cuts a stream that comes piece by piece into packets of one picture each.

use super::annexb::{find_start_code, nal_units, trimmed};
use super::slice::{layer, ParameterSets, Picture};
use super::sps::Sps;
use super::Codec;

/// Of a NAL unit no more is needed to tell whether a new picture begins.
const ENOUGH: usize = 256;

/// Cuts a stream with start codes into packets: all NAL units of one picture each, with their start codes.  Two fields of
/// one frame are one picture.
#[derive(Debug)]
pub struct Splitter {
    codec: Codec,
    buffer: Vec<u8>,
    /// No start code that has not been looked at begins before this.
    scanned: usize,
    /// No start code ends the NAL unit at `scanned` before this.
    searched: usize,
    /// Where the start code begins of what comes before the next picture, if it is one.
    cut: Option<usize>,
    has_picture: bool,
    ended: bool,
    sets: ParameterSets,
    /// Of the picture in the buffer, the first field.
    picture: Option<Picture>,
    /// Its second field.
    second: Option<Picture>,
    seen_first_block: bool,
    plane: u32,
}

/// What a NAL unit is for cutting a stream into pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The first slice of a picture.
    First,
    /// A further slice of the same picture.
    More,
    /// Belongs to the picture that follows, unless that is the same.
    Prefix,
    /// Ends the picture ahead for certain.
    Delimiter,
    /// Belongs to the picture ahead.
    Suffix,
}

impl Splitter {
    /// Makes an empty splitter.
    pub fn new(codec: Codec) -> Self {
        Self {
            codec,
            buffer: Vec::new(),
            scanned: 0,
            searched: 0,
            cut: None,
            has_picture: false,
            ended: false,
            sets: ParameterSets::default(),
            picture: None,
            second: None,
            seen_first_block: false,
            plane: 0,
        }
    }

    /// Takes more of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Notes that nothing follows.
    pub fn finish(&mut self) {
        self.ended = true;
    }

    /// Tells whether [`Splitter::finish`] was called.
    pub fn is_finished(&self) -> bool {
        self.ended
    }

    /// Bytes of an unfinished packet.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    /// Returns a sequence parameter set of the stream so far.
    pub fn sps(&self) -> Option<&Sps> {
        self.sets.any_sequence()
    }

    /// Returns the sequence parameter set that the picture of a packet uses, if it is one of this stream.
    pub fn sps_of(&self, packet: &[u8]) -> Option<&Sps> {
        let slice = nal_units(packet).find(|nal| is_slice(self.codec, nal))?;
        self.sets.sequence_of(self.codec, slice)
    }

    /// Learns the parameter sets of a packet that did not come through [`Splitter::push`].
    pub fn learn(&mut self, packet: &[u8]) {
        for nal in nal_units(packet) {
            self.sets.note(self.codec, nal);
        }
    }

    /// Takes the next packet, if it is complete.
    pub fn packet(&mut self) -> Option<Vec<u8>> {
        loop {
            let Some(code) = find_start_code(&self.buffer, self.scanned) else {
                self.scanned = self.scanned.max(self.buffer.len().saturating_sub(2));
                if self.ended {
                    return self.last();
                }
                self.drop_what_is_ahead();
                return None;
            };
            let start = code + 3;
            let next = find_start_code(&self.buffer, start.max(self.searched));
            let end = next.unwrap_or(self.buffer.len());
            if next.is_none() && !self.ended && !self.is_enough(start, end) {
                self.scanned = code;
                self.searched = self.buffer.len().saturating_sub(2);
                self.drop_what_is_ahead();
                return None;
            }
            // A fourth byte of the start code, 0, belongs to it.
            let long = code > 0 && self.buffer[code - 1] == 0;
            let from = code - usize::from(long);
            let first = !self.has_picture && self.cut.is_none();
            // Of a slice the header is enough.
            let end = match self.is_enough(start, end) {
                true => start + ENOUGH,
                false => end,
            };
            let nal = trimmed(&self.buffer[start..end]).to_vec();
            // What comes ahead of the first unit is rubbish, and so are empty ones.
            let rubbish = if nal.is_empty() { start } else { from };
            if first && rubbish > 0 {
                self.buffer.drain(..rubbish);
                self.searched = 0;
                self.scanned = 0;
                continue;
            }
            let at = match self.role(&nal) {
                Role::Delimiter => Some(from),
                Role::First => Some(self.cut.unwrap_or(from)),
                Role::Prefix => {
                    self.cut.get_or_insert(from);
                    None
                }
                Role::More | Role::Suffix => {
                    if self.has_picture {
                        self.cut = None;
                    }
                    None
                }
            };
            if first && self.cut.is_none() {
                self.cut = Some(from);
            }
            if let Some(at) = at.filter(|_| self.has_picture) {
                let packet = self.take(at);
                return Some(packet);
            }
            self.accept(&nal);
            self.scanned = start;
        }
    }

    /// Whether what there is of a NAL unit tells its role; parameter sets have to be whole.
    fn is_enough(&self, start: usize, end: usize) -> bool {
        let Some(head) = self.buffer.get(start) else {
            return false;
        };
        let is_slice = match self.codec {
            Codec::H264 => matches!(head & 0x1F, 1..=5),
            _ => (head >> 1) & 0x3F < 32,
        };
        is_slice && end - start > ENOUGH
    }

    /// The picture goes on, or begins, with this NAL unit.
    fn accept(&mut self, nal: &[u8]) {
        self.sets.note(self.codec, nal);
        if !is_slice(self.codec, nal) {
            return;
        }
        if !self.has_picture {
            (self.picture, self.second) = (None, None);
            self.seen_first_block = false;
        }
        self.has_picture = true;
        self.cut = None;
        if self.codec != Codec::H264 {
            return;
        }
        if let Some(slice) = self.sets.slice(nal) {
            match (self.picture, slice.picture) {
                (None, picture) => self.picture = picture,
                (Some(first), Some(this)) if this != first && self.second.is_none() => {
                    self.second = Some(this);
                    self.seen_first_block = false;
                }
                _ => {}
            }
            self.seen_first_block |= slice.first_block == 0;
            self.plane = slice.plane;
        }
    }

    fn role(&self, nal: &[u8]) -> Role {
        let [head, rest @ ..] = nal else {
            return Role::Suffix;
        };
        if self.codec != Codec::H264 {
            if layer(nal) != 0 {
                return Role::Suffix;
            }
            return match (head >> 1) & 0x3F {
                // first_slice_segment_in_pic_flag is the first bit behind the two header bytes.
                0..=31 if rest.get(1).is_some_and(|byte| byte & 0x80 != 0) => Role::First,
                0..=31 => Role::More,
                35 => Role::Delimiter,
                32..=34 | 39 | 41..=44 | 48..=55 => Role::Prefix,
                _ => Role::Suffix,
            };
        }
        match head & 0x1F {
            1 | 2 | 5 => self.h264_slice(nal),
            3 | 4 => Role::More,
            9 => Role::Delimiter,
            6..=8 | 14..=18 => Role::Prefix,
            _ => Role::Suffix,
        }
    }

    fn h264_slice(&self, nal: &[u8]) -> Role {
        let Some(slice) = self.sets.slice(nal) else {
            return Role::More;
        };
        if slice.redundant && self.has_picture {
            return Role::More;
        }
        let begins_again =
            slice.first_block == 0 && self.seen_first_block && slice.plane == self.plane;
        let (Some(this), Some(first)) = (slice.picture, self.picture) else {
            return if slice.first_block == 0 {
                Role::First
            } else {
                Role::More
            };
        };
        match self.second {
            _ if this == first && self.second.is_none() && !begins_again => Role::More,
            Some(second) if this == second && !begins_again => Role::More,
            None if this.is_other_field(&first) => Role::More,
            _ => Role::First,
        }
    }

    /// Everything up to `at`.
    fn take(&mut self, at: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(at);
        self.scanned = 0;
        self.searched = 0;
        self.cut = None;
        self.has_picture = false;
        std::mem::replace(&mut self.buffer, rest)
    }

    fn last(&mut self) -> Option<Vec<u8>> {
        let begin = find_start_code(&self.buffer, 0).is_some();
        let packet = self.take(self.buffer.len());
        begin.then_some(packet)
    }

    /// Forgets what cannot be part of any NAL unit, so that rubbish takes no memory.
    fn drop_what_is_ahead(&mut self) {
        if !self.has_picture && self.cut.is_none() {
            let keep = self.scanned.saturating_sub(1);
            self.buffer.drain(..keep);
            self.scanned -= keep;
            self.searched = self.searched.saturating_sub(keep);
        }
    }
}

/// Tells whether a NAL unit is part of a picture.
pub(super) fn is_slice(codec: Codec, nal: &[u8]) -> bool {
    match (codec, nal) {
        (_, []) => false,
        (Codec::H264, [head, ..]) => matches!(head & 0x1F, 1..=5),
        (_, [head, ..]) => (head >> 1) & 0x3F < 32 && layer(nal) == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of the packets that come of the stream in pieces of `piece` bytes.
    fn cut(codec: Codec, stream: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut splitter = Splitter::new(codec);
        let mut packets = Vec::new();
        for bytes in stream.chunks(piece) {
            splitter.push(bytes);
            packets.extend(std::iter::from_fn(|| splitter.packet()));
        }
        splitter.finish();
        packets.extend(std::iter::from_fn(|| splitter.packet()));
        packets
    }

    fn stream(nals: &[&[u8]]) -> Vec<u8> {
        nals.iter()
            .flat_map(|nal| [&[0, 0, 0, 1], *nal].concat())
            .collect()
    }

    #[test]
    fn pieces_make_no_difference() {
        let bytes = stream(&[
            &[0x67, 1],
            &[0x68, 1],
            &[0x65, 0x88],
            &[0x65, 0x40],
            &[6, 1],
            &[0x41, 0x9A],
            &[9, 0x10],
            &[0x41, 0x80],
        ]);
        let whole = cut(Codec::H264, &bytes, bytes.len());
        assert_eq!(whole.len(), 3);
        assert_eq!(whole.concat(), bytes);
        for piece in 1..20 {
            assert_eq!(cut(Codec::H264, &bytes, piece), whole, "{piece}");
        }
    }

    #[test]
    fn prefix_units_between_slices_begin_no_picture() {
        let bytes = stream(&[
            &[0x6E, 0x40, 1],
            &[0x65, 0x88],
            &[0x6E, 0x40, 1],
            &[0x65, 0x40],
            &[0x6E, 0x40, 1],
            &[0x41, 0x88],
            &[0x6E, 0x40, 1],
            &[0x41, 0x40],
        ]);
        let packets = cut(Codec::H264, &bytes, 5);
        assert_eq!(packets.len(), 2);
        assert_eq!(packets.concat(), bytes);
    }

    #[test]
    fn empty_units_and_rubbish() {
        assert!(cut(Codec::H264, &[0, 0, 1, 0, 0, 0, 1], 7).is_empty());
        let mut splitter = Splitter::new(Codec::H265);
        for _ in 0..1000 {
            splitter.push(&[7; 4096]);
            assert!(splitter.packet().is_none());
            assert!(splitter.pending() < 8192, "rubbish is kept");
        }
        let bytes = [&[0, 0, 1, 0][..], &stream(&[&[0x65, 0x88, 1]])].concat();
        let packets = cut(Codec::H264, &bytes, 3);
        assert_eq!(packets.len(), 1);
        assert!(packets[0].ends_with(&[0x65, 0x88, 1]));
    }
}
