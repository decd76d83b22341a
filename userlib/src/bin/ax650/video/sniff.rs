// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a file is by its contents.

use std::io;

use ax650::media::{sps, Codec};

use super::input::Input;
use super::{mp4, FileKind};

/// What a file may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// One of those that can be read.
    Known(FileKind),
    /// Another container: its name.
    Other(&'static str),
    /// None that is known.
    Unknown,
}

/// Looks at as much of a file as it takes.
pub fn look(input: &mut Input) -> io::Result<Found> {
    loop {
        let found = sniff(input.peek()?);
        if found != Found::Unknown || !input.peek_more()? {
            return Ok(found);
        }
    }
}

/// Tells the kind of a file by its first bytes.
pub fn sniff(head: &[u8]) -> Found {
    let other = Found::Other;
    if head.starts_with(b"YUV4MPEG2") {
        return Found::Known(FileKind::Y4m);
    }
    if head.starts_with(&[0xFF, 0xD8, 0xFF]) {
        return Found::Known(FileKind::Jpeg);
    }
    if mp4::is_mp4(head) {
        return Found::Known(FileKind::Mp4);
    }
    if head.starts_with(&[0x1A, 0x45, 0xDF, 0xA3]) {
        return other("Matroska or WebM");
    }
    if is_ts(head, 188, 0) || is_ts(head, 192, 4) {
        return other("MPEG-TS");
    }
    if head.starts_with(&[0, 0, 1, 0xBA]) {
        return other("MPEG-PS");
    }
    if head.starts_with(b"FLV\x01") {
        return other("Flash video");
    }
    if head.starts_with(b"OggS") {
        return other("Ogg");
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"AVI ") {
        return other("AVI");
    }
    if head.starts_with(b"DKIF") {
        return other("IVF");
    }
    if head.starts_with(&[0x30, 0x26, 0xB2, 0x75]) {
        return other("ASF");
    }
    match stream(head) {
        Some(codec) => Found::Known(FileKind::Stream(codec)),
        None => Found::Unknown,
    }
}

fn is_ts(head: &[u8], size: usize, at: usize) -> bool {
    let mark = |packet: usize| head.get(packet * size + at).map(|byte| *byte == 0x47);
    mark(0) == Some(true) && mark(1) == Some(true) && mark(2) != Some(false)
}

/// Returns the codec of a stream with start codes: that whose sequence parameter set comes first.
pub fn stream(head: &[u8]) -> Option<Codec> {
    ax650::media::annexb::nal_units(head).find_map(|nal| match nal {
        [0x07 | 0x27 | 0x47 | 0x67, ..] if sps::h264(nal).is_some() => Some(Codec::H264),
        [0x42, 0x01..=0x07, ..] if sps::h265(nal).is_some() => Some(Codec::H265),
        _ => None,
    })
}

/// Says how to bring a file of another kind here: MP4 in fragments takes either codec and goes through a pipe.
pub fn hint(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+:-".contains(c);
    let quoted = if path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    };
    format!(
        "ffmpeg -fflags +genpts -i {quoted} -map 0:v:0 -c copy -f mp4 -movflags frag_keyframe+empty_moov - \
         | ax650 decode -"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_their_first_bytes() {
        let known = |head: &[u8], kind| assert_eq!(sniff(head), Found::Known(kind));
        known(b"YUV4MPEG2 W2", FileKind::Y4m);
        known(&[0xFF, 0xD8, 0xFF, 0xE0], FileKind::Jpeg);
        known(b"\0\0\0\x18ftypisom", FileKind::Mp4);
        let mut ts = vec![0; 400];
        (ts[0], ts[188], ts[376]) = (0x47, 0x47, 0x47);
        for head in [&[0x1A, 0x45, 0xDF, 0xA3][..], &ts, b"RIFF\0\0\0\0AVI LIST"] {
            assert!(matches!(sniff(head), Found::Other(..)), "{head:?}");
        }
        for head in [&b""[..], b"text", &[0; 100], &[0, 0, 1], b"\x47"] {
            assert_eq!(sniff(head), Found::Unknown, "{head:?}");
        }
    }
}
