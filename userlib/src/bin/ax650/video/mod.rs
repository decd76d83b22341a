// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files with videos and pictures.

pub mod clip;
#[cfg(test)]
pub mod ffmpeg_tests;
pub mod input;
pub mod look;
#[cfg(test)]
mod matrix_tests;
pub mod mp4;
pub mod mp4_write;
#[cfg(test)]
mod odd_files_tests;
#[cfg(test)]
mod own_files_tests;
pub mod packets;
pub mod pictures_in;
pub mod pictures_out;
pub mod pixels;
pub mod sniff;
pub mod y4m;

use std::path::Path;

use ax650::media::Codec;

use crate::args::VideoCodec;

/// Kinds of files, by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// MP4.
    Mp4,
    /// An elementary stream.
    Stream(Codec),
    /// A JPEG picture.
    Jpeg,
    /// Raw NV12 pictures.
    Nv12,
    /// Raw planar pictures.
    Yuv,
    /// Planar pictures with a header.
    Y4m,
}

impl FileKind {
    /// Returns the kind by the extension; `None` if it is none of these.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "mp4" | "m4v" | "mov" | "qt" | "3gp" | "3g2" | "f4v" | "m4s" | "cmfv" => Self::Mp4,
            "h264" | "264" | "avc" => Self::Stream(Codec::H264),
            "h265" | "265" | "hevc" => Self::Stream(Codec::H265),
            "jpg" | "jpeg" => Self::Jpeg,
            "nv12" => Self::Nv12,
            "yuv" => Self::Yuv,
            "y4m" => Self::Y4m,
            _ => return None,
        })
    }
}

impl From<VideoCodec> for Codec {
    fn from(codec: VideoCodec) -> Self {
        match codec {
            VideoCodec::H264 => Self::H264,
            VideoCodec::H265 => Self::H265,
        }
    }
}
