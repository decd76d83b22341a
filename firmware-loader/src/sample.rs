// SPDX-License-Identifier: MIT OR Apache-2.0

//! Containers without real firmware in them, for the emulated card and for tests. Real firmware
//! cannot be given away; an emulated card only has to receive the bytes.

use crate::{manifest::DEFAULT, Content, Image, ManifestIntegrity, Source};

/// How large the images are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// A few MiB, with an image of several chunks: boots fast.
    Small,
    /// As large as those of real firmware, 155 MB.
    Real,
}

impl Sample {
    fn sizes(self) -> [u64; DEFAULT.len()] {
        match self {
            Self::Small => [200_001, 40_000, 7_000, 1_000_003, 7 << 20],
            Self::Real => [1_069_223, 192_178, 28_736, 20_285_448, 134_217_728],
        }
    }

    /// Returns what to pack.
    ///
    /// # Panics
    ///
    /// Never: the texts are short enough.
    pub fn content(self) -> Content {
        let version = match self {
            Self::Small => "V0.1.0-sample-small",
            Self::Real => "V0.1.0-sample-real",
        };
        let images = DEFAULT.iter().zip(self.sizes()).zip(1..);
        let images = images.map(|((record, size), seed)| Image {
            source: Source::Noise { seed, size },
            ..record.image("").expect("short texts")
        });
        Content {
            product: crate::FixedText::new("product", "AX650_card").expect("short"),
            version: crate::FixedText::new("version", version).expect("short"),
            integrity: ManifestIntegrity::Md5,
            images: images.collect(),
        }
    }
}
