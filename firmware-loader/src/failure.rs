// SPDX-License-Identifier: MIT OR Apache-2.0

//! How the command says what is wrong with a container.

use crate::Error;
use ax650_command::failure::Failure;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::of(match error {
            Error::Exists(_) => format!("{error}; --force replaces it"),
            other => other.to_string(),
        })
    }
}
