// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where decoded pictures go.

use std::io::Write;
use std::path::Path;

use ax650::media::PictureLayout;
use md5::{Digest, Md5};

use super::look::{Keeps, Look};
use super::{pixels, y4m, FileKind};
use crate::args::{Decode, Pixels, Rate};
use crate::failure::Failure;
use crate::output::{refuse_existing, Output};

/// Writes pictures to a file, their checksums to standard output, or both.
pub struct PictureSink {
    file: Option<Output>,
    checksums: Option<Output>,
    has_headers: bool,
    pixels: Pixels,
    rate: Rate,
    look: Look,
    count: u64,
    size: (u32, u32),
    picture: Vec<u8>,
}

/// What the options ask for.
struct Wanted {
    has_headers: bool,
    pixels: Pixels,
}

fn wanted(options: &Decode) -> Result<Wanted, Failure> {
    let path = options.output.as_deref();
    let kind = path.and_then(FileKind::of);
    let name = path.unwrap_or(Path::new("")).display();
    let by_name = match kind {
        Some(FileKind::Yuv | FileKind::Y4m) => Pixels::Yuv420p,
        Some(FileKind::Nv12) => Pixels::Nv12,
        None => {
            // A name with another meaning may be meant so; one without any, and what is no file, takes raw pictures.
            let raw = path
                .and_then(Path::extension)
                .is_none_or(|extension| ["raw", "bin"].iter().any(|raw| extension == *raw));
            let special = path.is_some_and(|path| {
                std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file())
            });
            if !raw && !special && options.pixels.is_none() {
                return Err(Failure::usage(format!(
                    "{name}: pictures are written as .nv12, .yuv or .y4m; --pixels asks for raw ones by any name"
                )));
            }
            Pixels::Nv12
        }
        Some(_) => {
            return Err(Failure::usage(format!(
                "{name}: give a .nv12, .yuv or .y4m file"
            )));
        }
    };
    let has_headers = kind == Some(FileKind::Y4m) || options.y4m;
    if has_headers && options.pixels == Some(Pixels::Nv12) {
        return Err(Failure::usage("a .y4m file cannot have NV12 pictures"));
    }
    if options.md5 && path == Some(Path::new("-")) {
        return Err(Failure::usage(
            "standard output cannot take both pictures and checksums",
        ));
    }
    let by_name = if has_headers {
        Pixels::Yuv420p
    } else {
        by_name
    };
    Ok(Wanted {
        has_headers,
        pixels: options.pixels.unwrap_or(by_name),
    })
}

impl PictureSink {
    /// Checks whether the options go together and the file may be written.
    pub fn check(options: &Decode) -> Result<(), Failure> {
        wanted(options)?;
        match options.output.as_deref() {
            Some(path) if !options.force => refuse_existing(path),
            _ => Ok(()),
        }
    }

    /// Returns what the file keeps of the looks of pictures.
    pub fn keeps(options: &Decode) -> Keeps {
        let headers = wanted(options).is_ok_and(|wanted| wanted.has_headers);
        Keeps {
            aspect: headers,
            range: headers,
            // Whoever asks for raw samples knows what they are.
            colour: true,
            rotation: false,
        }
    }

    /// Returns what the options say.
    pub fn new(options: &Decode, rate: Rate, look: Look) -> Result<Self, Failure> {
        let wanted = wanted(options)?;
        let path = options.output.as_deref();
        let file = path.map(|path| Output::create(path, options.force));
        let checksums = options
            .md5
            .then(|| Output::create(Path::new("-"), options.force));
        Ok(Self {
            file: file.transpose()?,
            checksums: checksums.transpose()?,
            has_headers: wanted.has_headers,
            pixels: wanted.pixels,
            rate,
            look,
            count: 0,
            size: (0, 0),
            picture: Vec::new(),
        })
    }

    /// Takes a picture that lies in `bytes`.
    pub fn write(&mut self, layout: &PictureLayout, bytes: &[u8]) -> Result<(), Failure> {
        let size = (layout.width, layout.height);
        let before = std::mem::replace(&mut self.size, size);
        if self.has_headers && self.count > 0 && before != size {
            return Err(Failure::of(format!(
                "a .y4m file has pictures of one size only: picture {} is {}x{}, those ahead are {}x{}; \
                 .nv12, .yuv or --md5 take all",
                self.count, size.0, size.1, before.0, before.1
            )));
        }
        pixels::pack(layout, bytes, self.pixels, &mut self.picture);
        if self.checksums.is_some() {
            let mut lines = md5_line(self.count, &self.picture);
            lines.push('\n');
            if self.count == 0 {
                lines.insert_str(0, &self.md5_header(layout));
            }
            if let Some(file) = &mut self.checksums {
                // Line by line: who reads them may wait for them.
                let written = file.write_all(lines.as_bytes()).and_then(|()| file.flush());
                written.map_err(|error| file.failure(&error))?;
            }
        }
        if let Some(file) = &mut self.file {
            let header = match (self.has_headers, self.count) {
                (true, 0) => {
                    let (aspect, full_range) = (Some(self.look.aspect), self.look.full_range);
                    y4m::Header {
                        width: layout.width,
                        height: layout.height,
                        rate: Some(self.rate),
                        aspect,
                        full_range,
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
        self.checksums.map_or(Ok(()), Output::commit)?;
        self.file.map_or(Ok(()), Output::commit)
    }

    fn md5_header(&self, layout: &PictureLayout) -> String {
        format!(
            "#format: frame checksums\n#version: 2\n#hash: MD5\n#software: ax650-{}\n#tb 0: {}/{}\n\
             #media_type 0: video\n#codec_id 0: rawvideo\n#dimensions 0: {}x{}\n#sar 0: {}/{}\n\
             #stream#, dts,        pts, duration,     size, hash\n",
            env!("CARGO_PKG_VERSION"),
            self.rate.den,
            self.rate.num,
            layout.width,
            layout.height,
            self.look.aspect.0,
            self.look.aspect.1,
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
