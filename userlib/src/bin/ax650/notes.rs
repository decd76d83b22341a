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
    /// None so far.
    pub fn new(strict: bool) -> Self {
        Self {
            strict,
            told: Vec::new(),
        }
    }

    /// Something is not carried over; said once.
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

    /// A job that went through but is not whole ends with a status of its own.
    pub fn incomplete(text: impl Into<String>) -> Failure {
        Failure::new(INCOMPLETE, text)
    }
}
