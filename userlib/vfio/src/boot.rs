// SPDX-License-Identifier: GPL-2.0

//! Having the card read the firmware, one chunk at a time [pcie 3.4], as `kmod/card/load.rs` does.

use std::time::Duration;

use md5::{Digest, Md5};

use crate::dma::DmaMemory;
use crate::error::{Error, Result};
use crate::function::Function;
use crate::poll;
use crate::wire::boot::{
    Status, CHUNK, CHUNK_TIMEOUT_MS, COMMAND, DESTINATION_HIGH, DESTINATION_LOW, FINISH, REASON,
    SIZE, SOURCE_HIGH, SOURCE_LOW, STATUS,
};
use crate::wire::container::Container;
use crate::wire::register::{FixedRegister, Register};

/// Between looks at the status register.
const LOOK: Duration = Duration::from_micros(200);
// TIMEOUT: what [pcie 3.4] gives the card for a chunk.
const CHUNK_TIMEOUT: Duration = Duration::from_millis(CHUNK_TIMEOUT_MS as u64);

/// Checks a firmware file completely: the loader starts the first image as soon as it has read it.
pub(crate) fn check(bytes: &[u8]) -> Result<Container<'_>> {
    let wrong = |error: &dyn std::fmt::Display| Error::Firmware(error.to_string());
    let container = Container::parse(bytes).map_err(|error| wrong(&error))?;
    container
        .verify(|bytes| Md5::digest(bytes).into())
        .map_err(|error| wrong(&error))?;
    Ok(container)
}

/// Sends all images through `region` to a card that is in its loader, and starts them.
pub(crate) fn load(
    function: &Function,
    region: &DmaMemory,
    container: &Container<'_>,
) -> Result<()> {
    let size = region.len().min(CHUNK as usize);
    function.set_master()?;
    for (index, record) in container.records().enumerate() {
        if index == 1 {
            // U-Boot runs by now [pcie 3.7].
            let reason = REASON::read(function)?;
            REASON::zeroed().write(function)?;
            if reason.is_unexpected() {
                log::warn!("the card started because of: {}", reason.name());
            }
        }
        let mut to = record.destination;
        for chunk in record.image.chunks(size) {
            region.copy_in(0, chunk)?;
            command(function, region, to, chunk.len() as u32)?;
            settle(function).map_err(|error| match error {
                Error::Card(what) => Error::Card(format!("{what} ({} at {to:#x})", record.id)),
                other => other,
            })?;
            to = to.wrapping_add(chunk.len() as u64);
        }
    }
    // Nothing of the firmware may look like a message.
    region.zero()?;
    FINISH::zeroed().with(FINISH::START, true).write(function)?;
    Ok(())
}

/// Tells the card what to read.
fn command(function: &Function, region: &DmaMemory, to: u64, bytes: u32) -> Result<()> {
    let from = region.bus((0, bytes as usize));
    let from = from.ok_or_else(|| Error::Firmware("a chunk is too large".into()))?;
    // A result left over from before must not be taken for this one's.
    STATUS::zeroed().write(function)?;
    SOURCE_LOW::from(from as u32).write(function)?;
    SOURCE_HIGH::from((from >> 32) as u32).write(function)?;
    DESTINATION_LOW::from(to as u32).write(function)?;
    DESTINATION_HIGH::from((to >> 32) as u32).write(function)?;
    SIZE::from(bytes).write(function)?;
    COMMAND::zeroed()
        .with(COMMAND::READ, true)
        .write(function)?;
    Ok(())
}

/// Waits until the card has read what it was told to.
fn settle(function: &Function) -> Result<()> {
    let done = poll::until(LOOK, CHUNK_TIMEOUT, || {
        match Status::of_read(STATUS::read(function)?) {
            Status::Pending => Ok(None),
            // A result while the command stands is not that of the command.
            Status::Done if COMMAND::read(function)? != COMMAND::zeroed() => {
                STATUS::zeroed().write(function)?;
                Ok(None)
            }
            Status::Done => Ok(Some(())),
            Status::Failed(bits) => {
                STATUS::zeroed().write(function)?;
                Err(Error::Card(format!("did not read the firmware: {bits}")))
            }
            Status::Gone => Err(Error::Card("has no registers any more".into())),
        }
    })?;
    STATUS::zeroed().write(function)?;
    done.ok_or_else(|| Error::Card("does not read the firmware".into()))
}
