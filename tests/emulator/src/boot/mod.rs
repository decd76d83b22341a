// SPDX-License-Identifier: MIT OR Apache-2.0

//! From reset to Linux: the two stages that serve the boot register block in BAR0 [pcie 3].

mod loader;
mod transfer;
mod uboot;

pub use loader::load;
pub use uboot::serve;
