// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files of pictures that are to be encoded.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use ax650::media::PictureLayout;

use super::input::Input;
use super::look::Look;
use super::{pixels, sniff, y4m, FileKind};
use crate::args::{Pixels, Rate};
use crate::failure::Failure;
use crate::interrupt;

fn read_failure(path: &Path, error: &io::Error) -> Failure {
    interrupt::check()
        .err()
        .unwrap_or_else(|| Failure::file(path, error))
}

/// Reads pictures one after the other.
pub struct PictureReader {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Pictures per second, if the file tells.
    pub rate: Option<Rate>,
    /// How many there are, if that can be known.
    pub count: Option<u64>,
    /// What they are like.
    pub look: Look,
    path: PathBuf,
    file: BufReader<Input>,
    pixels: Pixels,
    has_headers: bool,
    picture: Vec<u8>,
}

impl PictureReader {
    /// Opens a file; `size` and `pixels` are needed where neither name nor contents tell.
    pub fn open(
        path: &Path,
        size: Option<(u32, u32)>,
        pixels: Option<Pixels>,
    ) -> Result<Self, Failure> {
        let failed = |error: io::Error| read_failure(path, &error);
        let name = path.display();
        let mut file = Input::open(path)?;
        let length = file.length;
        let found = sniff::sniff(file.peek().map_err(failed)?);
        let kind = match FileKind::of(path) {
            None if found == sniff::Found::Known(FileKind::Y4m) => Some(FileKind::Y4m),
            kind => kind,
        };
        let mut file = BufReader::with_capacity(1 << 20, file);
        let header = match kind {
            Some(FileKind::Y4m) => Some(y4m::Header::read(&mut file).map_err(failed)?),
            _ => None,
        };
        let by_name = match kind {
            Some(FileKind::Nv12) => Some(Pixels::Nv12),
            Some(FileKind::Yuv | FileKind::Y4m) => Some(Pixels::Yuv420p),
            _ => None,
        };
        let Some(pixels) = pixels.filter(|_| header.is_none()).or(by_name) else {
            return Err(Failure::usage(format!(
                "{name}: give a .nv12, .yuv or .y4m file, or --pixels"
            )));
        };
        if let (Some(header), Some((width, height))) = (&header, size) {
            if (header.width, header.height) != (width, height) {
                return Err(Failure::usage(format!(
                    "{name}: its pictures are {}x{}, not {width}x{height}",
                    header.width, header.height
                )));
            }
        }
        let Some((width, height)) = header.map(|header| (header.width, header.height)).or(size)
        else {
            return Err(Failure::usage(format!(
                "{name}: its pictures' size is not known, give --size"
            )));
        };
        let one = pixels::packed_size(width, height) as u64;
        let length = length.filter(|_| header.is_none());
        if let Some(length) = length.filter(|length| *length == 0 || length % one != 0) {
            return Err(Failure::of(format!(
                "{name}: {length} bytes are no whole number of pictures of {width}x{height}"
            )));
        }
        let count = length.map(|length| length / one);
        Ok(Self {
            width,
            height,
            rate: header.and_then(|header| header.rate),
            count,
            look: Look {
                aspect: header.and_then(|header| header.aspect).unwrap_or((1, 1)),
                full_range: header.is_some_and(|header| header.full_range),
                ..Default::default()
            },
            path: path.into(),
            file,
            pixels,
            has_headers: header.is_some(),
            picture: vec![0; one as usize],
        })
    }

    /// Reads the next picture into `bytes`, which is of `layout`; false at the end of the file.
    pub fn read(&mut self, layout: &PictureLayout, bytes: &mut [u8]) -> Result<bool, Failure> {
        let there = self
            .fill()
            .map_err(|error| read_failure(&self.path, &error))?;
        if there {
            pixels::unpack(layout, &self.picture, self.pixels, bytes);
        }
        Ok(there)
    }

    /// Returns the file.
    pub fn input(&self) -> &Input {
        self.file.get_ref()
    }

    fn fill(&mut self) -> io::Result<bool> {
        if self.has_headers {
            if !y4m::read_frame_line(&mut self.file)? {
                return Ok(false);
            }
        } else if self.file.fill_buf()?.is_empty() {
            return Ok(false);
        }
        match self.file.read_exact(&mut self.picture) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(io::Error::other("the last picture is cut short"))
            }
            result => result.map(|()| true),
        }
    }
}
