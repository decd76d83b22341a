// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a command line comes to.

/// What a command line came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Exit status.
    pub(crate) status: i32,
    /// Standard output and errors.
    pub(crate) output: String,
}

impl Outcome {
    /// Success, with what was printed.
    pub(super) fn ok(output: impl Into<String>) -> Self {
        Self {
            status: 0,
            output: output.into(),
        }
    }

    /// Failure, with what was printed.
    pub(super) fn fail(status: i32, output: impl Into<String>) -> Self {
        Self {
            status,
            output: output.into(),
        }
    }
}
