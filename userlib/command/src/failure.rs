// SPDX-License-Identifier: MIT OR Apache-2.0

//! How the program fails: one line and an exit code.

use std::io;
use std::path::Path;

/// Why the program ends early.
#[derive(Debug)]
pub struct Failure {
    /// One line.
    pub message: String,
    /// Exit code, see `ax650 --help`.
    pub code: u8,
}

/// Exit codes and their meaning, for help and manual pages: the code, what it says, and whether `ax650-fw` has it too.
const EXIT_CODES: [(u8, &str, bool); 11] = [
    (0, "success", true),
    (FAILURE, "failure: a file, the data, the host", true),
    (USAGE, "usage: wrong arguments", true),
    (NO_CARD, "no such card", true),
    (PERMISSION, "no permission", true),
    (BUSY, "the card is busy or not ready", true),
    (CARD, "the card failed, was reset or did not answer", true),
    (
        INCOMPLETE,
        "done, but not whole: pictures are missing or damaged, or the input is cut short",
        false,
    ),
    (WARNINGS, "check: warnings, nothing worse", false),
    (PROBLEMS, "check: something does not work", false),
    (INTERRUPTED, "interrupted", true),
];

/// Exit codes of `ax650`, or those that `ax650-fw` has too.
fn codes(loader: bool) -> impl Iterator<Item = (u8, &'static str)> {
    let wanted = EXIT_CODES.into_iter().filter(move |row| row.2 || !loader);
    wanted.map(|(code, meaning, _)| (code, meaning))
}

/// Returns the exit codes as the end of the help text of `ax650`, or of `ax650-fw` (`loader`).
pub fn exit_codes_help(loader: bool) -> String {
    let lines = codes(loader).map(|(code, meaning)| format!("  {code:<4} {meaning}\n"));
    format!("Exit codes:\n{}", lines.collect::<String>())
}

/// Returns the exit codes as the section EXIT STATUS of the manual page of `ax650`, or of `ax650-fw` (`loader`).
pub fn exit_codes_roff(loader: bool) -> String {
    let lines = codes(loader).map(|(code, meaning)| format!(".TP\n\\fB{code}\\fR\n{meaning}\n"));
    format!(".SH \"EXIT STATUS\"\n{}", lines.collect::<String>())
}

/// Anything that has no code of its own.
pub const FAILURE: u8 = 1;
/// Wrong arguments, as of the parser of the command line.
pub const USAGE: u8 = 2;
/// No such card.
pub const NO_CARD: u8 = 3;
/// The caller may not do this.
pub const PERMISSION: u8 = 4;
/// Worth another try later.
pub const BUSY: u8 = 5;
/// The card failed.
pub const CARD: u8 = 6;
/// Status of what went through, but with pictures lost.
pub const INCOMPLETE: u8 = 7;
/// `check` found nothing that does not work, but something that could be better.
pub const WARNINGS: u8 = 8;
/// `check` found something that does not work.
pub const PROBLEMS: u8 = 9;
/// Status of a program that SIGINT has ended, as a shell says it.
pub const INTERRUPTED: u8 = 130;

impl Failure {
    /// Makes a failure of the given kind.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        // One line, whatever a file or a card put into it.
        let message = message.into().replace(|c: char| c.is_control(), " ");
        Self { message, code }
    }

    /// Makes a failure of bad data or the like.
    pub fn of(message: impl Into<String>) -> Self {
        Self::new(FAILURE, message)
    }

    /// Arguments that do not go together.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(USAGE, message)
    }

    /// Makes a failure of a file.
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

/// Standard output, which is what is written to without a name.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::file(Path::new("standard output"), &error)
    }
}
