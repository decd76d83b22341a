// SPDX-License-Identifier: GPL-2.0

//! Boot register block at the start of BAR0 while the card's loader or U-Boot runs [pcie 3.2] to
//! [pcie 3.7].

use core::fmt;

use super::register::{
    register,
    Bar,
    Register, //
};

/// BAR0. Until the card's Linux has put its memory there it shows on-chip RAM with the boot registers
/// in front [pcie 1.2].
pub struct Bar0;

impl Bar for Bar0 {
    const BAR: u32 = 0;
    const BYTES: usize = 0x1000;
}

register! {
    /// Not used by this protocol [pcie 3.2].
    pub MAGIC(u32) @ 0x00 in Bar0;

    /// What the card shall do; it writes 0 when it has picked the command up [pcie 3.2].
    pub COMMAND(u32) @ 0x04 in Bar0 {
        /// The card reads [`SIZE`] bytes of host memory.
        3:3 READ: bool;
        /// The card writes [`SIZE`] bytes to host memory (crash dump, U-Boot only).
        4:4 WRITE: bool;
    }

    /// Result of the last command, see [`Status`]; the host writes 0 to acknowledge [pcie 3.3].
    pub STATUS(u32) @ 0x08 in Bar0 {
        /// Memory was read.
        0:0 READ_DONE: bool;
        /// Memory could not be read.
        1:1 READ_FAILED: bool;
        /// Details of a failed secure boot.
        12:2 SECURE_BOOT: u32;
        /// Memory was written.
        13:13 WRITE_DONE: bool;
        /// Memory could not be written.
        14:14 WRITE_FAILED: bool;
    }

    /// Where a command reads, lower half: a bus address of the host for [`COMMAND::READ`] [pcie 3.2].
    pub SOURCE_LOW(u32) @ 0x0C in Bar0;

    /// Upper half of [`SOURCE_LOW`] [pcie 3.2].
    pub SOURCE_HIGH(u32) @ 0x10 in Bar0;

    /// Where a command writes, lower half: an address of the card for [`COMMAND::READ`] [pcie 3.2].
    pub DESTINATION_LOW(u32) @ 0x14 in Bar0;

    /// Upper half of [`DESTINATION_LOW`] [pcie 3.2].
    pub DESTINATION_HIGH(u32) @ 0x18 in Bar0;

    /// Bytes of a command, at most [`CHUNK`] [pcie 3.2].
    pub SIZE(u32) @ 0x1C in Bar0;

    /// Not used [pcie 3.2].
    pub CHECKSUM(u32) @ 0x20 in Bar0;

    /// Why the chip came up; the host writes 0 after reading [pcie 3.7].
    pub REASON(u32) @ 0x24 in Bar0 {
        /// Software reset.
        0:0 SOFTWARE: bool;
        /// The chip was too hot.
        1:1 THERMAL: bool;
        /// Watchdog 0.
        3:3 WATCHDOG0: bool;
        /// Watchdog 4.
        4:4 WATCHDOG4: bool;
    }

    /// Ends the boot [pcie 3.6].
    pub FINISH(u32) @ 0x28 in Bar0 {
        /// All images are there, start them.
        0:0 START: bool;
    }
}

/// Length of the block. Boot code lives behind it: never touch BAR0 from here on in these states.
pub const BLOCK_SIZE: usize = 0x2C;

/// Most bytes of one command. The loader jumps after the first one, so record 0 must fit.
pub const CHUNK: u32 = 0x30_0000;
/// How long the card may take over one chunk, milliseconds.
pub const CHUNK_TIMEOUT_MS: u32 = 6000;
/// Start of card DRAM, where a crash dump begins.
pub const DRAM_BASE: u64 = 0x1_0000_0000;

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
    /// Reads the status after [`COMMAND::READ`].
    pub fn of_read(value: STATUS) -> Self {
        Self::interpret(value, STATUS::READ_DONE.mask())
    }

    /// Reads the status after [`COMMAND::WRITE`].
    pub fn of_write(value: STATUS) -> Self {
        Self::interpret(value, STATUS::WRITE_DONE.mask())
    }

    /// Success is the done bit without any failure: U-Boot does not clear the register between
    /// commands, so a stale bit must not pass for the answer.
    fn interpret(value: STATUS, done: u32) -> Self {
        match value.into() {
            0 => Self::Pending,
            u32::MAX => Self::Gone,
            value if value == done => Self::Done,
            value => Self::Failed(FailBits(value)),
        }
    }
}

/// Status bits of a failed command; displays as the names of the bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailBits(pub u32);

const FAIL_NAMES: [(u32, &str); 13] = [
    (STATUS::READ_FAILED.mask(), "read failed"),
    (STATUS::WRITE_FAILED.mask(), "write failed"),
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
        self.0 & STATUS::SECURE_BOOT.mask() != 0
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

impl REASON {
    /// Names the gravest of the reasons [pcie 3.7].
    pub fn name(self) -> &'static str {
        match self {
            Self(0) => "normal",
            _ if self.get(Self::THERMAL) => "thermal shutdown",
            _ if self.get(Self::WATCHDOG0) || self.get(Self::WATCHDOG4) => "watchdog",
            _ if self.get(Self::SOFTWARE) => "software reset",
            _ => "unknown",
        }
    }

    /// Returns whether the chip came up for another reason than that the host has reset it.
    pub fn is_unexpected(self) -> bool {
        self.with(Self::SOFTWARE, false) != Self(0)
    }
}
