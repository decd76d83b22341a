// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 log`

use std::io::{stdout, IsTerminal, Write};
use std::path::Path;

use ax650::{Card, Error};

use crate::args::Log;
use crate::failure::{Failure, CARD};
use crate::output::Output;

/// Fetches the log of the card's service and prints it or puts it into a file.
pub fn log(card: &Card, options: &Log) -> Result<(), Failure> {
    let session = card.session()?;
    let log = session
        .stream()
        .fetch_log(options.kind, options.flag)
        .map_err(explain)?;
    log::debug!("the card calls it {:?}", log.name);
    let mut output = Output::create(&options.output, options.force)?;
    let to_terminal = options.output == Path::new("-") && stdout().is_terminal();
    let content = if to_terminal {
        printable(&log.content)
    } else {
        log.content
    };
    let written = output.write_all(&content);
    written.map_err(|error| output.failure(&error))?;
    output.commit()
}

/// A driver before this call was open to everybody answers EPERM.
fn explain(error: Error) -> Failure {
    match Failure::from(error) {
        Failure { message, code } if code == CARD => Failure::new(
            code,
            format!("{message}; not every firmware can be asked for its log"),
        ),
        failure => failure,
    }
}

/// Without what could confuse a terminal.
fn printable(text: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(text)
        .replace(|c: char| c.is_control() && c != '\n' && c != '\t', "?")
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ax650::fake::FakeCard;

    #[test]
    fn the_log_goes_to_a_file() {
        let path = std::env::temp_dir().join(format!("ax650-log-{}", std::process::id()));
        let fake = FakeCard::new();
        // More than the first answer has room for.
        let lines: u32 = 50_000;
        let options = Log {
            output: path.clone(),
            kind: 3,
            flag: lines - 1,
            force: false,
        };
        log(&fake.open(), &options).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text.lines().count(), lines as usize);
        assert!(text.lines().all(|line| line == "a line"));
    }

    #[test]
    fn terminals_get_text_only() {
        assert_eq!(
            printable(b"a\tb\x1b[2J\xff\n"),
            "a\tb?[2J\u{fffd}\n".as_bytes()
        );
    }
}
