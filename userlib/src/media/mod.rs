// SPDX-License-Identifier: MIT OR Apache-2.0

//! Video and pictures: [`Decoder`], [`Encoder`], [`jpeg`], [`ImageProcessor`] and what they need [rpc 7].
//!
//! Pictures are NV12 everywhere: a plane of luma, then one of interleaved chroma at half size.  Only what models take is
//! BGR.  [`PictureRunner`] and [`Pipeline`] run models on pictures that stay on the card.

pub mod annexb;
mod bits;
mod decoder;
mod encoder;
mod encoder_config;
mod image;
mod inside;
pub mod jpeg;
mod letterbox;
mod level;
mod picture;
mod pipeline;
mod pool;
mod processor;
mod profile;
mod rate;
mod runner;
mod slice;
mod splitter;
pub mod sps;
mod structs;
mod venc_structs;
pub mod vui;
mod waiting;

pub use decoder::{Decoder, DecoderConfig, Frame, Received};
pub use encoder::{Encoder, Packet};
pub use encoder_config::{EncoderConfig, ENCODER_SIDES};
pub use image::{CardImage, Rect, FORMAT_BGR};
pub use letterbox::Letterbox;
pub use level::{Level, NoLevel};
pub use picture::PictureLayout;
pub use pipeline::{Inference, Pipeline, PipelineConfig};
pub use pool::{Block, Pool};
pub use processor::{ImageEngine, ImageProcessor, ImageStep};
pub use profile::Profile;
pub use rate::RateControl;
pub use runner::{PictureResult, PictureRunner, RunnerConfig};
pub use structs::{VdecChannel, VdecGroup, VdecStatus, VdecStream, VideoFrame};
pub use venc_structs::{
    VencAvbr, VencCbr, VencChannel, VencCvbr, VencFixQp, VencMjpegFixQp, VencMjpegRate, VencQpMap,
    VencQvbr, VencRateParam, VencStream, VencVbr,
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
    /// Returns the codec's number in the card's interface.
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
