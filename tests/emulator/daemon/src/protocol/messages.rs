// SPDX-License-Identifier: MIT OR Apache-2.0

//! Control messages of the transaction ports P0 and P1 [rpc 2.1].

/// A run of bytes in host or card memory, of a list message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Bus or card address, not 0.
    pub(crate) address: u64,
    /// Bytes, not 0.
    pub(crate) len: u32,
}

/// Most pieces of a list message.
const MAX_PIECES: usize = 64;

/// A control message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Control {
    /// 0: the host begins a handshake.
    Sync(u32),
    /// 1: our answer to it.
    SyncAck(u32),
    /// 2: the host has our answer.
    Done(u32),
    /// 3: `size` bytes of `kind` are to be moved.
    Transfer { kind: u32, size: u32 },
    /// 6: this many bytes have been written by the card's DMA; 0 if it failed.
    TaskDone(u32),
    /// 7: this many bytes have been taken.
    ReadDone(u32),
    /// 8: where the receiver wants the data.
    Window(Vec<Piece>),
    /// 9: where the sender has the data.
    Pieces(Vec<Piece>),
}

/// Why a message is none of those.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadMessage {
    #[error("{got} bytes where message kind {kind} has {want}")]
    Length { kind: u8, got: usize, want: usize },
    #[error("an empty message")]
    Empty,
    #[error("message kind {0} is unknown")]
    Kind(u8),
    #[error("a list of {0} pieces")]
    Count(u8),
    #[error("piece {index} has address {address:#x} and {len} bytes")]
    Piece {
        index: usize,
        address: u64,
        len: u32,
    },
}

/// Reads a little-endian u32; `bytes` must be long enough.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Reads a little-endian u64; `bytes` must be long enough.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | (u64::from(u32_at(bytes, at + 4)) << 32)
}

impl Control {
    /// Bytes of all messages but the lists.
    pub(crate) const LEN: usize = 17;

    /// Reads a message.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, BadMessage> {
        let &kind = bytes.first().ok_or(BadMessage::Empty)?;
        if kind == 8 || kind == 9 {
            let pieces = parse_list(bytes, kind)?;
            return Ok(if kind == 8 {
                Self::Window(pieces)
            } else {
                Self::Pieces(pieces)
            });
        }
        if kind > 9 {
            return Err(BadMessage::Kind(kind));
        }
        if bytes.len() != Self::LEN {
            return Err(BadMessage::Length {
                kind,
                got: bytes.len(),
                want: Self::LEN,
            });
        }
        let value = u32_at(bytes, 1);
        Ok(match kind {
            0 => Self::Sync(value),
            1 => Self::SyncAck(value),
            2 => Self::Done(value),
            3 => Self::Transfer {
                kind: value,
                size: u32_at(bytes, 5),
            },
            6 => Self::TaskDone(value),
            7 => Self::ReadDone(value),
            _ => return Err(BadMessage::Kind(kind)),
        })
    }

    /// The bytes of the message; unused ones are 0.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (kind, first, second) = match self {
            Self::Sync(seq) => (0, *seq, 0),
            Self::SyncAck(seq) => (1, *seq, 0),
            Self::Done(seq) => (2, *seq, 0),
            Self::Transfer { kind, size } => (3, *kind, *size),
            Self::TaskDone(bytes) => (6, *bytes, 0),
            Self::ReadDone(bytes) => (7, *bytes, 0),
            Self::Window(pieces) => return list_bytes(8, pieces),
            Self::Pieces(pieces) => return list_bytes(9, pieces),
        };
        let mut bytes = vec![0; Self::LEN];
        bytes[0] = kind;
        bytes[1..5].copy_from_slice(&first.to_le_bytes());
        bytes[5..9].copy_from_slice(&second.to_le_bytes());
        bytes
    }
}

fn parse_list(bytes: &[u8], kind: u8) -> Result<Vec<Piece>, BadMessage> {
    let length = |want| BadMessage::Length {
        kind,
        got: bytes.len(),
        want,
    };
    let &count = bytes.get(1).ok_or(length(2))?;
    if count == 0 || usize::from(count) > MAX_PIECES {
        return Err(BadMessage::Count(count));
    }
    let want = 2 + 12 * usize::from(count);
    if bytes.len() != want {
        return Err(length(want));
    }
    let pieces = bytes[2..].chunks_exact(12).enumerate();
    pieces
        .map(|(index, raw)| {
            let (address, len) = (u64_at(raw, 0), u32_at(raw, 8));
            if address == 0 || len == 0 || address.checked_add(len.into()).is_none() {
                return Err(BadMessage::Piece {
                    index,
                    address,
                    len,
                });
            }
            Ok(Piece { address, len })
        })
        .collect()
}

fn list_bytes(kind: u8, pieces: &[Piece]) -> Vec<u8> {
    debug_assert!((1..=MAX_PIECES).contains(&pieces.len()));
    let mut bytes = vec![kind, pieces.len() as u8];
    for piece in pieces {
        bytes.extend_from_slice(&piece.address.to_le_bytes());
        bytes.extend_from_slice(&piece.len.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let byte = |two| u8::from_str_radix(two, 16).unwrap();
        text.split_whitespace().map(byte).collect()
    }

    #[test]
    fn worked_examples() {
        for (bytes, message) in [
            (
                "00 e5 a4 fb 00 00 00 00 00 00 00 00 00 00 00 00 00",
                Control::Sync(0xfb_a4e5),
            ),
            (
                "01 e6 a4 fb 00 00 00 00 00 00 00 00 00 00 00 00 00",
                Control::SyncAck(0xfb_a4e6),
            ),
            (
                "03 00 01 05 41 39 00 00 00 00 00 00 00 00 00 00 00",
                Control::Transfer {
                    kind: 0x4105_0100,
                    size: 57,
                },
            ),
            (
                "06 00 00 40 00 00 00 00 00 00 00 00 00 00 00 00 00",
                Control::TaskDone(0x40_0000),
            ),
            (
                "07 cd fb 00 00 00 00 00 00 00 00 00 00 00 00 00 00",
                Control::ReadDone(64_461),
            ),
            (
                "08 01 00 00 00 40 01 00 00 00 00 00 40 00",
                Control::Window(vec![Piece {
                    address: 0x1_4000_0000,
                    len: 0x40_0000,
                }]),
            ),
            (
                "09 01 00 00 00 00 01 00 00 00 cd fb 00 00",
                Control::Pieces(vec![Piece {
                    address: 0x1_0000_0000,
                    len: 64_461,
                }]),
            ),
        ] {
            let bytes = hex(bytes);
            assert_eq!(Control::parse(&bytes).as_ref(), Ok(&message));
            assert_eq!(message.bytes(), bytes);
        }
        // The left-over bytes of the host's DONE do not matter.
        let done = hex("02 e7 a4 fb 00 7f 00 00 f0 36 c5 3a fd 7f 00 00 48");
        assert_eq!(Control::parse(&done), Ok(Control::Done(0xfb_a4e7)));
    }

    #[test]
    fn broken_messages() {
        assert_eq!(Control::parse(&[]), Err(BadMessage::Empty));
        for kind in [4, 5, 10, 255] {
            let mut bytes = [0; 17];
            bytes[0] = kind;
            assert_eq!(Control::parse(&bytes), Err(BadMessage::Kind(kind)));
        }
        for len in [1, 16, 18] {
            let error = BadMessage::Length {
                kind: 0,
                got: len,
                want: 17,
            };
            assert_eq!(Control::parse(&vec![0; len]), Err(error));
        }
        assert_eq!(Control::parse(&[8, 0]), Err(BadMessage::Count(0)));
        assert_eq!(Control::parse(&[9, 65]), Err(BadMessage::Count(65)));
        assert!(matches!(
            Control::parse(&[8]),
            Err(BadMessage::Length { want: 2, .. })
        ));
        assert!(matches!(
            Control::parse(&[9, 2, 0]),
            Err(BadMessage::Length { want: 26, .. })
        ));
        for piece in [
            Piece { address: 0, len: 1 },
            Piece { address: 1, len: 0 },
            Piece {
                address: u64::MAX,
                len: 1,
            },
        ] {
            let bytes = list_bytes(9, &[Piece { address: 1, len: 1 }, piece]);
            assert!(
                matches!(
                    Control::parse(&bytes),
                    Err(BadMessage::Piece { index: 1, .. })
                ),
                "{piece:?}"
            );
        }
    }
}
