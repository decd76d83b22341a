// SPDX-License-Identifier: MIT OR Apache-2.0

//! What can go wrong; every message is one line and names the field and its value.

use crate::format::{CHUNK, HEADER_SIZE, MAGIC, MAX_RECORDS, VERSION};
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is wrong, in the file of that name.
    #[error("{}: {source}", path.display())]
    Container {
        /// Which file.
        path: PathBuf,
        /// What is wrong in it.
        source: Box<Error>,
    },
    /// A container could not be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),

    /// Shorter than a header.
    #[error("{length} bytes are less than a header of {HEADER_SIZE}")]
    Truncated {
        /// Bytes there are.
        length: u64,
    },
    /// Not a container.
    #[error("magic 0x{0:08x} is not 0x{MAGIC:08x}: not a firmware container")]
    Magic(u32),
    /// A format we do not know.
    #[error("container version {0} is not {VERSION}")]
    Version(u32),
    /// The header gives another size than that of the file.
    #[error("container size {stated} is not the {length} bytes of the file")]
    Size {
        /// In the header.
        stated: u64,
        /// Of the file.
        length: u64,
    },
    /// No or too many records.
    #[error("record count {0} is not 1 to {MAX_RECORDS}")]
    Count(u32),
    /// The record table is not between header and end.
    #[error("record offset {offset} with {count} records is outside of {HEADER_SIZE} to {size}")]
    Table {
        /// Offset of the first record.
        offset: u32,
        /// Number of records.
        count: u32,
        /// Size of the file.
        size: u64,
    },
    /// Unknown integrity kind.
    #[error("integrity kind {0} is not 0 (none), 1 (MD5) or 2 (CRC-16)")]
    IntegrityKind(u32),
    /// A record is wrong.
    #[error("record {index} ({id}): {fault}")]
    Record {
        /// Which, from 0.
        index: usize,
        /// Its id.
        id: String,
        /// What is wrong with it.
        fault: RecordFault,
    },
    /// The MD5 field is not 32 hexadecimal digits.
    #[error("MD5 field \"{0}\" is not 32 hexadecimal digits")]
    Md5Text(String),
    /// Content and digest differ.
    #[error("{kind} {stated} is not the {computed} of the content: the file is damaged")]
    Digest {
        /// MD5 or CRC-16.
        kind: &'static str,
        /// In the header.
        stated: String,
        /// Of the content.
        computed: String,
    },

    /// A text does not fit its field.
    #[error("{field} \"{text}\" is longer than {limit} bytes")]
    TextTooLong {
        /// Which field.
        field: &'static str,
        /// The text.
        text: String,
        /// Room there is.
        limit: usize,
    },
    /// A text has a character that has no place in the format.
    #[error("{field} \"{text}\" has a character that is not one of Latin-1, or a NUL")]
    TextCharacter {
        /// Which field.
        field: &'static str,
        /// The text.
        text: String,
    },
    /// The manifest cannot be understood.
    #[error("{}: {message}", path.display())]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// Line and reason.
        message: String,
    },
    /// An image was not as long as it was when packing began.
    #[error("{name} changed while it was packed: {read} bytes instead of {expected}")]
    Changed {
        /// Which image.
        name: String,
        /// Bytes read.
        read: u64,
        /// Bytes expected.
        expected: u64,
    },
    /// A file is in the way.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),

    /// No firmware is installed.
    #[error("no firmware installed: none of {}", list(.0))]
    NotInstalled(Vec<PathBuf>),
}

/// The same line as [`fmt::Display`]: it is what users see of a program whose `main` returns the error.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// Names the file, if the message does not yet.
    pub fn within(self, path: &Path) -> Self {
        match self {
            Error::File { .. } | Error::Container { .. } => self,
            other => Error::Container {
                path: path.into(),
                source: Box::new(other),
            },
        }
    }
}

/// What is wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// No image.
    #[error("size 0")]
    Empty,
    /// Image begins in the header or the record table.
    #[error("offset 0x{offset:x} is before the end of the records, 0x{first:x}")]
    Early {
        /// Where it begins.
        offset: u64,
        /// Where images may begin.
        first: u64,
    },
    /// Image ends behind the container.
    #[error("offset 0x{offset:x} + size 0x{size:x} exceeds the container's 0x{container:x}")]
    Beyond {
        /// Where it begins.
        offset: u64,
        /// Its size.
        size: u64,
        /// Size of the container.
        container: u64,
    },
    /// Shares bytes of the file with another image.
    #[error("image overlaps that of record {0}")]
    Overlap(usize),
    /// Destination and size exceed the address space.
    #[error("destination 0x{destination:x} + size 0x{size:x} exceeds 64 bits")]
    Wraps {
        /// Address on the card.
        destination: u64,
        /// Size of the image.
        size: u64,
    },
    /// Shares card memory with another image.
    #[error("destination overlaps that of record {0}")]
    Collides(usize),
    /// The first image has to fit one chunk.
    #[error("size 0x{0:x} of the first image exceeds 0x{CHUNK:x}")]
    TooBigToStart(u64),
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|p| p.display().to_string()).collect();
    paths.join(", ")
}

/// Adds the name of the file to an I/O error.
pub(crate) fn in_file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
    let path = path.into();
    move |source| Error::File { path, source }
}
