// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ocr`

use std::path::PathBuf;

use clap::Args;

use super::look::share;

/// `ocr`
#[derive(Args, Debug)]
pub struct Ocr {
    /// .png or .jpg files; - for standard input
    #[arg(required = true, value_name = "PICTURE")]
    pub input: Vec<PathBuf>,
    /// Directory with the models det (where is text), rec (what does it say) and, if text may be upside down, cls, each
    /// .axmodel or .onnx, and keys.txt, the characters that rec knows, one a line
    #[arg(short, long, value_name = "DIR")]
    pub models: PathBuf,
    /// File for the results, a JSON object for each picture in a line of its own; - for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// Leave out lines that rec is less sure of
    #[arg(long, value_name = "SCORE", default_value_t = 0.5, value_parser = share)]
    pub threshold: f32,
    /// Write the picture with frames around the text: .png
    #[arg(long, value_name = "FILE")]
    pub draw: Option<PathBuf>,
    /// Write all that goes into the models and comes out of them to DIR, for comparison with another engine
    #[arg(long, value_name = "DIR")]
    pub tensors: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
    /// No progress and no summary
    #[arg(short, long)]
    pub quiet: bool,
}
