// SPDX-License-Identifier: MIT OR Apache-2.0

//! Progress of work that takes a while.

use std::{
    io::{stderr, IsTerminal, Write},
    time::{Duration, Instant},
};

/// On a terminal, work that takes no longer than this is not worth a word; nor is a change within it.
const TERMINAL: Duration = Duration::from_millis(300);
/// The same in a log.
const LOG: Duration = Duration::from_secs(10);

/// One line on standard error: on a terminal written over and over, and in the end erased; in a log anew now and then.
pub struct Meter {
    label: &'static str,
    terminal: bool,
    next: Option<Instant>,
    shown: bool,
}

impl Meter {
    pub fn new(label: &'static str, quiet: bool) -> Self {
        let terminal = stderr().is_terminal();
        let mut meter = Self {
            label,
            terminal,
            next: None,
            shown: false,
        };
        meter.next = (!quiet).then(|| Instant::now() + meter.patience());
        meter
    }

    fn patience(&self) -> Duration {
        if self.terminal {
            TERMINAL
        } else {
            LOG
        }
    }

    /// Bytes done, of how many.
    pub fn bytes(&mut self, done: u64, total: u64) {
        let percent = (u128::from(done) * 100)
            .checked_div(total.into())
            .unwrap_or(0);
        self.text(|label| format!("{label}: {percent} % of {total} bytes"));
    }

    /// Any text.
    pub fn text(&mut self, text: impl FnOnce(&str) -> String) {
        let now = Instant::now();
        if self.next.is_some_and(|next| now >= next) {
            self.next = Some(now + self.patience());
            self.shown = true;
            self.write(&text(self.label));
        }
    }

    /// A terminal that went away is no reason to stop the work.
    fn write(&self, text: &str) {
        let mut terminal = stderr().lock();
        let _ = if self.terminal {
            write!(terminal, "\r\x1b[K{text}").and_then(|()| terminal.flush())
        } else {
            writeln!(terminal, "{text}")
        };
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.shown && self.terminal {
            self.write("");
        }
    }
}
