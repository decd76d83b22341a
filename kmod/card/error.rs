// SPDX-License-Identifier: GPL-2.0

//! Why a card does not come up.

use crate::glue::prelude::*;

/// What a boot or a reset has failed of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum BootError {
    /// The card does not answer on the bus, or the driver is being unbound.
    Gone,
    /// The thread is to stop.
    Interrupted,
    /// The firmware file is missing.
    NoFirmware,
    /// What is there is no firmware, or damaged.
    BadFirmware,
    /// The first image of the firmware does not fit the shared memory.
    TooLarge,
    /// The card has not said in time that it has read a piece of it.
    ChunkTimeout,
    /// The card has said that it could not read it.
    ChunkFailed,
    /// The firmware does not answer.
    Timeout,
    /// Anything else.
    Other(Error),
}

impl BootError {
    /// Returns whether the next attempt would fail of the same.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::NoFirmware | Self::BadFirmware | Self::TooLarge)
    }
}

impl From<Error> for BootError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<BootError> for Error {
    fn from(error: BootError) -> Self {
        match error {
            BootError::Gone => ENODEV,
            BootError::Interrupted => EINTR,
            BootError::NoFirmware => ENOENT,
            BootError::BadFirmware => EINVAL,
            BootError::TooLarge => EFBIG,
            BootError::ChunkTimeout | BootError::Timeout => ETIMEDOUT,
            BootError::ChunkFailed => EREMOTEIO,
            BootError::Other(error) => error,
        }
    }
}

/// Says what went wrong, as the log has it.
impl core::fmt::Debug for BootError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Debug::fmt(&Error::from(*self), f)
    }
}
