// SPDX-License-Identifier: GPL-2.0

//! Boot register block at the start of BAR0 while the card's loader or U-Boot runs [pcie 3.2] to
//! [pcie 3.7]. All registers are u32.

use core::fmt;

/// Bit 3 of the command: the card reads host memory.
pub const COMMAND: usize = 0x04;
/// Result of the last command, see [`Status`]; the host writes 0 to acknowledge.
pub const STATUS: usize = 0x08;
/// Host bus address of the chunk.
pub const SOURCE_LOW: usize = 0x0C;
/// Upper half of [`SOURCE_LOW`].
pub const SOURCE_HIGH: usize = 0x10;
/// Card address the chunk goes to.
pub const DESTINATION_LOW: usize = 0x14;
/// Upper half of [`DESTINATION_LOW`].
pub const DESTINATION_HIGH: usize = 0x18;
/// Bytes of the chunk, at most [`CHUNK`].
pub const SIZE: usize = 0x1C;
/// Why the chip came up, see [`reason_name`]; the host writes 0 after reading.
pub const REASON: usize = 0x24;
/// Bit 0: all images are there, start.
pub const FINISH: usize = 0x28;
/// Length of the block. Boot code lives behind it: never touch BAR0 from here on in these states.
pub const BLOCK_SIZE: usize = 0x2C;

/// [`COMMAND`]: the card reads `SIZE` bytes of host memory.
pub const COMMAND_READ: u32 = 1 << 3;
/// [`COMMAND`]: the card writes `SIZE` bytes to host memory (crash dump, U-Boot only).
pub const COMMAND_WRITE: u32 = 1 << 4;
/// [`FINISH`]: start what was loaded.
pub const FINISH_START: u32 = 1 << 0;

/// Most bytes of one command. The loader jumps after the first one, so record 0 must fit.
pub const CHUNK: u32 = 0x30_0000;
/// How long the card may take over one chunk, milliseconds.
pub const CHUNK_TIMEOUT_MS: u32 = 6000;
/// Start of card DRAM, where a crash dump begins.
pub const DRAM_BASE: u64 = 0x1_0000_0000;

const READ_DONE: u32 = 1 << 0;
const READ_FAILED: u32 = 1 << 1;
const WRITE_DONE: u32 = 1 << 13;
const WRITE_FAILED: u32 = 1 << 14;
/// Bits 2 to 12: details of a failed secure boot.
const SECURE_BOOT: u32 = 0x1FFC;

/// What the status register says of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No answer yet.
    Pending,
    /// The card has carried the command out.
    Done,
    /// The card could not do it, for the reasons these bits give.
    Failed(FailBits),
    /// All ones: the register cannot be read. Ask for the vendor id.
    Gone,
}

impl Status {
    /// Reads the status after [`COMMAND_READ`].
    pub fn of_read(value: u32) -> Self {
        Self::interpret(value, READ_DONE)
    }

    /// Reads the status after [`COMMAND_WRITE`].
    pub fn of_write(value: u32) -> Self {
        Self::interpret(value, WRITE_DONE)
    }

    /// Success is the done bit without any failure: U-Boot does not clear the register between
    /// commands, so a stale bit must not pass for the answer.
    fn interpret(value: u32, done: u32) -> Self {
        match value {
            0 => Self::Pending,
            u32::MAX => Self::Gone,
            _ if value == done => Self::Done,
            _ => Self::Failed(FailBits(value)),
        }
    }
}

/// Status bits of a failed command; displays as the names of the bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailBits(pub u32);

const FAIL_NAMES: [(u32, &str); 13] = [
    (READ_FAILED, "read failed"),
    (WRITE_FAILED, "write failed"),
    (1 << 2, "DMA of primary header"),
    (1 << 3, "DMA of backup header"),
    (1 << 4, "header checksum"),
    (1 << 5, "DMA of crypto firmware"),
    (1 << 6, "crypto firmware checksum"),
    (1 << 7, "crypto engine init"),
    (1 << 8, "public key check"),
    (1 << 9, "DMA of image"),
    (1 << 10, "image checksum"),
    (1 << 11, "SHA"),
    (1 << 12, "AES"),
];

impl FailBits {
    /// Returns whether the image was refused by the card's secure boot, as opposed to a failed
    /// transfer.
    pub fn is_secure_boot(self) -> bool {
        self.0 & SECURE_BOOT != 0
    }
}

impl fmt::Display for FailBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)?;
        let mut separator = " (";
        for (_, name) in FAIL_NAMES.iter().filter(|(bit, _)| self.0 & bit != 0) {
            write!(f, "{separator}{name}")?;
            separator = ", ";
        }
        f.write_str(if separator == ", " { ")" } else { "" })
    }
}

/// Boot reason: software reset.
pub const REASON_SOFTWARE: u32 = 1 << 0;
/// Boot reason: the chip was too hot.
pub const REASON_THERMAL: u32 = 1 << 1;
/// Boot reason: watchdog 0.
pub const REASON_WATCHDOG0: u32 = 1 << 3;
/// Boot reason: watchdog 4.
pub const REASON_WATCHDOG4: u32 = 1 << 4;

/// Names the gravest of the reasons set in the boot reason register [pcie 3.7].
pub fn reason_name(reason: u32) -> &'static str {
    match reason {
        0 => "normal",
        _ if reason & REASON_THERMAL != 0 => "thermal shutdown",
        _ if reason & (REASON_WATCHDOG0 | REASON_WATCHDOG4) != 0 => "watchdog",
        _ if reason & REASON_SOFTWARE != 0 => "software reset",
        _ => "unknown",
    }
}
