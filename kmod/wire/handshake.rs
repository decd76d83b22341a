// SPDX-License-Identifier: GPL-2.0

//! Words of the handshake and of the time sync [pcie 2.4] to [pcie 2.10].
//!
//! Step 0 goes through BAR0, which shows card DRAM by then; step 1 and the time sync go through the
//! first 64 bytes of the shared region, "the control page".

/// Step 0, BAR0, u32: host writes [`HOST_PRESENT`], again until the card acknowledges.
pub const BAR0_FLAG: usize = 0x00;
/// Step 0, BAR0, u32: card writes [`CARD_ACK`].
pub const BAR0_ACK: usize = 0x04;
/// Step 0, BAR0, u64: bus address of the shared region. Written before the flag, never cleared: the
/// card reads it after its acknowledge.
pub const BAR0_REGION_BASE: usize = 0x10;
/// Step 0, BAR0, u64: size of the shared region.
pub const BAR0_REGION_SIZE: usize = 0x18;

/// Step 1 and time sync, u32: written by the host.
pub const PAGE_FLAG: usize = 0x00;
/// Step 1, u32: card writes [`CARD_ACK`] when its side of the rings is set up.
pub const PAGE_ACK: usize = 0x04;
/// Time sync, s64: seconds of UTC.
pub const PAGE_SECONDS: usize = 0x10;
/// Time sync, s64: nanoseconds.
pub const PAGE_NANOSECONDS: usize = 0x18;
/// Running, u64: doorbells the host has rung.
pub const PAGE_RUNG: usize = 0x20;
/// Running, u64: doorbells the card has handled.
pub const PAGE_HANDLED: usize = 0x28;
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
