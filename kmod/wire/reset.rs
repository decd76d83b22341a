// SPDX-License-Identifier: GPL-2.0

//! The reset of the chip: a register behind BAR4 [pcie 1.3].
//!
//! Where it is depends on how much BAR4 shows. The chip goes down at the write: the register must not
//! be read back.

use super::register::{
    register,
    Bar, //
};

/// BAR4: the reset block.
pub struct Bar4;

impl Bar for Bar4 {
    const BAR: u32 = 4;
    const BYTES: usize = SMALL_WINDOW;
}

/// Size of the BAR that shows [`RESET`]; larger ones show [`RESET_LARGE`].
pub const SMALL_WINDOW: usize = 0x10_0000;

register! {
    /// Resets the chip, through the small window [pcie 1.3].
    pub RESET(u32) @ 0x50 in Bar4 {
        /// The whole chip.
        0:0 CHIP: bool;
    }

    /// Resets the chip, through a larger window [pcie 1.3].
    pub RESET_LARGE(u32) @ 0x20_0050 in Bar4 {
        /// The whole chip.
        0:0 CHIP: bool;
    }
}
