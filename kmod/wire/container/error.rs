// SPDX-License-Identifier: GPL-2.0

//! Why a container is not accepted.

use super::{
    CHUNK,
    HEADER_SIZE,
    MAGIC,
    MAX_RECORDS,
    VERSION, //
};

use core::fmt;

/// What is wrong with a container: names the field and the value found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerError {
    /// Shorter than a header.
    Truncated {
        /// Bytes there are.
        length: u64,
    },
    /// Not a container.
    Magic(u32),
    /// A format we do not know.
    Version(u32),
    /// The size in the header is not that of the file.
    Size {
        /// In the header.
        stated: u64,
        /// Length of the file.
        length: u64,
    },
    /// No or too many records.
    Count(u32),
    /// The record table is not between header and end.
    Table {
        /// Offset of the first record.
        offset: u32,
        /// Number of records.
        count: u32,
        /// Size of the container.
        size: u64,
    },
    /// Unknown integrity kind.
    Integrity(u32),
    /// A record is wrong.
    Record {
        /// Index of the record, from 0.
        index: u32,
        /// What is wrong with the record.
        error: RecordError,
    },
    /// The MD5 field is not 32 hexadecimal digits.
    Md5Text,
    /// Content does not have the MD5 of the header.
    Md5 {
        /// In the header.
        stated: [u8; 16],
        /// Digest of the content.
        computed: [u8; 16],
    },
    /// Content does not have the CRC-16 of the header.
    Crc16 {
        /// In the header.
        stated: u32,
        /// Digest of the content.
        computed: u16,
    },
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// The record has no image.
    Empty,
    /// Image begins in the header or the record table.
    Early {
        /// Offset of the image.
        offset: u64,
        /// First offset that images may have.
        first: u64,
    },
    /// Image ends behind the container.
    Beyond {
        /// Offset of the image.
        offset: u64,
        /// Size of the image.
        size: u64,
        /// Size of the container.
        container: u64,
    },
    /// Image shares bytes with that of an earlier record.
    Overlap(u32),
    /// Destination and size wrap around the end of the address space.
    Wraps {
        /// Address on the card.
        destination: u64,
        /// Size of the image.
        size: u64,
    },
    /// Would overwrite the image of an earlier record on the card.
    Collides(u32),
    /// Record 0 is started as soon as one chunk has been read, so it has to fit one.
    TooBigToStart {
        /// Size of the image.
        size: u64,
    },
}

/// Prints bytes as hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for ContainerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { length } => {
                write!(f, "{length} bytes are less than a header of {HEADER_SIZE}")
            }
            Self::Magic(magic) => write!(f, "magic 0x{magic:08x} is not 0x{MAGIC:08x}"),
            Self::Version(version) => {
                write!(f, "container version {version} is not {VERSION}")
            }
            Self::Size { stated, length } => {
                write!(
                    f,
                    "container size {stated} is not the {length} bytes there are"
                )
            }
            Self::Count(count) => write!(f, "record count {count} is not 1 to {MAX_RECORDS}"),
            Self::Table {
                offset,
                count,
                size,
            } => write!(
                f,
                "record offset {offset} with {count} records is outside of {HEADER_SIZE} to {size}"
            ),
            Self::Integrity(kind) => write!(f, "integrity kind {kind} is not 0, 1 or 2"),
            Self::Record { index, error } => write!(f, "record {index}: {error}"),
            Self::Md5Text => f.write_str("MD5 field is not 32 hexadecimal digits"),
            Self::Md5 { stated, computed } => write!(
                f,
                "MD5 {} is not the {} of the content",
                Hex(stated),
                Hex(computed)
            ),
            Self::Crc16 { stated, computed } => {
                write!(
                    f,
                    "CRC-16 0x{stated:04x} is not the 0x{computed:04x} of the content"
                )
            }
        }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("size 0"),
            Self::Early { offset, first } => {
                write!(
                    f,
                    "offset 0x{offset:x} is before the end of the records, 0x{first:x}"
                )
            }
            Self::Beyond {
                offset,
                size,
                container,
            } => write!(
                f,
                "offset 0x{offset:x} + size 0x{size:x} exceeds the container's 0x{container:x}"
            ),
            Self::Overlap(other) => write!(f, "image overlaps that of record {other}"),
            Self::Wraps { destination, size } => write!(
                f,
                "destination 0x{destination:x} + size 0x{size:x} exceeds 64 bits"
            ),
            Self::Collides(other) => write!(f, "destination overlaps that of record {other}"),
            Self::TooBigToStart { size } => {
                write!(f, "size 0x{size:x} of the first image exceeds 0x{CHUNK:x}")
            }
        }
    }
}
