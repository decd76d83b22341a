// SPDX-License-Identifier: GPL-2.0

//! From "firmware started" to "rings in use" [pcie 2.4] to [pcie 2.7], as `kmod/card/handshake.rs` does.

use std::io;
use std::sync::atomic::{fence, Ordering};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::dma::DmaMemory;
use crate::error::{Error, Result};
use crate::function::Function;
use crate::poll;
use crate::wire::boot::FINISH;
use crate::wire::handshake::{
    ACK, CARD_ACK, FLAG, HOST_PRESENT, PAGE_ACK, PAGE_FLAG, PAGE_NANOSECONDS, PAGE_SECONDS,
    REGION_BASE_HIGH, REGION_BASE_LOW, REGION_SIZE_HIGH, REGION_SIZE_LOW, SETTLE_MS, STEP1_CLEAR,
    STEP_TIMEOUT_MS, TIME_MAGIC, TIME_SYNC_TIMEOUT_MS,
};
use crate::wire::register::{FixedRegister, Register};

/// Between looks at the card's words.
const LOOK: Duration = Duration::from_millis(5);
/// The card's Linux is up within this time.
const SWAP: Duration = Duration::from_secs(30);
/// Wait after the flag of step 1.
const SETTLE: Duration = Duration::from_millis(SETTLE_MS as u64);
// TIMEOUT: the card itself waits as long in a step, and then gives up for good [pcie 2.4], [pcie 2.6].
const STEP_TIMEOUT: Duration = Duration::from_millis(STEP_TIMEOUT_MS as u64);
// TIMEOUT: the card clears the control page within this time in any case [pcie 2.7].
const TIME_SYNC_TIMEOUT: Duration = Duration::from_millis(TIME_SYNC_TIMEOUT_MS as u64);

/// Polls `look` until it is true; returns whether it was in time.
fn poll(limit: Duration, mut look: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
    let found = poll::until(LOOK, limit, || Ok::<_, io::Error>(look()?.then_some(())))?;
    Ok(found.is_some())
}

/// Shakes hands with the firmware that was started, and gives it the time.
pub(crate) fn shake_hands(function: &Function, region: &DmaMemory) -> Result<()> {
    wait_for_linux(function)?;
    step0(function, region)?;
    step1(region)?;
    // Only now: the card has read what it was to read there.
    FLAG::zeroed().write(function)?;
    ACK::zeroed().write(function)?;
    sync_time(region)
}

/// Waits until BAR0 shows the memory of the card's Linux, which is zeroed: the flag of step 0 must not arrive alone,
/// with the parameters lost to the old memory.
fn wait_for_linux(function: &Function) -> Result<()> {
    poll(SWAP, || Ok(FINISH::read(function)? == FINISH::zeroed()))?;
    Ok(())
}

/// Tells the card where the shared memory is, again and again.
fn step0(function: &Function, region: &DmaMemory) -> Result<()> {
    let size = region.len() as u64;
    let base = region.bus((0, region.len()));
    let base = base.ok_or_else(|| Error::Card("has no region".into()))?;
    let done = poll(STEP_TIMEOUT, || {
        REGION_BASE_LOW::from(base as u32).write(function)?;
        REGION_BASE_HIGH::from((base >> 32) as u32).write(function)?;
        REGION_SIZE_LOW::from(size as u32).write(function)?;
        REGION_SIZE_HIGH::from((size >> 32) as u32).write(function)?;
        // The flag goes last, when the parameters have arrived: the card reads them at once.
        if REGION_BASE_LOW::read(function)? != REGION_BASE_LOW::from(base as u32) {
            return Ok(false);
        }
        FLAG::from(HOST_PRESENT).write(function)?;
        Ok(ACK::read(function)? == ACK::from(CARD_ACK))
    })?;
    match done {
        true => Ok(()),
        false => Err(Error::Card(
            "starts the firmware, but that does not answer".into(),
        )),
    }
}

/// Waits until the card has set up its side of the rings.
fn step1(region: &DmaMemory) -> Result<()> {
    let ack = PAGE_ACK::from(CARD_ACK);
    if !poll(STEP_TIMEOUT, || Ok(PAGE_ACK::read(region)? == ack))? {
        return Err(Error::Card("does not set up the rings".into()));
    }
    region.copy_in(0, &[0; STEP1_CLEAR])?;
    fence(Ordering::SeqCst);
    PAGE_FLAG::from(HOST_PRESENT).write(region)?;
    sleep(SETTLE);
    Ok(())
}

/// Gives the card the time, and waits until it has cleared the control page.
fn sync_time(region: &DmaMemory) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default();
    PAGE_SECONDS::from(now.as_secs()).write(region)?;
    PAGE_NANOSECONDS::from(u64::from(now.subsec_nanos())).write(region)?;
    let magic = PAGE_FLAG::from(TIME_MAGIC);
    magic.write(region)?;
    if !poll(TIME_SYNC_TIMEOUT, || Ok(PAGE_FLAG::read(region)? != magic))? {
        log::warn!("the card did not take the time");
    }
    Ok(())
}
