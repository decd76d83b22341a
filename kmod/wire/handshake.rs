// SPDX-License-Identifier: GPL-2.0

//! Words of the handshake and of the time sync [pcie 2.4] to [pcie 2.10].
//!
//! Step 0 goes through BAR0, which shows card DRAM by then; step 1 and the time sync go through the
//! first 64 bytes of the shared region, "the control page".

use super::{
    boot::Bar0,
    register::register, //
};

register! {
    /// Step 0: host writes [`HOST_PRESENT`], again until the card acknowledges [pcie 2.4].
    pub FLAG(u32) @ 0x00 in Bar0;

    /// Step 0: card writes [`CARD_ACK`] [pcie 2.4].
    pub ACK(u32) @ 0x04 in Bar0;

    /// Step 0: bus address of the shared region, lower half. Written before the flag, never cleared: the
    /// card reads it after its acknowledge [pcie 2.4].
    pub REGION_BASE_LOW(u32) @ 0x10 in Bar0;

    /// Upper half of [`REGION_BASE_LOW`] [pcie 2.4].
    pub REGION_BASE_HIGH(u32) @ 0x14 in Bar0;

    /// Step 0: size of the shared region, lower half [pcie 2.4].
    pub REGION_SIZE_LOW(u32) @ 0x18 in Bar0;

    /// Upper half of [`REGION_SIZE_LOW`] [pcie 2.4].
    pub REGION_SIZE_HIGH(u32) @ 0x1C in Bar0;
}

/// The control page, in memory that card and host share.
pub struct ControlPage;

register! {
    /// Step 1 and time sync: written by the host [pcie 2.6], [pcie 2.7].
    pub PAGE_FLAG(u32) @ 0x00 in ControlPage;

    /// Step 1: card writes [`CARD_ACK`] when its side of the rings is set up [pcie 2.6].
    pub PAGE_ACK(u32) @ 0x04 in ControlPage;

    /// Time sync: seconds of UTC, signed [pcie 2.7].
    pub PAGE_SECONDS(u64) @ 0x10 in ControlPage;

    /// Time sync: nanoseconds [pcie 2.7].
    pub PAGE_NANOSECONDS(u64) @ 0x18 in ControlPage;

    /// Running: doorbells the host has rung [pcie 4.8].
    pub PAGE_RUNG(u64) @ 0x20 in ControlPage;

    /// Running: doorbells the card has handled [pcie 4.8].
    pub PAGE_HANDLED(u64) @ 0x28 in ControlPage;
}

/// Length of the control page. The card clears it after the time sync.
pub const PAGE_SIZE: usize = 0x40;
/// What the host clears of it before it raises the flag of step 1.
pub const STEP1_CLEAR: usize = 0x20;

/// "The host is present", steps 0 and 1.
pub const HOST_PRESENT: u32 = 0x0000_1F4B;
/// "The card acknowledges", steps 0 and 1.
pub const CARD_ACK: u32 = 0x0000_A650;
/// "The time is in place". The card answers by clearing the page.
pub const TIME_MAGIC: u32 = 0x2222_2222;

/// Size of the shared region; the card's window has no more.
pub const REGION_SIZE: u32 = 0x40_0000;
/// Alignment of its base, the granularity of the card's window.
pub const REGION_ALIGN: u64 = 0x1_0000;

/// Wait after the flag of step 1, before the time sync: the card clears 32 bytes then.
pub const SETTLE_MS: u32 = 100;
/// How long the card waits for the time, and one second more.
pub const TIME_SYNC_TIMEOUT_MS: u32 = 6000;
/// How long either side waits for the other in a step of the handshake.
pub const STEP_TIMEOUT_MS: u32 = 120_000;

/// Returns whether the region is one the card can map.
pub fn region_is_valid(base: u64, size: u32) -> bool {
    base & (REGION_ALIGN - 1) == 0
        && size <= REGION_SIZE
        && super::ring::Geometry::new(size).is_some()
}
