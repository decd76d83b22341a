// SPDX-License-Identifier: MIT OR Apache-2.0

//! Profiles of H.264 and H.265: which of their tools a stream uses.

use std::fmt;

use super::Codec;
use crate::error::{Error, Result};

/// A profile of H.264 or H.265.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// H.264 without arithmetic coding, for the oldest decoders.
    Baseline,
    /// Main of H.264 or H.265.
    Main,
    /// High of H.264.
    High,
    /// High 10 of H.264: a decoder must be able to do 10 bits a sample; pictures of NV12 have 8 all the same.
    High10,
    /// Main 10 of H.265: a decoder must be able to do 10 bits a sample; pictures of NV12 have 8 all the same.
    Main10,
}

impl Profile {
    /// Returns the profile that gives the smallest streams.
    pub(crate) fn best(codec: Codec) -> Self {
        match codec {
            Codec::H264 => Self::High,
            _ => Self::Main,
        }
    }

    /// Returns the profile's number in the card's interface.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: the codec has no such profile.
    pub(crate) fn number(self, codec: Codec) -> Result<u32> {
        match (codec, self) {
            (Codec::H264, Self::Baseline) => Ok(9),
            (Codec::H264, Self::Main) => Ok(10),
            (Codec::H264, Self::High) => Ok(11),
            (Codec::H264, Self::High10) => Ok(12),
            (Codec::H265, Self::Main) => Ok(0),
            (Codec::H265, Self::Main10) => Ok(2),
            _ => Err(Error::invalid(format!("{codec} has no profile {self}"))),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Baseline => "Baseline",
            Self::Main => "Main",
            Self::High => "High",
            Self::High10 => "High 10",
            Self::Main10 => "Main 10",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_notes() {
        let number = |codec, profile: Profile| profile.number(codec).ok();
        assert_eq!(number(Codec::H264, Profile::Baseline), Some(9));
        assert_eq!(number(Codec::H264, Profile::Main), Some(10));
        assert_eq!(number(Codec::H264, Profile::High), Some(11));
        assert_eq!(number(Codec::H264, Profile::High10), Some(12));
        assert_eq!(number(Codec::H265, Profile::Main), Some(0));
        assert_eq!(number(Codec::H265, Profile::Main10), Some(2));
        for (codec, profile, words) in [
            (
                Codec::H265,
                Profile::Baseline,
                "H.265 has no profile Baseline",
            ),
            (Codec::Jpeg, Profile::Main, "JPEG has no profile Main"),
            (Codec::H264, Profile::Main10, "H.264 has no profile Main 10"),
        ] {
            let error = profile.number(codec).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
