// SPDX-License-Identifier: MIT OR Apache-2.0

//! Exit codes of the commands for errors of the library; here because both commands need them.

use ax650_command::failure::{self, Failure};

use crate::boot_wait::BootError;
use crate::error::{Error, ErrorKind};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if let Error::File { path, source } = &error {
            return Self::file(path, source);
        }
        let code = match error.kind() {
            ErrorKind::NoCard => failure::NO_CARD,
            ErrorKind::Permission => failure::PERMISSION,
            ErrorKind::Busy => failure::BUSY,
            ErrorKind::Card | ErrorKind::Timeout | ErrorKind::LostSession => failure::CARD,
            ErrorKind::NoMemory if error.card_code().is_some() => failure::CARD,
            _ => failure::FAILURE,
        };
        Self::new(code, error.to_string())
    }
}

impl From<BootError> for Failure {
    fn from(error: BootError) -> Self {
        match error {
            BootError::Driver(error) => error.into(),
            BootError::Stopped(_) => Self::new(failure::INTERRUPTED, error.to_string()),
            _ => Self::new(failure::CARD, error.to_string()),
        }
    }
}
