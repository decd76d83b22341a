// SPDX-License-Identifier: MIT OR Apache-2.0

//! One line about work that takes a while, on standard error: written over and over on a terminal, and now and then
//! anew in a log.

use std::io::{stderr, IsTerminal, Write};
use std::sync::mpsc::{channel, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two looks of a person.
const TERMINAL: Duration = Duration::from_millis(200);
/// Between two lines of a log.
const LOG: Duration = Duration::from_secs(10);

/// The line.
pub struct ProgressLine {
    terminal: bool,
    quiet: bool,
    next: Instant,
    shown: bool,
}

impl ProgressLine {
    /// Makes a line. Nothing is shown of work that is done at once.
    pub fn new(quiet: bool) -> Self {
        let terminal = stderr().is_terminal();
        Self {
            terminal,
            quiet,
            next: Instant::now() + if terminal { TERMINAL } else { LOG },
            shown: false,
        }
    }

    /// Shows a text, if it is time to.
    pub fn show(&mut self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        if self.quiet || now < self.next {
            return;
        }
        self.next = now + if self.terminal { TERMINAL } else { LOG };
        self.shown = true;
        // A terminal that went away is no reason to stop the work.
        let mut stderr = stderr().lock();
        let _ = if self.terminal {
            write!(stderr, "\r\x1b[K{}", text()).and_then(|()| stderr.flush())
        } else {
            writeln!(stderr, "{}", text())
        };
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.shown && self.terminal {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

/// A [`ProgressLine`] of what part of some bytes is done.
pub struct Meter {
    label: &'static str,
    line: ProgressLine,
}

impl Meter {
    /// Begins to show work that is called `label`.
    pub fn new(label: &'static str, quiet: bool) -> Self {
        Self {
            label,
            line: ProgressLine::new(quiet),
        }
    }

    /// Bytes done, of how many.
    pub fn bytes(&mut self, done: u64, total: u64) {
        let label = self.label;
        self.line.show(|| {
            let percent = (u128::from(done) * 100)
                .checked_div(total.into())
                .unwrap_or(0);
            format!("{label}: {percent} % of {total} bytes")
        });
    }
}

/// A [`ProgressLine`] that shows itself while the work goes on elsewhere.
pub struct Ticker {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Shows what `text` gives until it is dropped.
    pub fn new(quiet: bool, text: impl Fn() -> String + Send + 'static) -> Self {
        let (end, ended) = channel();
        let mut line = ProgressLine::new(quiet);
        let spawned = std::thread::Builder::new().spawn(move || {
            while ended.recv_timeout(TERMINAL) == Err(RecvTimeoutError::Timeout) {
                line.show(&text);
            }
        });
        Self {
            end: Some(end),
            // Without a thread there is no progress to be seen, which is all.
            thread: if quiet { None } else { spawned.ok() },
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
