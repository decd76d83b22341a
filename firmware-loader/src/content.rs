// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is to be packed.

use crate::{error::in_file, FixedText, ManifestIntegrity, Result};
use std::{
    fs::File,
    io::{BufReader, Read},
    path::PathBuf,
};

/// Where the bytes of an image come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Bytes that look like noise and are the same each time for the same seed and size.
    Noise {
        /// Makes one noise differ from another.
        seed: u64,
        /// How many.
        size: u64,
    },
}

/// One record to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Name of the record.
    pub id: FixedText<32>,
    /// Type of the record.
    pub kind: FixedText<32>,
    /// File name to note in the record.
    pub name: FixedText<256>,
    /// Address on the card.
    pub destination: u64,
    /// See [`crate::Record::block_size`].
    pub block_size: u64,
    /// See [`crate::Record::partition`].
    pub partition: FixedText<72>,
    /// See [`crate::Record::flags`].
    pub flags: u32,
    /// See [`crate::Record::select`].
    pub select: u32,
    /// Where the image's bytes come from.
    pub source: Source,
}

/// All that makes a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// What it is for.
    pub product: FixedText<32>,
    /// Version of the firmware.
    pub version: FixedText<32>,
    /// Digest to make.
    pub integrity: ManifestIntegrity,
    /// The images, in the order in which the card is to take them.
    pub images: Vec<Image>,
}

impl Source {
    /// Bytes there are, now.
    pub(crate) fn size(&self) -> Result<u64> {
        match self {
            Self::File(path) => Ok(path.metadata().map_err(in_file(path))?.len()),
            Self::Noise { size, .. } => Ok(*size),
        }
    }

    pub(crate) fn open(&self) -> Result<Box<dyn Read>> {
        Ok(match self {
            Self::File(path) => Box::new(BufReader::new(File::open(path).map_err(in_file(path))?)),
            &Self::Noise { seed, size } => Box::new(Noise::new(seed).take(size)),
        })
    }
}

/// SplitMix64, eight bytes at a time.
struct Noise {
    state: u64,
    word: [u8; 8],
    /// How many bytes of the word have been read.
    used: usize,
}

impl Noise {
    fn new(seed: u64) -> Self {
        Self {
            state: seed,
            word: [0; 8],
            used: 8,
        }
    }

    fn next(&mut self) -> [u8; 8] {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (word ^ (word >> 31)).to_le_bytes()
    }
}

impl Read for Noise {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let rest = self.word.len() - self.used;
        let (first, whole) = out.split_at_mut(rest.min(out.len()));
        first.copy_from_slice(&self.word[self.used..][..first.len()]);
        self.used += first.len();
        // The containers of an emulated card have 155 MB of this.
        let mut words = whole.chunks_exact_mut(8);
        for word in &mut words {
            word.copy_from_slice(&self.next());
        }
        let last = words.into_remainder();
        if !last.is_empty() {
            self.word = self.next();
            self.used = last.len();
            last.copy_from_slice(&self.word[..self.used]);
        }
        Ok(out.len())
    }
}
