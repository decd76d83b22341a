// SPDX-License-Identifier: GPL-2.0

//! Reset and reboot, which two of the nodes have [pcie 2.9].  Both hit everybody who uses the card, so
//! they are for the administrator only (R17); everybody's ports are lost, and they are told (R16).

use super::registry::{
    self,
    Entry, //
};
use crate::{
    card::{
        error::BootError,
        Card, //
    },
    glue::{
        prelude::*,
        task,
        time::{
            Delta,
            Instant, //
        }, //
    },
    link::{
        life::OrderError,
        orders::Order, //
    },
    wire::axcl::host::BootFailure, //
};

// TIMEOUT: a boot is tried several times, and each may take minutes.
const DONE: Delta = Delta::from_secs(600);

/// Returns the card that a privileged caller names.
///
/// # Errors
///
/// `EPERM` for a caller without privilege; `ENODEV` if there is no such card.
pub(super) fn admin(device: impl FnOnce() -> Option<u32>) -> Result<Entry> {
    if !task::is_admin() {
        return Err(EPERM);
    }
    registry::entry(device().ok_or(ENODEV)?)
}

/// Orders, behind what has been ordered by others, and waits until it is done.
fn order(listed: &Entry, order: Order) -> Result {
    let (card, clients) = (&listed.card, &listed.clients);
    let deadline = Instant::now() + DONE;
    clients.wait(deadline, || match card.order(order) {
        Err(OrderError::Busy) => None,
        other => Some(other),
    })??;
    let orders = &card.link.life.orders;
    let done = clients.wait(deadline, || (!orders.is_ordered()).then_some(()));
    done.map_err(|e| match e {
        // Not to be begun anew: it has been ordered.
        e if e == ERESTARTSYS => EINTR,
        e => e,
    })
}

/// Resets a card and leaves it down.
///
/// # Errors
///
/// `ENODEV` if the card has gone; `ETIMEDOUT`; `ERESTARTSYS` before, `EINTR` after the order was placed.
pub(super) fn reset(listed: &Entry) -> Result {
    order(listed, Order::Reset)
}

/// Resets a card and boots it.
///
/// # Errors
///
/// Those of [`reset`]; the code of a [`BootFailure`].
pub(super) fn reboot(listed: &Entry) -> Result {
    order(listed, Order::Boot)?;
    let card = &listed.card;
    if card.check_serving(card.generation()).is_ok() {
        return Ok(());
    }
    if card.is_gone() {
        return Err(ENODEV);
    }
    Err(Error::from_errno(failure(card).code()))
}

/// Returns what kept the card from coming up.
fn failure(card: &Card) -> BootFailure {
    match card.failure() {
        Some(BootError::NoFirmware) => BootFailure::NoFile,
        Some(BootError::ChunkTimeout) => BootFailure::ChunkTimeout,
        Some(BootError::ChunkFailed) => BootFailure::ChunkFailed,
        _ => BootFailure::Other,
    }
}
