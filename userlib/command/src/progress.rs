// SPDX-License-Identifier: MIT OR Apache-2.0

//! Progress of jobs that take a while, on standard error.

use std::io::{stderr, Write};
use std::time::Instant;

use crate::progress_line::ProgressLine;

/// Counts pictures, and tells how many there were how fast.
pub struct Progress {
    begin: Instant,
    line: ProgressLine,
    frames: u64,
    total: Option<u64>,
    quiet: bool,
}

impl Progress {
    /// Begins to count; `total` is how many there should be.
    pub fn new(total: Option<u64>, quiet: bool) -> Self {
        Self {
            begin: Instant::now(),
            line: ProgressLine::new(quiet),
            frames: 0,
            total,
            quiet,
        }
    }

    /// Counts one more picture.
    pub fn frame(&mut self) {
        self.frames += 1;
        let (frames, rate) = (self.frames, self.rate());
        let total = self.total;
        self.line.show(|| {
            let total = total
                .map(|total| format!(" of {total}"))
                .unwrap_or_default();
            format!("{frames}{total} frames, {rate:.1} frames/s")
        });
    }

    /// Pictures so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    fn rate(&self) -> f64 {
        self.frames as f64 / self.begin.elapsed().as_secs_f64().max(1e-6)
    }

    /// Says what was done.
    pub fn finish(self, what: &str) {
        let (frames, rate, quiet) = (self.frames, self.rate(), self.quiet);
        let seconds = self.begin.elapsed().as_secs_f64();
        // Takes the line away.
        drop(self.line);
        if !quiet {
            // Where standard error is closed, the exit code has to do.
            let _ = writeln!(
                stderr(),
                "{what}: {frames} frames in {seconds:.2} s, {rate:.1} frames/s"
            );
        }
    }
}
