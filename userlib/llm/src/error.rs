// SPDX-License-Identifier: MIT OR Apache-2.0

//! Errors of language models.

use std::path::{Path, PathBuf};

/// What the functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something with a language model failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The card, its driver, or a compiled model.
    #[error(transparent)]
    Card(#[from] ax650::Error),
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file of the directory is not as it has to be.
    #[error("{}: {problem}", path.display())]
    Directory {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of sound is not as it has to be.
    #[cfg(feature = "speech")]
    #[error("{}: {problem}", path.display())]
    Sound {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A picture is not as it has to be.
    #[cfg(feature = "pictures")]
    #[error("{name}: {problem}")]
    Picture {
        /// What the picture is called.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Whoever listens wants no more.
    #[cfg(feature = "speech")]
    #[error("ended, as nobody listens any more")]
    Cancelled,
    /// An argument that does not do.
    #[error("{0}")]
    Invalid(String),
    /// The conversation has no room for more tokens.
    #[error("the context is full: {wanted} tokens, and the model has room for {context}")]
    ContextFull {
        /// Tokens that there would be.
        wanted: usize,
        /// Tokens that there can be.
        context: usize,
    },
    /// The chat template failed.
    #[error("chat template: {0}")]
    Template(String),
    /// The card's answer makes no sense.
    #[error("{0}")]
    Answer(String),
}

impl Error {
    /// Makes an error of a file that is not as it has to be.
    pub(crate) fn directory(path: &Path, problem: impl Into<String>) -> Self {
        Self::Directory {
            path: path.into(),
            problem: problem.into(),
        }
    }

    /// Makes an error of a file of sound that is not as it has to be.
    #[cfg(feature = "speech")]
    pub(crate) fn sound(path: &Path, problem: impl Into<String>) -> Self {
        Self::Sound {
            path: path.into(),
            problem: problem.into(),
        }
    }

    /// Makes an error of a file that cannot be read.
    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File {
            path: path.into(),
            source,
        }
    }
}

#[cfg(feature = "cli")]
impl From<Error> for ax650_command::failure::Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Card(error) => error.into(),
            Error::File { path, source } => Self::file(&path, &source),
            Error::Invalid(text) => Self::usage(text),
            Error::Answer(text) => Self::new(ax650_command::failure::CARD, text),
            other => Self::of(other.to_string()),
        }
    }
}
