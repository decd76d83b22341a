// SPDX-License-Identifier: MIT OR Apache-2.0

//! How the program fails: one line and an exit code.

use std::io;
use std::path::Path;

use ax650::{BootError, Error, ErrorKind};

/// Why the program ends early.
#[derive(Debug)]
pub struct Failure {
    /// One line.
    pub message: String,
    /// Exit code, see `ax650 --help`.
    pub code: u8,
}

/// Anything that has no code of its own.
pub const FAILURE: u8 = 1;
/// Wrong arguments, as of the parser of the command line.
pub const USAGE: u8 = 2;
/// There is no such card.
pub const NO_CARD: u8 = 3;
/// The caller may not do this.
pub const PERMISSION: u8 = 4;
/// Worth another try later.
pub const BUSY: u8 = 5;
/// The card failed.
pub const CARD: u8 = 6;
/// It went through, but pictures were lost.
pub const INCOMPLETE: u8 = 7;
/// `check` found nothing that does not work, but something that could be better.
pub const WARNINGS: u8 = 8;
/// `check` found something that does not work.
pub const PROBLEMS: u8 = 9;
/// As a shell would say it of SIGINT.
pub const INTERRUPTED: u8 = 130;

impl Failure {
    /// A failure of the given kind.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        // One line, whatever a file or a card put into it.
        let message = message.into().replace(|c: char| c.is_control(), " ");
        Self { message, code }
    }

    /// Bad data or the like.
    pub fn of(message: impl Into<String>) -> Self {
        Self::new(FAILURE, message)
    }

    /// Arguments that do not go together.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(USAGE, message)
    }

    /// A file.
    pub fn file(path: &Path, error: &io::Error) -> Self {
        Self::of(format!("{}: {}", path.display(), describe(error)))
    }
}

/// The system's words without the number.
fn describe(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_lowercase(),
        None => error.to_string(),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if let Error::File { path, source } = &error {
            return Self::file(path, source);
        }
        let code = match error.kind() {
            ErrorKind::NoCard => NO_CARD,
            ErrorKind::Permission => PERMISSION,
            ErrorKind::Busy => BUSY,
            ErrorKind::Card | ErrorKind::Timeout | ErrorKind::LostSession => CARD,
            ErrorKind::NoMemory if error.card_code().is_some() => CARD,
            _ => FAILURE,
        };
        Self::new(code, error.to_string())
    }
}

impl From<BootError> for Failure {
    fn from(error: BootError) -> Self {
        match error {
            BootError::Driver(error) => error.into(),
            BootError::Stopped(_) => Self::new(INTERRUPTED, error.to_string()),
            _ => Self::new(CARD, error.to_string()),
        }
    }
}

/// Standard output, which is what is written to without a name.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::file(Path::new("standard output"), &error)
    }
}
