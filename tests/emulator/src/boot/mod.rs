// SPDX-License-Identifier: MIT OR Apache-2.0

//! From reset to Linux: the boot register block in BAR0 and the two stages that serve it [pcie 3].

mod images;
mod loader;
mod registers;
mod transfer;
mod uboot;

pub use images::{Image, Images};
pub use loader::load;
pub use registers::Bar0;
pub use transfer::OnChipRam;
pub use uboot::serve;
