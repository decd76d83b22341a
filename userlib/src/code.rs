// SPDX-License-Identifier: MIT OR Apache-2.0

//! Error numbers of the card and what they mean [rpc 3.3].

use std::fmt;

/// An error number that the card gave.
///
/// There are two families: the numbers of its runtime service, `0x80mm30ss..`, and those of its media
/// modules, `0x80mm....`.  [`fmt::Display`] tells number and meaning.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CardCode(pub u32);

/// Numbers of the decoder and the encoder that steer a program rather than stop it.
impl CardCode {
    /// Returns whether a decoder or encoder has nothing to fetch now.
    pub fn is_empty(self) -> bool {
        self.is_media() && matches!(self.id(), 0x20 | 0x22)
    }

    /// Returns whether nothing happened at a decoder or encoder in the time that the call had.
    pub fn is_timeout(self) -> bool {
        self.is_media() && self.id() == 0x27
    }

    /// Returns whether the stream of a decoder or encoder has ended and all of it was fetched.
    pub fn is_end(self) -> bool {
        self.is_media() && self.id() == 0x28
    }

    /// Returns whether card memory or another resource of the card is used up.
    pub fn is_no_memory(self) -> bool {
        if self.is_media() {
            matches!(self.id(), 0x18 | 0x19)
        } else {
            self.id() == 0x07
        }
    }

    fn module(self) -> u8 {
        let module = (self.0 >> if self.is_media() { 16 } else { 24 }) as u8;
        if self.is_media() {
            module
        } else {
            module & 0x7F
        }
    }

    fn sub(self) -> u8 {
        (self.0 >> 8) as u8
    }

    fn id(self) -> u8 {
        self.0 as u8
    }

    /// Returns whether the number is of a media module, not of the runtime service.
    fn is_media(self) -> bool {
        (self.0 >> 24) == 0x80 && (self.0 >> 16) as u8 != 0x30
    }

    fn origin(self) -> &'static str {
        if self.is_media() {
            return match (self.module(), self.sub()) {
                (0x04, _) => "DSP",
                (0x07, _) => "video encoder",
                (0x08, _) => "video decoder",
                (0x0B, _) => "system and pools",
                (0x0D, 2) => "image processing, regions",
                (0x0D, 3) => "geometric correction",
                (0x0D, _) => "image processing",
                (0x10, _) => "2D DMA",
                (0x14, _) => "skeleton detection",
                _ => "media module",
            };
        }
        match (self.module(), self.sub()) {
            (0, 1) => "device",
            (0, 2) => "context",
            (0, 3) => "stream or event",
            (0, 4) => "task",
            (0, 5) => "memory",
            (0, 6) => "configuration",
            (0, 7) => "engine",
            (0, 8) => "log",
            (0, 9) => "system control",
            (0, 10) => "latency",
            (0, 11) => "card to card",
            (0, 12) => "user program",
            (0, _) => "runtime",
            (1, _) => "native calls",
            (2, _) => "lite runtime",
            _ => "unknown module",
        }
    }

    fn meaning(self) -> Option<&'static str> {
        Some(if self.is_media() {
            match (self.module(), self.id()) {
                (0x04, _) => return None, // numbers of its own
                (_, 0x01) => "no such module",
                (_, 0x02) => "no such device",
                (_, 0x03) => "no such group",
                (_, 0x04) => "no such channel",
                (_, 0x0A) => "illegal parameter",
                (_, 0x0B) => "null pointer",
                (_, 0x0C) => "bad address",
                (_, 0x10) => "not ready",
                (_, 0x11) => "busy",
                (_, 0x12) => "not initialised",
                (_, 0x13) => "not configured",
                (_, 0x14) => "not supported",
                (_, 0x15) => "not permitted",
                (_, 0x16) => "exists already",
                (_, 0x17) => "does not exist",
                (_, 0x18) => "no memory",
                (_, 0x19) => "no buffer",
                (_, 0x1A) => "does not match",
                (_, 0x20) => "buffer empty",
                (_, 0x21) => "buffer full",
                (_, 0x22) => "queue empty",
                (_, 0x23) => "queue full",
                (_, 0x27) => "timed out",
                (_, 0x28) => "end of the stream",
                (_, 0x29) => "unknown error",
                (_, 0x30) => "error of the card's operating system",
                (0x07, 0x80) => "cannot create the channel",
                (0x07, 0x81) => "priority",
                (0x08, 0x80) => "cannot run",
                (0x08, 0x81) => "broken stream",
                (0x08, 0x82) => "cannot reallocate",
                (0x08, 0x83) => "no group left",
                _ => return None,
            }
        } else {
            match (self.sub(), self.id()) {
                (_, 0x02) => "null pointer",
                (_, 0x03) => "illegal parameter",
                (_, 0x04) => "not supported",
                (_, 0x05) => "timed out",
                (_, 0x06) => "busy",
                (_, 0x07) => "no memory",
                (_, 0x08) => "cannot encode the message",
                (_, 0x09) => "cannot decode the message",
                (_, 0x0A) => "unexpected response",
                (_, 0x0B) => "cannot open",
                (_, 0x0C) => "execution failed",
                (1, 0x80) => "cannot be queried",
                (1, 0x81) => "not connected",
                (1, 0x82) => "cannot be probed",
                (1, 0x83) => "not active",
                (1, 0x84) => "invalid id",
                (1, 0x85) => "none active",
                (1, 0x86) => "no ports",
                (1, 0x87) => "reboot failed",
                (1, 0x88) => "ports cannot be given back",
                (5, 0x81) => "not card memory",
                (7, 0x81) => "illegal index",
                _ => return None,
            }
        })
    }

    /// Returns whether the number is in one of the two families; others are shown as they are.
    fn is_known_form(self) -> bool {
        self.0 >> 31 == 1 && (self.is_media() || (self.0 >> 16) as u8 == 0x30)
    }
}

impl fmt::Display for CardCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_known_form() {
            return write!(f, "status {} ({:#x})", self.0 as i32, self.0);
        }
        match self.meaning() {
            Some(meaning) => write!(f, "{}: {meaning} ({:#010x})", self.origin(), self.0),
            None => write!(
                f,
                "{}: error {:#04x} ({:#010x})",
                self.origin(),
                self.id(),
                self.0
            ),
        }
    }
}

impl fmt::Debug for CardCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardCode({:#010x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_notes() {
        for (code, text) in [
            (0x8008_0120, "video decoder: buffer empty (0x80080120)"),
            (0x8008_0127, "video decoder: timed out (0x80080127)"),
            (0x8007_0228, "video encoder: end of the stream (0x80070228)"),
            (0x8007_0217, "video encoder: does not exist (0x80070217)"),
            (
                0x8030_0709,
                "engine: cannot decode the message (0x80300709)",
            ),
            (0x8030_0704, "engine: not supported (0x80300704)"),
            (0x8030_0781, "engine: illegal index (0x80300781)"),
            (0x8030_0581, "memory: not card memory (0x80300581)"),
            (0x8030_0281, "context: error 0x81 (0x80300281)"),
            (0x800B_0118, "system and pools: no memory (0x800b0118)"),
            (
                0x800D_0203,
                "image processing, regions: no such group (0x800d0203)",
            ),
            (0x8010_010A, "2D DMA: illegal parameter (0x8010010a)"),
            (0x8008_0181, "video decoder: broken stream (0x80080181)"),
            (
                0x8007_0180,
                "video encoder: cannot create the channel (0x80070180)",
            ),
            (0x8004_000B, "DSP: error 0x0b (0x8004000b)"),
            (0x8030_0507, "memory: no memory (0x80300507)"),
            (0x8030_0184, "device: invalid id (0x80300184)"),
            (0x8130_0003, "native calls: illegal parameter (0x81300003)"),
            (0x8008_01EE, "video decoder: error 0xee (0x800801ee)"),
            (0xFFFF_FFFF, "status -1 (0xffffffff)"),
            (7, "status 7 (0x7)"),
        ] {
            assert_eq!(CardCode(code).to_string(), text);
        }
    }

    #[test]
    fn steering_numbers() {
        assert!(CardCode(0x8008_0120).is_empty() && CardCode(0x8007_0222).is_empty());
        assert!(CardCode(0x8008_0127).is_timeout() && !CardCode(0x8008_0127).is_empty());
        assert!(CardCode(0x8007_0228).is_end());
        assert!(CardCode(0x8030_0507).is_no_memory() && CardCode(0x8007_0219).is_no_memory());
        // The same last byte in the other family means something else.
        assert!(!CardCode(0x8030_0120).is_empty() && !CardCode(0x8030_0127).is_timeout());
    }
}
