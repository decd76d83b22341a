// SPDX-License-Identifier: MIT OR Apache-2.0

//! Firmware containers (`.pac`) of AX650N cards: reading, checking, packing, and asking the kernel to
//! boot a card with the installed one.
//!
//! A container is a header, a table of records, and the images the records describe. The card's
//! loader takes the images in the order of the table, each to its address, and starts the first as
//! soon as it has it.
//!
//! ```
//! use ax650_firmware::{pack, Container, Sample};
//!
//! let mut file = std::io::Cursor::new(Vec::new());
//! pack(&Sample::Small.content(), &mut file, &mut |_, _| {}).unwrap();
//!
//! let container = Container::read(&mut file).unwrap();
//! assert_eq!(container.header.product.to_string(), "AX650_card");
//! assert_eq!(container.records[0].id.to_string(), "UBOOT");
//! container.verify(&mut file, &mut |_, _| {}).unwrap();
//! ```
//!
//! Nothing in a container is trusted: [`Container::read`] refuses what the kernel module would
//! refuse, with a message that names the field and its value. Files are read in pieces, never whole.

mod check;
mod container;
mod content;
mod digest;
mod error;
mod extract;
#[cfg(feature = "cli")]
mod failure;
mod format;
mod installed;
mod manifest;
mod output;
mod pack;
mod sample;

pub use container::{Container, Report};
pub use content::{Content, Image, Source};
pub use error::{Error, RecordFault, Result};
pub use extract::extract;
pub use format::{
    FixedText, Header, Integrity, Record, CHUNK, HEADER_SIZE, MAX_RECORDS, RECORD_SIZE,
};
pub use installed::{Installed, FIRMWARE_NAME};
pub use manifest::{Manifest, ManifestIntegrity, ManifestRecord, MANIFEST_NAME};
pub use output::{write_atomically, write_file};
pub use pack::pack;
pub use sample::Sample;

/// Called with bytes done and bytes in all, during long work.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);
