// SPDX-License-Identifier: MIT OR Apache-2.0

//! A card that answers anything: its good answers with a few values changed.
//!
//! Answers are messages, so they are taken apart and put together again: a byte turned at random would mostly be
//! found when the message is decoded, and nothing behind that would be tried.

use ax650_uapi::AX650_QUERY_LIMITS;

use super::FakeCard;
use crate::frame::Header;

/// Numbers that are seldom thought of.
const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    0x7F,
    0xFF,
    0x1000,
    0xFFFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFE,
    0xFFFF_FFFF,
    0x1_0000_0000,
    0x7FFF_FFFF_FFFF_FFFF,
    0x8000_0000_0000_0000,
    0xFFFF_FFFF_FFFF_F000,
    0xFFFF_FFFF_FFFF_FFFF,
];

/// Texts that could do harm where they are shown or become names of files.
const TEXTS: [&[u8]; 5] = [
    b"",
    b"../../../etc/passwd",
    b"\x1b[2J\x07\r\n",
    b"\xff\xfe\x80",
    b"{}%s\0",
];

/// Changes answers of a card.
#[derive(Debug)]
pub(super) struct Hostile {
    state: u64,
    /// Answers until the next that is changed.
    good: usize,
}

impl FakeCard {
    /// Changes answers from now on, and what the driver has from the card.  Which, and how, depends on `seed` alone;
    /// after `good` answers the first is changed.
    pub fn lie(&self, seed: u64, good: usize) {
        // Neighbours are to have nothing in common.
        let state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        self.state().hostile = Some(Hostile { state, good });
    }
}

impl Hostile {
    /// Changes a frame that the card answers.
    pub(super) fn answer(&mut self, mut frame: Vec<u8>) -> Vec<u8> {
        if self.good > 0 {
            self.good -= 1;
            return frame;
        }
        self.good = self.below(40);
        if self.below(20) == 0 {
            self.change_bytes(&mut frame);
            return frame;
        }
        let mut message = frame.split_off(Header::SIZE.min(frame.len()));
        for _ in 0..=self.below(3) {
            self.change_message(&mut message, 0);
        }
        frame.extend(message);
        frame
    }

    /// Changes what the driver tells of the card.
    pub(super) fn facts(&mut self, kind: u32, data: &mut [u8]) {
        // The limits are the driver's own.
        if kind != AX650_QUERY_LIMITS && self.below(2) == 0 {
            for _ in 0..=self.below(4) {
                self.change_word(data);
            }
        }
    }

    /// Changes a field, or one inside of it; whether `message` is one.
    fn change_message(&mut self, message: &mut Vec<u8>, depth: usize) -> bool {
        let Some(mut fields) = split(message) else {
            return false;
        };
        if fields.is_empty() {
            return false;
        }
        // Heads and tails are many and small.
        let at = match self.below(2) {
            0 => longest(&fields),
            _ => self.below(fields.len()),
        };
        match self.below(24) {
            0 => drop(fields.remove(at)),
            1 => {
                let again = fields[at].clone();
                fields.insert(at, again);
            }
            2 => fields[at].0 ^= 8 << self.below(3),
            _ => match &mut fields[at].1 {
                Value::Number(number) => *number = self.number(*number),
                Value::Bytes(bytes) => {
                    let inside = depth < 12 && self.change_message(bytes, depth + 1);
                    if !inside {
                        self.change_bytes(bytes);
                    }
                }
            },
        }
        *message = join(&fields);
        true
    }

    /// Changes a text or a structure.
    fn change_bytes(&mut self, bytes: &mut Vec<u8>) {
        match self.below(8) {
            0 => {
                let len = self.below(bytes.len() + 1);
                bytes.truncate(len);
            }
            1 => bytes.extend(vec![0xA5; 1 + self.below(16)]),
            2 => *bytes = TEXTS[self.below(TEXTS.len())].to_vec(),
            _ => self.change_word(bytes),
        }
    }

    /// Changes a number of a structure.
    fn change_word(&mut self, bytes: &mut [u8]) {
        let width = [4, 8][self.below(2)].min(bytes.len());
        let at = self.below(bytes.len() / 4 + 1) * 4;
        let Some(place) = bytes.get_mut(at..at + width) else {
            return;
        };
        let mut old = [0; 8];
        old[..width].copy_from_slice(place);
        let new = self.number(u64::from_le_bytes(old)).to_le_bytes();
        place.copy_from_slice(&new[..width]);
    }

    fn number(&mut self, old: u64) -> u64 {
        match self.below(4) {
            0 => old.wrapping_add(1),
            1 => old ^ (1 << self.below(64)),
            // What is added to it cannot be counted any more.
            2 => u64::MAX - self.below(1 << 14) as u64,
            _ => NUMBERS[self.below(NUMBERS.len())],
        }
    }

    /// Returns a number that only looks random (xorshift).
    fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state % limit.max(1) as u64) as usize
    }
}

#[derive(Debug, Clone)]
enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

/// Key and value, as they are on the wire.
type Field = (u64, Value);

/// Splits a message into its fields; `None` if it has other fields than numbers and bytes.
fn split(mut message: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = take_number(&mut message)?;
        let value = take_number(&mut message)?;
        let value = match key & 7 {
            0 => Value::Number(value),
            2 => {
                let (bytes, rest) = message.split_at_checked(usize::try_from(value).ok()?)?;
                message = rest;
                Value::Bytes(bytes.to_vec())
            }
            _ => return None,
        };
        if key >> 3 == 0 {
            return None;
        }
        fields.push((key, value));
    }
    Some(fields)
}

/// Returns the field that holds most.
fn longest(fields: &[Field]) -> usize {
    let len = |(_, value): &Field| match value {
        Value::Number(_) => 1,
        Value::Bytes(bytes) => bytes.len(),
    };
    let at = (0..fields.len()).max_by_key(|at| len(&fields[*at]));
    at.unwrap_or(0)
}

fn join(fields: &[Field]) -> Vec<u8> {
    let mut message = Vec::new();
    for (key, value) in fields {
        prost::encoding::encode_varint(*key, &mut message);
        match value {
            Value::Number(number) => prost::encoding::encode_varint(*number, &mut message),
            Value::Bytes(bytes) => {
                prost::encoding::encode_varint(bytes.len() as u64, &mut message);
                message.extend_from_slice(bytes);
            }
        }
    }
    message
}

fn take_number(message: &mut &[u8]) -> Option<u64> {
    prost::encoding::decode_varint(message).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_apart_and_together() {
        let message = [0x08, 0x96, 0x01, 0x12, 0x03, b'a', b'b', b'c'];
        assert_eq!(join(&split(&message).unwrap()), message);
        assert!(split(&message[..7]).is_none() && split(&[0]).is_none());
    }

    #[test]
    fn the_same_seed_lies_the_same() {
        let frame = [&[0; Header::SIZE][..], &[0x08, 1, 0x12, 2, 0x08, 5]].concat();
        let lies = |state| {
            let mut hostile = Hostile { state, good: 1 };
            assert_eq!(hostile.answer(frame.clone()), frame);
            hostile.answer(frame.clone())
        };
        assert_eq!(lies(7), lies(7));
        assert!((1..50).any(|seed| lies(seed) != frame));
    }
}
