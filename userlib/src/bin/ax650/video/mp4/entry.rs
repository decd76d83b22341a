// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sample descriptions of video tracks.

use ax650::media::Codec;

use super::fields::{boxes, Fields, Kind};

/// Bytes ahead of the boxes in the description of a video.
const VISUAL: usize = 78;

/// How samples of a video track are coded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name of the codec.
    pub kind: Kind,
    /// `None`: none of the card's.
    pub codec: Option<Codec>,
    /// Columns and rows, which parameter sets know better.
    pub size: (u32, u32),
    /// Bytes of the length ahead of each NAL unit; `None`: the description does not tell.
    pub length_size: Option<usize>,
    /// NAL units that are needed ahead of a key picture.
    pub sets: Vec<Vec<u8>>,
    /// Width and height of a sample.
    pub aspect: Option<(u32, u32)>,
    /// Columns and rows of the part that is to be shown.
    pub clean: Option<(u32, u32)>,
    /// Primaries, transfer and matrix by their numbers, and whether the range is full.
    pub colour: Option<((u8, u8, u8), Option<bool>)>,
}

/// Reads all descriptions in the body of an `stsd` box.
pub fn read(stsd: &[u8]) -> Vec<Entry> {
    boxes(stsd.get(8..).unwrap_or_default())
        .map(|(kind, body)| one(kind, body))
        .collect()
}

fn one(kind: Kind, body: &[u8]) -> Entry {
    let side = |at: usize| {
        let bytes = body.get(at..at + 2).unwrap_or(&[0, 0]);
        u32::from(u16::from_be_bytes([bytes[0], bytes[1]]))
    };
    let mut entry = Entry {
        kind,
        codec: None,
        size: (side(24), side(26)),
        length_size: None,
        sets: Vec::new(),
        aspect: None,
        clean: None,
        colour: None,
    };
    let parts = body.get(VISUAL..).unwrap_or_default();
    if !is_encrypted(kind) {
        // There are more names than are known, but how to set up a decoder is told in the same way.
        let told = boxes(parts).find_map(|(kind, _)| match &kind {
            b"avcC" => Some(Codec::H264),
            b"hvcC" => Some(Codec::H265),
            _ => None,
        });
        entry.codec = told.or_else(|| by_name(kind));
    }
    for (kind, body) in boxes(parts) {
        match (&kind, entry.codec) {
            (b"avcC", Some(Codec::H264)) => {
                avcc(body, &mut entry);
            }
            (b"hvcC", Some(Codec::H265)) => {
                hvcc(body, &mut entry);
            }
            (b"pasp", _) => {
                let mut fields = Fields(body);
                let aspect = fields.u32().zip(fields.u32());
                entry.aspect = aspect.filter(|(width, height)| *width > 0 && *height > 0);
            }
            (b"clap", _) => entry.clean = clean(body),
            (b"colr", _) => entry.colour = colour(body).or(entry.colour),
            _ => {}
        }
    }
    entry
}

/// Returns whether a description of this kind is of samples that only their owner can read.
pub fn is_encrypted(kind: Kind) -> bool {
    matches!(&kind, b"encv" | b"enca" | b"drmi" | b"drms")
}

/// By the names of MP4, QuickTime, cameras, and those that come from AVI.
fn by_name(kind: Kind) -> Option<Codec> {
    match &kind.map(|byte| byte.to_ascii_lowercase()) {
        b"avc1" | b"avc2" | b"avc3" | b"avc4" | b"dva1" | b"dvav" | b"h264" | b"x264" | b"davc"
        | b"vssh" | b"xalg" | b"avlg" | b"avin" | b"aivx" | b"rv64" => Some(Codec::H264),
        [b'a', b'i', b'1' | b'5', _] => Some(Codec::H264),
        b"hvc1" | b"hev1" | b"hvc2" | b"hev2" | b"dvh1" | b"dvhe" | b"hevc" | b"h265" | b"x265" => {
            Some(Codec::H265)
        }
        _ => None,
    }
}

/// As much as there is of the sets, `None` if there should have been more.
fn avcc(body: &[u8], entry: &mut Entry) -> Option<()> {
    let mut fields = Fields(body);
    fields.bytes(4)?;
    entry.length_size = Some(usize::from(fields.u8()? & 3) + 1);
    for mask in [0x1F, 0xFF] {
        for _ in 0..fields.u8()? & mask {
            let length = fields.u16()?;
            keep(entry, fields.bytes(length.into())?);
        }
    }
    Some(())
}

fn hvcc(body: &[u8], entry: &mut Entry) -> Option<()> {
    let mut fields = Fields(body);
    fields.bytes(21)?;
    entry.length_size = Some(usize::from(fields.u8()? & 3) + 1);
    for _ in 0..fields.u8()? {
        fields.u8()?;
        for _ in 0..fields.u16()? {
            let length = fields.u16()?;
            keep(entry, fields.bytes(length.into())?);
        }
    }
    Some(())
}

fn keep(entry: &mut Entry, set: &[u8]) {
    if !set.is_empty() {
        entry.sets.push(set.to_vec());
    }
}

/// The sides are fractions.
fn clean(body: &[u8]) -> Option<(u32, u32)> {
    let mut fields = Fields(body);
    let mut side = || fields.u32()?.checked_div(fields.u32()?);
    side()
        .zip(side())
        .filter(|(width, height)| *width > 0 && *height > 0)
}

fn colour(body: &[u8]) -> Option<((u8, u8, u8), Option<bool>)> {
    let mut fields = Fields(body);
    let kind = fields.kind()?;
    if !matches!(&kind, b"nclx" | b"nclc") {
        return None;
    }
    let mut number = || fields.u16().map(|number| number as u8);
    let numbers = (number()?, number()?, number()?);
    let range = fields.u8().map(|byte| byte & 0x80 != 0);
    Some((numbers, range.filter(|_| &kind == b"nclx")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &[u8; 4], boxes: &[u8]) -> Vec<u8> {
        let mut body = vec![0; VISUAL];
        body[24..28].copy_from_slice(&[1, 0, 0, 144]);
        body.extend_from_slice(boxes);
        let size = (body.len() + 8) as u32;
        [&[0; 8][..], &size.to_be_bytes(), kind, &body].concat()
    }

    #[test]
    fn what_is_in_a_description() {
        let boxes = [
            &[0, 0, 0, 22][..],
            b"avcC",
            &[1, 66, 0, 30, 0xFD, 0xE1, 0, 1, 0x67, 1, 0, 1, 0x68, 9],
            &[0, 0, 0, 16],
            b"pasp",
            &[0, 0, 0, 4, 0, 0, 0, 3],
            &[0, 0, 0, 40],
            b"clap",
            &[0, 0, 0, 160, 0, 0, 0, 1, 0, 0, 0, 240, 0, 0, 0, 2],
            &[0; 16],
            &[0, 0, 0, 19],
            b"colrnclx",
            &[0, 1, 0, 13, 0, 6, 0x80],
            &[0; 4],
        ]
        .concat();
        let all = read(&entry(b"avc1", &boxes));
        assert_eq!(all.len(), 1);
        let one = &all[0];
        assert_eq!((one.codec, one.size), (Some(Codec::H264), (256, 144)));
        assert_eq!(one.length_size, Some(2));
        assert_eq!(one.sets, [[0x67], [0x68]]);
        assert_eq!(one.aspect, Some((4, 3)));
        assert_eq!(one.clean, Some((160, 120)));
        assert_eq!(one.colour, Some(((1, 13, 6), Some(true))));
    }

    #[test]
    fn what_is_missing_in_a_description() {
        let all = read(&entry(b"hev1", &[]));
        assert_eq!(
            (all[0].codec, all[0].length_size),
            (Some(Codec::H265), None)
        );
        assert_eq!(read(&entry(b"jpeg", &[]))[0].codec, None);
        // A name that nobody knows with a set-up that everybody knows, unless it is encrypted.
        let avcc = [&[0, 0, 0, 15][..], b"avcC", &[1, 66, 0, 30, 0xFF, 0, 0]].concat();
        assert_eq!(read(&entry(b"qqqq", &avcc))[0].codec, Some(Codec::H264));
        assert_eq!(read(&entry(b"encv", &avcc))[0].codec, None);
        for (kind, codec) in [
            (b"ai1q", Codec::H264),
            (b"x264", Codec::H264),
            (b"H265", Codec::H265),
        ] {
            assert_eq!(read(&entry(kind, &[]))[0].codec, Some(codec));
        }
        assert!(read(&[]).is_empty());
        let cut = [&[0, 0, 0, 12][..], b"avcC", &[1, 66, 0, 30]].concat();
        assert!(read(&entry(b"avc1", &cut))[0].sets.is_empty());
    }
}
