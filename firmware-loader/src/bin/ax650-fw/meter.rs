// SPDX-License-Identifier: MIT OR Apache-2.0

//! Progress on a terminal.

use std::{
    io::{stderr, IsTerminal, Write},
    time::{Duration, Instant},
};

/// Work that takes no longer than this is not worth a word; nor is a change within it.
const PATIENCE: Duration = Duration::from_millis(300);

/// One line that is written over and over, and in the end erased. Nothing if standard error is not a
/// terminal.
pub struct Meter {
    label: &'static str,
    next: Option<Instant>,
    shown: bool,
}

impl Meter {
    pub fn new(label: &'static str, quiet: bool) -> Self {
        let visible = !quiet && stderr().is_terminal();
        Self {
            label,
            next: visible.then(|| Instant::now() + PATIENCE),
            shown: false,
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
            self.next = Some(now + PATIENCE);
            self.shown = true;
            self.write(&text(self.label));
        }
    }

    /// A terminal that went away is no reason to stop the work.
    fn write(&self, text: &str) {
        let mut terminal = stderr().lock();
        let _ = write!(terminal, "\r\x1b[K{text}");
        let _ = terminal.flush();
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.shown {
            self.write("");
        }
    }
}
