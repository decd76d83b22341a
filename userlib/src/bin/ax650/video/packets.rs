// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where encoded packets go.

use std::io::Write;
use std::path::Path;

use ax650::media::{Codec, Packet};

use super::mp4_write::Mp4Writer;
use super::FileKind;
use crate::args::VideoCodec;
use crate::failure::Failure;
use crate::output::Output;

/// A file for packets.
pub enum PacketFile {
    /// As they are.
    Raw(Output),
    /// In MP4.
    Mp4(Box<Mp4Writer<Output>>),
}

/// Returns the codec that a file is to have.
pub fn codec_for(path: &Path, wanted: Option<VideoCodec>) -> Result<Codec, Failure> {
    let wanted = wanted.map(Codec::from);
    let name = path.display();
    match FileKind::of(path) {
        Some(FileKind::Mp4) => Ok(wanted.unwrap_or(Codec::H264)),
        Some(FileKind::Stream(codec)) => match wanted {
            Some(other) if other != codec => Err(Failure::usage(format!(
                "{name}: the name says {codec}, but {other} is wanted"
            ))),
            _ => Ok(codec),
        },
        Some(FileKind::Jpeg) if wanted.is_none() => Ok(Codec::Jpeg),
        Some(FileKind::Jpeg) => Err(Failure::usage(format!(
            "{name}: a JPEG picture has no other codec"
        ))),
        None if path == Path::new("-") => Ok(wanted.unwrap_or(Codec::H264)),
        _ => Err(Failure::usage(format!(
            "{name}: give an .h264, .h265 or .mp4 file"
        ))),
    }
}

impl PacketFile {
    /// Begins a file; `timescale` is the number of ticks per second.
    pub fn create(
        path: &Path,
        codec: Codec,
        size: (u32, u32),
        timescale: u32,
        force: bool,
    ) -> Result<Self, Failure> {
        let mut output = Output::create(path, force)?;
        if FileKind::of(path) != Some(FileKind::Mp4) {
            return Ok(Self::Raw(output));
        }
        if !output.can_seek() {
            let path = path.display();
            return Err(Failure::usage(format!(
                "{path}: MP4 needs a file in which one can go back"
            )));
        }
        Mp4Writer::new(output, codec, size.0, size.1, timescale)
            .map(|writer| Self::Mp4(Box::new(writer)))
            .map_err(|error| Failure::file(path, &error))
    }

    /// Appends a packet that is shown at `time`, in ticks.
    pub fn write(&mut self, path: &Path, packet: &Packet, time: u64) -> Result<(), Failure> {
        match self {
            // A pipe is to have each packet at once.
            Self::Raw(output) => output
                .write_all(&packet.data)
                .and_then(|()| output.flush_pipe()),
            Self::Mp4(writer) => writer.write(&packet.data, time),
        }
        .map_err(|error| Failure::file(path, &error))
    }

    /// Returns the file, if it is MP4.
    pub fn mp4(&mut self) -> Option<&mut Mp4Writer<Output>> {
        match self {
            Self::Raw(_) => None,
            Self::Mp4(writer) => Some(writer),
        }
    }

    /// Completes the file.
    pub fn finish(self, path: &Path) -> Result<(), Failure> {
        match self {
            Self::Raw(output) => output.commit(),
            Self::Mp4(writer) => writer
                .finish()
                .map_err(|error| Failure::file(path, &error))?
                .commit(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_by_name() {
        let codec =
            |name: &str, wanted| codec_for(Path::new(name), wanted).map_err(|failure| failure.code);
        assert_eq!(codec("a.mp4", None), Ok(Codec::H264));
        assert_eq!(codec("a.mp4", Some(VideoCodec::H265)), Ok(Codec::H265));
        assert_eq!(codec("a.265", None), Ok(Codec::H265));
        assert_eq!(codec("a.JPG", None), Ok(Codec::Jpeg));
        assert_eq!(codec("a.h264", Some(VideoCodec::H265)), Err(2));
        assert_eq!(codec("a.avi", None), Err(2));
        assert_eq!(codec("-", Some(VideoCodec::H265)), Ok(Codec::H265));
    }
}
