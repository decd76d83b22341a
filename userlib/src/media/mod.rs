// SPDX-License-Identifier: MIT OR Apache-2.0

//! Video and pictures: [`Decoder`], [`Encoder`], [`jpeg`] and what they need (spec 7).
//!
//! Pictures are NV12 everywhere: a plane of luma, then one of interleaved chroma at half size.

pub mod annexb;
mod bits;
mod decoder;
mod encoder;
pub mod jpeg;
mod picture;
mod pool;
mod slice;
mod splitter;
pub mod sps;
mod structs;
pub mod vui;

pub use decoder::{Decoder, DecoderConfig, Frame, Received};
pub use encoder::{Encoder, EncoderConfig, Packet};
pub use picture::PictureLayout;
pub use pool::{Block, Pool};
pub use structs::{
    VdecChannel, VdecGroup, VdecStatus, VdecStream, VencChannel, VencStream, VideoFrame,
};

/// Number of NV12 in the card's interface.
pub const FORMAT_NV12: u32 = 3;

/// A codec of the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// H.264.
    H264,
    /// H.265.
    H265,
    /// JPEG.
    Jpeg,
}

impl Codec {
    /// Its number in the card's interface.
    pub fn number(self) -> u32 {
        match self {
            Self::H264 => 96,
            Self::H265 => 265,
            Self::Jpeg => 26,
        }
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
            Self::Jpeg => "JPEG",
        })
    }
}
