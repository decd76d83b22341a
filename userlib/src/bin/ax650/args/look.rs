// SPDX-License-Identifier: MIT OR Apache-2.0

//! `detect`, `classify` and `embed`

use std::path::PathBuf;

use clap::Args;

use super::{rate, Rate};

/// What is looked at, with what, and where the results go.
#[derive(Args, Debug)]
pub struct Look {
    /// .mp4, .mov, .h264, .h265 or .jpg files, looked at side by side; - for standard input
    #[arg(required = true, value_name = "INPUT")]
    pub input: Vec<PathBuf>,
    /// Model with one input, of uint8, 1 x rows x columns x 3, blue first
    #[arg(short, long, value_name = "FILE")]
    pub model: PathBuf,
    /// File for the results, a JSON object for each picture in a line of its own; - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// Fill the model's input instead of keeping the proportions of pictures
    #[arg(long)]
    pub stretch: bool,
    /// Pictures per second (default: what the file says, else 25)
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub fps: Option<Rate>,
    /// Stop after N pictures of each input
    #[arg(short = 'n', long, value_name = "N")]
    pub frames: Option<u64>,
    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
    /// No progress and no summary
    #[arg(short, long)]
    pub quiet: bool,
}

/// `detect`
#[derive(Args, Debug)]
pub struct Detect {
    /// Pictures and model; the model is of the family of YOLOv8: one output, 1 x (4 + classes) x places
    #[command(flatten)]
    pub look: Look,
    /// Names of the classes, one a line
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Leave out what the model is less sure of
    #[arg(long, value_name = "SCORE", default_value_t = 0.25, value_parser = share)]
    pub threshold: f32,
    /// Leave out the less sure of two boxes of a class that have more than this share in common
    #[arg(long, value_name = "SHARE", default_value_t = 0.45, value_parser = share)]
    pub nms: f32,
    /// Write the pictures with the boxes drawn in: .png (one picture), .mp4, .h264 or .h265.  For that, and only then,
    /// pictures cross the link
    #[arg(long, value_name = "FILE")]
    pub draw: Option<PathBuf>,
}

/// `classify`
#[derive(Args, Debug)]
pub struct Classify {
    /// Pictures and model; the model's first output is a score for each class
    #[command(flatten)]
    pub look: Look,
    /// Names of the classes, one a line
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Tell the N best classes
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub top: usize,
    /// Turn scores into probabilities, for models that do not do that themselves
    #[arg(long)]
    pub softmax: bool,
}

/// `embed`
#[derive(Args, Debug)]
pub struct Embed {
    /// Pictures and model; the model's first output is the vector
    #[command(flatten)]
    pub look: Look,
    /// Leave vectors as they are; else they have the length 1
    #[arg(long)]
    pub raw: bool,
}

/// Reads a number from 0 to 1.
pub fn share(text: &str) -> Result<f32, String> {
    let parsed = text
        .parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    parsed.ok_or_else(|| "give a number from 0 to 1".into())
}
