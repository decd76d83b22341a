// SPDX-License-Identifier: GPL-2.0

//! What holds for all nodes of the AXCL ABI.

use crate::glue::{
    prelude::*,
    time::{
        Delta,
        Instant,
        Moment,
        Signals,
        Waited, //
    }, //
};

/// A request whose arguments cannot be read or make no sense; -1 in the ABI.
pub(super) const FAILED: Error = EPERM;

// TIMEOUT: a card that is being booted is waited for so long [pcie 2.4].
pub(super) const UP_WAIT: Delta = Delta::from_secs(120);

/// Between looks at the state of a card, should its thread have forgotten to tell.
pub(super) const LOOK: Delta = Delta::from_millis(100);

/// Says why a wait is over, if it is.  To be called without locks.
///
/// # Errors
///
/// `ETIMEDOUT`; `ERESTARTSYS` for a caller that is being killed.
pub(super) fn ended(waited: Waited, deadline: Instant) -> Result {
    match waited {
        Waited::Signal if !Signals::Deadly.ignore() => Err(ERESTARTSYS),
        _ if deadline.left().is_zero() => Err(ETIMEDOUT),
        _ => Ok(()),
    }
}

/// Returns the error that programs get: a card that is not up is no card (R04), a refusal, a time-out and
/// the like are -1.
pub(super) fn as_abi(e: Error) -> Error {
    match e {
        e if e == EHOSTDOWN || e == ENODEV => ENODEV,
        e if e == ERESTARTSYS || e == ENOMEM => e,
        _ => FAILED,
    }
}
