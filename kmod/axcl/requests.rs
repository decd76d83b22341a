// SPDX-License-Identifier: GPL-2.0

//! Reset and reboot, which two of the nodes have [pcie 2.9].  Both hit everybody who uses the card, so
//! they are for the administrator only (R17); everybody's ports are lost, and they are told (R16).

use kernel::{prelude::*, sync::Arc};

use super::registry;
use crate::glue::compat::errno::EREMOTEIO;
use crate::{
    card::Card,
    glue::{
        task,
        time::{self, S},
    },
    wire::axcl::host::BootFailure,
};

/// A boot is tried several times, and each may take minutes.
const DONE_NS: u64 = 600 * S;

/// The card that a privileged caller names: `EPERM`, `ENODEV`.
pub(super) fn admin(device: impl FnOnce() -> Option<u32>) -> Result<Arc<Card>> {
    if !task::is_admin() {
        return Err(EPERM);
    }
    registry::find(device().ok_or(ENODEV)?)
}

/// Orders, behind what has been ordered by others, and waits until it is done.
fn order(card: &Card, reset: bool) -> Result {
    let deadline = time::now() + DONE_NS;
    card.axcl
        .wait(deadline, || match card.order(reset, false) {
            Err(e) if e == EBUSY => None,
            other => Some(other),
        })??;
    let done = card
        .axcl
        .wait(deadline, || (!card.is_ordered()).then_some(()));
    done.map_err(|e| match e {
        // Not to be begun anew: it has been ordered.
        e if e == ERESTARTSYS => EINTR,
        e => e,
    })
}

/// Resets a card and leaves it down.
pub(super) fn reset(card: &Card) -> Result {
    order(card, true)
}

/// Resets a card and boots it.
pub(super) fn reboot(card: &Card) -> Result {
    order(card, false)?;
    if card.check_serving(card.generation()).is_ok() {
        return Ok(());
    }
    if card.is_gone() {
        return Err(ENODEV);
    }
    Err(Error::from_errno(failure(card).code()))
}

/// What kept it from coming up.
fn failure(card: &Card) -> BootFailure {
    let info = card.info();
    let sent = info.boot_bytes_done == info.boot_bytes_total;
    match Error::from_errno(info.last_error) {
        e if e == ENOENT => BootFailure::NoFile,
        e if e == ETIMEDOUT && !sent => BootFailure::ChunkTimeout,
        e if e == EREMOTEIO && !sent => BootFailure::ChunkFailed,
        _ => BootFailure::Other,
    }
}
