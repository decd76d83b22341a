// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where decoded pictures go.

use std::io::Write;
use std::path::Path;

use ax650::media::PictureLayout;
use md5::{Digest, Md5};

use super::{pixels, y4m, FileKind};
use crate::args::{Decode, Pixels, Rate};
use crate::failure::Failure;
use crate::output::Output;

/// Writes pictures to a file, their checksums to standard output, or both.
pub struct PictureSink {
    file: Option<Output>,
    has_headers: bool,
    with_md5: bool,
    pixels: Pixels,
    rate: Rate,
    count: u64,
    picture: Vec<u8>,
}

impl PictureSink {
    /// What the options say.
    pub fn new(options: &Decode, rate: Rate) -> Result<Self, Failure> {
        let path = options.output.as_deref();
        let kind = path.and_then(FileKind::of);
        let by_name = match kind {
            Some(FileKind::Yuv | FileKind::Y4m) => Pixels::Yuv420p,
            Some(FileKind::Nv12) | None => Pixels::Nv12,
            Some(_) => {
                let name = path.unwrap_or(Path::new("")).display();
                return Err(Failure::usage(format!(
                    "{name}: give a .nv12, .yuv or .y4m file"
                )));
            }
        };
        let has_headers = kind == Some(FileKind::Y4m);
        if has_headers && options.pixels == Some(Pixels::Nv12) {
            return Err(Failure::usage("a .y4m file cannot have NV12 pictures"));
        }
        if options.md5 && path == Some(Path::new("-")) {
            return Err(Failure::usage(
                "standard output cannot take both pictures and checksums",
            ));
        }
        Ok(Self {
            file: path.map(Output::create).transpose()?,
            has_headers,
            with_md5: options.md5,
            pixels: options.pixels.unwrap_or(by_name),
            rate,
            count: 0,
            picture: Vec::new(),
        })
    }

    /// Takes a picture that lies in `bytes`.
    pub fn write(&mut self, layout: &PictureLayout, bytes: &[u8]) -> Result<(), Failure> {
        pixels::pack(layout, bytes, self.pixels, &mut self.picture);
        if self.with_md5 {
            if self.count == 0 {
                print!("{}", self.md5_header(layout));
            }
            println!("{}", md5_line(self.count, &self.picture));
        }
        if let Some(file) = &mut self.file {
            let (width, height, rate) = (layout.width, layout.height, Some(self.rate));
            let header = match (self.has_headers, self.count) {
                (true, 0) => {
                    y4m::Header {
                        width,
                        height,
                        rate,
                    }
                    .line()
                        + "FRAME\n"
                }
                (true, _) => "FRAME\n".into(),
                (false, _) => String::new(),
            };
            let written = file
                .write_all(header.as_bytes())
                .and_then(|()| file.write_all(&self.picture));
            written.map_err(|error| file.failure(&error))?;
        }
        self.count += 1;
        Ok(())
    }

    /// Completes the file.
    pub fn finish(self) -> Result<(), Failure> {
        self.file.map_or(Ok(()), Output::commit)
    }

    fn md5_header(&self, layout: &PictureLayout) -> String {
        format!(
            "#format: frame checksums\n#version: 2\n#hash: MD5\n#software: ax650-{}\n#tb 0: {}/{}\n\
             #media_type 0: video\n#codec_id 0: rawvideo\n#dimensions 0: {}x{}\n#sar 0: 1/1\n\
             #stream#, dts,        pts, duration,     size, hash\n",
            env!("CARGO_PKG_VERSION"),
            self.rate.den,
            self.rate.num,
            layout.width,
            layout.height,
        )
    }
}

fn md5_line(index: u64, picture: &[u8]) -> String {
    let hash: Vec<_> = Md5::digest(picture)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let hash = hash.concat();
    format!(
        "0, {index:10}, {index:10}, {:8}, {:8}, {hash}",
        1,
        picture.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_like_those_of_ffmpeg() {
        assert_eq!(
            md5_line(12, b"abc"),
            "0,         12,         12,        1,        3, 900150983cd24fb0d6963f7d28e17f72"
        );
    }
}
