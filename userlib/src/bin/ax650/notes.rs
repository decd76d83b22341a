// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is told about a job beside its result: warnings, and what it lost.

use std::io::{stderr, Write};

use crate::failure::{Failure, INCOMPLETE};

/// Tells what a file loses on its way; with `--strict` each of these is a failure.
pub struct Notes {
    strict: bool,
    told: Vec<String>,
}

impl Notes {
    /// Begins without notes.
    pub fn new(strict: bool) -> Self {
        Self {
            strict,
            told: Vec::new(),
        }
    }

    /// Notes that something is not carried over, and says so once.
    pub fn warn(&mut self, text: impl Into<String>) -> Result<(), Failure> {
        let failure = Failure::of(text);
        if self.strict {
            return Err(failure);
        }
        if !self.told.contains(&failure.message) {
            // Where standard error is closed or full, that is no reason to stop the work.
            let _ = writeln!(stderr(), "ax650: warning: {}", failure.message);
            self.told.push(failure.message);
        }
        Ok(())
    }

    /// Ends a job that went through but is not whole with a status of its own.
    pub fn incomplete(text: impl Into<String>) -> Failure {
        Failure::new(INCOMPLETE, text)
    }
}
