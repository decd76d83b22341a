// SPDX-License-Identifier: MIT OR Apache-2.0

//! Elementary streams with start codes (H.264 and H.265 annex B): NAL units, and packets of one picture each.

use super::splitter::is_slice;
pub use super::splitter::Splitter;
use super::sps::{self, Sps};
use super::Codec;

/// Returns the NAL units of a stream, without start codes; none of them is empty.
pub fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    starts(stream)
        .map(|(start, end)| trimmed(&stream[start..end]))
        .filter(|nal| !nal.is_empty())
}

/// Takes off the zeros ahead of the next start code, which belong to nobody; nothing may be left.
pub(super) fn trimmed(mut nal: &[u8]) -> &[u8] {
    while let [rest @ .., 0] = nal {
        nal = rest;
    }
    nal
}

/// Where the NAL units are: from behind the start code to the next one.
fn starts(stream: &[u8]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut at = find_start_code(stream, 0);
    std::iter::from_fn(move || {
        let start = at? + 3;
        at = find_start_code(stream, start);
        Some((start, at.unwrap_or(stream.len())))
    })
    .filter(|(start, end)| start < end)
}

/// Finds where the next `00 00 01` begins.
pub(super) fn find_start_code(stream: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        // The third byte decides most of the time.
        match stream.get(at + 2)? {
            0 => at += 1,
            1 if stream[at] == 0 && stream[at + 1] == 0 => return Some(at),
            _ => at += 3,
        }
    }
}

/// Tells whether a packet holds a picture that can be decoded without others.
pub fn is_key(codec: Codec, packet: &[u8]) -> bool {
    nal_units(packet).any(|nal| is_key_nal(codec, nal))
}

/// Tells whether a NAL unit is a part of a picture that can be decoded without others.
pub fn is_key_nal(codec: Codec, nal: &[u8]) -> bool {
    nal.first().is_some_and(|head| match codec {
        Codec::H264 => head & 0x1F == 5,
        Codec::H265 => matches!((head >> 1) & 0x3F, 16..=23),
        Codec::Jpeg => true,
    })
}

/// Tells whether a packet holds any part of a picture.
pub fn has_picture(codec: Codec, packet: &[u8]) -> bool {
    nal_units(packet).any(|nal| is_slice(codec, nal))
}

/// Tells whether the picture of a packet cannot be decoded, by the rules of its codec, where decoding begins with
/// the key picture ahead of it.
pub fn is_skipped_leading(codec: Codec, packet: &[u8]) -> bool {
    codec == Codec::H265
        && nal_units(packet)
            .find(|nal| is_slice(codec, nal))
            .and_then(|nal| nal.first())
            .is_some_and(|head| matches!((head >> 1) & 0x3F, 8 | 9))
}

/// Finds the first sequence parameter set of a stream that can be read.
pub fn find_sps(codec: Codec, stream: &[u8]) -> Option<Sps> {
    nal_units(stream).find_map(|nal| match (codec, nal.first()?) {
        (Codec::H264, head) if head & 0x1F == 7 => sps::h264(nal),
        (Codec::H265, head) if (head >> 1) & 0x3F == 33 => sps::h265(nal),
        _ => None,
    })
}

/// Returns the packets of a stream: each is all NAL units of one picture, with their start codes.
pub fn packets(codec: Codec, stream: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut splitter = Splitter::new(codec);
    let mut pieces = stream.chunks(1 << 16);
    std::iter::from_fn(move || loop {
        if let Some(packet) = splitter.packet() {
            return Some(packet);
        }
        match pieces.next() {
            Some(piece) => splitter.push(piece),
            None if splitter.is_finished() => return None,
            None => splitter.finish(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(codes: &[&[u8]], nals: &[&[u8]]) -> Vec<u8> {
        let mut stream = Vec::new();
        for (nal, code) in nals.iter().zip(codes.iter().cycle()) {
            stream.extend_from_slice(code);
            stream.extend_from_slice(nal);
        }
        stream
    }

    const LONG: &[u8] = &[0, 0, 0, 1];
    const SHORT: &[u8] = &[0, 0, 1];

    #[test]
    fn nal_units_between_start_codes() {
        let nals: [&[u8]; 3] = [&[0x67, 1, 2], &[0x68, 3], &[0x65, 0x80, 0, 2]];
        let bytes = stream(&[LONG, SHORT], &nals);
        assert_eq!(nal_units(&bytes).collect::<Vec<_>>(), nals);
        assert_eq!(
            nal_units(&[]).count() + nal_units(&[0, 0]).count() + nal_units(SHORT).count(),
            0
        );
        assert_eq!(
            nal_units(&[9, 0, 0, 1, 7, 0, 0, 0, 0]).collect::<Vec<_>>(),
            [&[7][..]]
        );
    }

    #[test]
    fn pictures_of_h264() {
        // SPS, PPS, IDR in two slices; SEI, P; P; end of stream.
        let nals: [&[u8]; 8] = [
            &[0x67, 1],
            &[0x68, 1],
            &[0x65, 0x88],
            &[0x65, 0x40],
            &[6, 1],
            &[0x41, 0x9A],
            &[0x41, 0x80],
            &[11],
        ];
        let bytes = stream(&[LONG, SHORT], &nals);
        let cuts: Vec<_> = packets(Codec::H264, &bytes)
            .map(|packet| nal_units(&packet).count())
            .collect();
        assert_eq!(cuts, [4, 2, 2]);
        let whole: Vec<u8> = packets(Codec::H264, &bytes).flatten().collect();
        assert_eq!(whole, bytes);
        let keys: Vec<_> = packets(Codec::H264, &bytes)
            .map(|packet| is_key(Codec::H264, &packet))
            .collect();
        assert_eq!(keys, [true, false, false]);
    }

    #[test]
    fn pictures_of_h265() {
        // VPS, SPS, PPS, IDR, further segment, suffix SEI; trailing picture; AUD, trailing picture.
        let nals: [&[u8]; 9] = [
            &[0x40, 1, 1],
            &[0x42, 1, 1],
            &[0x44, 1, 1],
            &[0x26, 1, 0x80],
            &[0x26, 1, 0x40],
            &[0x50, 1, 1],
            &[2, 1, 0x80],
            &[0x46, 1, 1],
            &[2, 1, 0x80],
        ];
        let bytes = stream(&[SHORT], &nals);
        let cuts: Vec<_> = packets(Codec::H265, &bytes)
            .map(|packet| nal_units(&packet).count())
            .collect();
        assert_eq!(cuts, [6, 1, 2]);
        assert!(is_key(
            Codec::H265,
            &packets(Codec::H265, &bytes).next().unwrap()
        ));
    }

    #[test]
    fn sizes_in_parameter_sets() {
        // libx264, 1280x720 high profile; libx265, 1280x720 main profile.
        let h264 = [
            0x67, 0x64, 0x00, 0x1F, 0xAC, 0xD9, 0x40, 0x50, 0x05, 0xBB, 0x01, 0x6A, 0x02, 0x02,
            0x02, 0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x19, 0x07, 0x8C, 0x18, 0xCB,
        ];
        let size = |sps: Option<Sps>| sps.map(|sps| (sps.width, sps.height));
        assert_eq!(size(sps::h264(&h264)), Some((1280, 720)));
        let h265 = [
            0x42, 0x01, 0x01, 0x01, 0x60, 0x00, 0x00, 0x03, 0x00, 0x90, 0x00, 0x00, 0x03, 0x00,
            0x00, 0x03, 0x00, 0x5D, 0xA0, 0x02, 0x80, 0x80, 0x2D, 0x16, 0x59, 0x59, 0xA4, 0x93,
            0x2B, 0xC0, 0x40, 0x40,
        ];
        assert_eq!(size(sps::h265(&h265)), Some((1280, 720)));
        for cut in 0..10 {
            assert_eq!(sps::h264(&h264[..cut.min(7)]), None);
            assert_eq!(sps::h265(&h265[..cut + 10]), None);
        }
    }
}
