// SPDX-License-Identifier: MIT OR Apache-2.0

//! The units of an encoded picture.

use super::attr::Codec;

/// One NAL unit, with its start code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nal {
    /// `nal_unit_type`.
    pub kind: u32,
    /// Where it begins.
    pub offset: usize,
    /// Its bytes.
    pub len: usize,
}

/// The NAL units of a picture; a JPEG image counts as one of type 0.
pub fn list(codec: Codec, bytes: &[u8]) -> Vec<Nal> {
    if codec.is_jpeg() {
        return vec![Nal {
            kind: 0,
            offset: 0,
            len: bytes.len(),
        }];
    }
    let mut nals: Vec<Nal> = Vec::new();
    for code in memchr::memmem::find_iter(bytes, &[0, 0, 1]) {
        let Some(&head) = bytes.get(code + 3) else {
            break;
        };
        // The start code may have a zero more, but not one of the unit before.
        let offset = if nals.is_empty() {
            0
        } else {
            code - usize::from(bytes[code - 1] == 0)
        };
        if let Some(last) = nals.last_mut() {
            last.len = offset - last.offset;
        }
        let kind = match codec {
            Codec::H265 => (head >> 1) & 0x3f,
            _ => head & 0x1f,
        };
        nals.push(Nal {
            kind: kind.into(),
            offset,
            len: bytes.len() - offset,
        });
    }
    nals
}

/// Makes pictures of H.265 that begin anew IDR_W_RADL (19), which a card's are: x265 calls those without
/// leading pictures IDR_N_LP (20).  The two differ in their number alone, and the former may have leading
/// pictures without having to.
pub fn begin_as_w_radl(bytes: &mut [u8]) {
    const W_RADL: u8 = 19;
    const N_LP: u8 = 20;
    let codes: Vec<_> = memchr::memmem::find_iter(bytes, &[0, 0, 1]).collect();
    for code in codes {
        if let Some(head) = bytes.get_mut(code + 3) {
            if (*head >> 1) & 0x3f == N_LP {
                *head = (*head & 0x81) | (W_RADL << 1);
            }
        }
    }
}

/// Marks user data as this card's.
const UUID: &[u8; 16] = b"ax650-emu-usrdat";

/// `bytes` with user data put in: an SEI message before the picture's first slice, or a comment
/// after the start of a JPEG image.
pub fn with_user_data(codec: Codec, bytes: &[u8], data: &[u8]) -> Vec<u8> {
    let (at, unit) = match codec {
        Codec::Mjpeg | Codec::Jpeg => (2.min(bytes.len()), comment(data)),
        _ => {
            let is_slice = |n: &Nal| match codec {
                Codec::H265 => n.kind < 32,
                _ => matches!(n.kind, 1..=5),
            };
            let first = list(codec, bytes).into_iter().find(is_slice);
            (first.map_or(0, |n| n.offset), sei(codec, data))
        }
    };
    [&bytes[..at], &unit, &bytes[at..]].concat()
}

/// Longest comment of a JPEG image: its length is 16 bits and counts itself.
pub const MAX_COMMENT: usize = 0xffff - 2;

fn comment(data: &[u8]) -> Vec<u8> {
    let data = &data[..data.len().min(MAX_COMMENT)];
    let len = (data.len() + 2) as u16;
    [&[0xff, 0xfe], len.to_be_bytes().as_slice(), data].concat()
}

/// A "user data unregistered" message as a NAL unit.
fn sei(codec: Codec, data: &[u8]) -> Vec<u8> {
    let mut payload = vec![5];
    let mut len = UUID.len() + data.len();
    while len >= 255 {
        payload.push(255);
        len -= 255;
    }
    payload.push(len as u8);
    payload.extend_from_slice(UUID);
    payload.extend_from_slice(data);
    payload.push(0x80);

    let mut unit = vec![0, 0, 0, 1];
    match codec {
        Codec::H265 => unit.extend_from_slice(&[39 << 1, 1]),
        _ => unit.push(6),
    }
    // Three is put in so that no start code comes about.
    let mut zeros = 0;
    for byte in payload {
        if zeros >= 2 && byte <= 3 {
            unit.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        unit.push(byte);
    }
    unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        let mut idr = [
            0,
            0,
            1,
            20 << 1,
            1,
            0xaf,
            0,
            0,
            1,
            1 << 1,
            1,
            0,
            0,
            1,
            20 << 1,
        ];
        begin_as_w_radl(&mut idr);
        let want = [
            0,
            0,
            1,
            19 << 1,
            1,
            0xaf,
            0,
            0,
            1,
            1 << 1,
            1,
            0,
            0,
            1,
            19 << 1,
        ];
        assert_eq!(idr, want);
        let bytes = [0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 3];
        let nals: Vec<_> = list(Codec::H264, &bytes)
            .iter()
            .map(|n| (n.kind, n.offset, n.len))
            .collect();
        assert_eq!(nals, [(7, 0, 6), (8, 6, 5), (5, 11, 6)]);
        assert_eq!(list(Codec::H265, &[0, 0, 1, 0x26, 1])[0].kind, 19);
        assert_eq!(list(Codec::H264, &[0, 0, 1]), []);
        assert_eq!(list(Codec::Jpeg, &bytes).len(), 1);
    }

    #[test]
    fn user_data() {
        let bytes = [0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x65, 3];
        let out = with_user_data(Codec::H264, &bytes, &[0, 0, 0, 1, 9]);
        let kinds: Vec<_> = list(Codec::H264, &out).iter().map(|n| n.kind).collect();
        assert_eq!(kinds, [7, 6, 5]);
        assert!(out.windows(6).any(|w| w == [0, 0, 3, 0, 1, 9]));
        let out = with_user_data(Codec::Jpeg, &[0xff, 0xd8, 0xff, 0xd9], b"hi");
        assert_eq!(out, b"\xff\xd8\xff\xfe\0\x04hi\xff\xd9");
    }
}
