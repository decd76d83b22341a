// SPDX-License-Identifier: MIT OR Apache-2.0

//! The calls of SYS and DMADIM, and the card's tables.

pub mod calls;
pub mod dma;
pub mod proc;
