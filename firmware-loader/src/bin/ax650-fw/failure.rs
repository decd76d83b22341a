// SPDX-License-Identifier: MIT OR Apache-2.0

//! How the program fails: one line and one of the exit codes of the manual page; clap uses 2 for wrong usage.

use ax650::{BootError, ErrorKind};
use ax650_firmware::Error;
use std::io;

/// Why the program ends early.
pub struct Failure {
    pub message: String,
    pub code: u8,
}

impl Failure {
    fn new(code: u8, message: String) -> Self {
        // One line, whatever a file or a card put into it.
        let message = message.replace(char::is_control, " ");
        Self { message, code }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(
            1,
            match error {
                Error::Exists(_) => format!("{error}; --force replaces it"),
                other => other.to_string(),
            },
        )
    }
}

impl From<ax650::Error> for Failure {
    fn from(error: ax650::Error) -> Self {
        let code = match error.kind() {
            ErrorKind::NoCard => 3,
            ErrorKind::Permission => 4,
            ErrorKind::Busy => 5,
            _ => 1,
        };
        Self::new(code, error.to_string())
    }
}

impl From<BootError> for Failure {
    fn from(error: BootError) -> Self {
        match error {
            BootError::Driver(error) => error.into(),
            BootError::Gone(_) => Self::new(3, error.to_string()),
            other => Self::new(1, other.to_string()),
        }
    }
}

/// Standard output, which is what is written to without a name.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(1, format!("standard output: {error}"))
    }
}
