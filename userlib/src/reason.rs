// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card's log [rpc 4.3], for the reason that an error number does not tell.

use std::time::Duration;

use crate::error::Error;
use crate::stream::Stream;

/// A card that has no log may not answer at all.
const PATIENCE: Duration = Duration::from_secs(3);
/// A line is cut there.
const MOST_CHARACTERS: usize = 200;
/// Words of lines that tell of a failure.
const WORDS: [&str; 5] = ["error", "fail", "cannot", "refuse", "unsupported"];

impl Stream {
    /// Puts the reason that the card's log gives into an error that is only a number, if there is one in the log.
    pub(crate) fn with_reason(&self, error: Error) -> Error {
        let Error::Card { what, code } = error else {
            return error;
        };
        // On a stream of its own: the log must not wait for anything, nor anything for the log.
        let fetched = self
            .session()
            .new_context()
            .and_then(|own| own.fetch_log_within(0, 0, Some(PATIENCE)));
        let reason = match (fetched, self.session().card_process()) {
            (Ok(log), Some(process)) => reason(&log.content, process),
            (Ok(_), None) => None,
            (Err(error), _) => {
                log::debug!("{error}");
                None
            }
        };
        match reason {
            Some(reason) => Error::Refused { what, code, reason },
            None => Error::Card { what, code },
        }
    }
}

/// Finds the last line of process `process` that tells of a failure, without what stands ahead of its text.
fn reason(log: &[u8], process: u32) -> Option<String> {
    let text = String::from_utf8_lossy(log);
    let mark = format!("[{process}]");
    text.lines().rev().find_map(|line| {
        let (_, said) = line.split_once(&mark)?;
        let low = line.to_lowercase();
        WORDS.iter().find(|word| low.contains(*word))?;
        let said = said.trim_start_matches([':', ' ']).trim();
        let clean: String = said
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(MOST_CHARACTERS)
            .collect();
        (!clean.is_empty()).then_some(clean)
    })
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn the_last_failure_of_the_own_process() {
        let log = b"\
[ 1.0] ERROR axcl_daemon[1000]: load failed: old\n\
[ 2.0] ERROR axcl_daemon[1000]: load failed: no operator `Foo`\x1b[0m\n\
[ 3.0] INFO  axcl_daemon[1000]: still here\n\
[ 4.0] ERROR axcl_daemon[1001]: load failed: another's\n";
        assert_eq!(
            reason(log, 1000).unwrap(),
            "load failed: no operator `Foo` [0m"
        );
        assert_eq!(reason(log, 7), None);
    }

    #[test]
    fn anything_may_be_in_it() {
        for log in [
            &b""[..],
            b"\xff\xfe[5]",
            b"[5]",
            b"[5]: \n[5] error",
            &[0x1F, 0x8B, 8, 0],
        ] {
            let _ = reason(log, 5);
        }
        let long = format!("x[5]: error {}", "y".repeat(10_000));
        assert_eq!(reason(long.as_bytes(), 5).unwrap().chars().count(), 200);
    }
}
