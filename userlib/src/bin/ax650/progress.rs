// SPDX-License-Identifier: MIT OR Apache-2.0

//! Progress of jobs that take a while, on standard error.

use std::io::{stderr, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Counts pictures, and tells how many there were how fast.
pub struct Progress {
    begin: Instant,
    shown: Instant,
    frames: u64,
    total: Option<u64>,
    live: bool,
    quiet: bool,
}

impl Progress {
    /// Begins to count; `total` is how many there should be.
    pub fn new(total: Option<u64>, quiet: bool) -> Self {
        let now = Instant::now();
        Self {
            begin: now,
            shown: now,
            frames: 0,
            total,
            live: !quiet && stderr().is_terminal(),
            quiet,
        }
    }

    /// One more picture.
    pub fn frame(&mut self) {
        self.frames += 1;
        if self.live && self.shown.elapsed() > Duration::from_millis(200) {
            self.shown = Instant::now();
            let total = self
                .total
                .map(|total| format!(" of {total}"))
                .unwrap_or_default();
            eprint!(
                "\r\x1b[K{}{total} frames, {:.1} frames/s",
                self.frames,
                self.rate()
            );
            let _ = stderr().flush();
        }
    }

    /// Pictures so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    fn rate(&self) -> f64 {
        self.frames as f64 / self.begin.elapsed().as_secs_f64().max(1e-6)
    }

    /// Says what was done.
    pub fn finish(mut self, what: &str) {
        self.clear();
        if !self.quiet {
            let seconds = self.begin.elapsed().as_secs_f64();
            eprintln!(
                "{what}: {} frames in {seconds:.2} s, {:.1} frames/s",
                self.frames,
                self.rate()
            );
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.live) {
            eprint!("\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
