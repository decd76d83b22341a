// SPDX-License-Identifier: MIT OR Apache-2.0

//! `bench` with channels that work at once.

use std::path::PathBuf;

use clap::{value_parser, ArgGroup, Args};

use super::{seconds, size};

/// Channels that work at once, and what they do.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("kinds").args(["decode", "encode", "infer"]).multiple(true))]
pub struct Many {
    /// Instead of times: let N decoders work at once, with what --encode and --infer say beside them.  They are shared out over
    /// the cards: all, or those of --device, which may be repeated.  Each must give what one alone gives
    #[arg(
        long, value_name = "N", value_parser = value_parser!(u16).range(1..=256),
        conflicts_with_all = ["calls", "sizes", "volume", "streams", "model"]
    )]
    pub decode: Option<u16>,
    /// Let N encoders work at once
    #[arg(
        long, value_name = "N", value_parser = value_parser!(u16).range(1..=256),
        conflicts_with_all = ["calls", "sizes", "volume", "streams", "model"]
    )]
    pub encode: Option<u16>,
    /// Let N threads run a model at once
    #[arg(
        long, value_name = "N", value_parser = value_parser!(u16).range(1..=256), requires = "infer_model",
        conflicts_with_all = ["calls", "sizes", "volume", "streams", "model"]
    )]
    pub infer: Option<u16>,
    /// The model of --infer
    #[arg(long, value_name = "FILE", requires = "infer")]
    pub infer_model: Option<PathBuf>,
    /// What is decoded, .mp4, .mov, .h264 or .h265, its first 300 pictures (default: what an encoder makes)
    #[arg(long, value_name = "FILE", requires = "decode")]
    pub clip: Option<PathBuf>,
    /// Size of the pictures that are made up and encoded
    #[arg(long, value_name = "WxH", value_parser = size, default_value = "640x360", requires = "kinds")]
    pub size: (u32, u32),
    /// How long channels work; each ends what it has begun
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds, requires = "kinds")]
    pub seconds: f64,
    /// Stop each channel after N pictures or inferences, or a few more, instead
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        conflicts_with = "seconds",
        requires = "kinds"
    )]
    pub frames: Option<u64>,
}

impl Many {
    /// Tells whether channels are asked for at all.
    pub fn is_wanted(&self) -> bool {
        [self.decode, self.encode, self.infer]
            .iter()
            .any(Option::is_some)
    }
}
