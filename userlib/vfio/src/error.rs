// SPDX-License-Identifier: GPL-2.0

//! Errors of opening and booting a card.

use std::io;

/// Why a card cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no card that this process may have.
    #[error("{0}")]
    NoCard(String),
    /// The kernel refused.
    #[error("cannot {what}: {source}")]
    Kernel {
        /// What was wanted of it.
        what: String,
        /// What it said.
        source: io::Error,
    },
    /// The registers of the card cannot be reached.
    #[error("the card's registers cannot be reached: {0}")]
    Registers(#[from] io::Error),
    /// The firmware file is not one.
    #[error("firmware: {0}")]
    Firmware(String),
    /// The card does not do what it should.
    #[error("the card {0}")]
    Card(String),
}

/// What functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Makes an error of what the kernel said when it was asked to do `what`.
pub(crate) fn refused<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Error {
    move |source| Error::Kernel {
        what: what.into(),
        source: source.into(),
    }
}
