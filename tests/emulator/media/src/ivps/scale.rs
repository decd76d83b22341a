// SPDX-License-Identifier: MIT OR Apache-2.0

//! Scaling and conversion of colours, by libswscale: bilinear, colours as BT.601 in studio range.

use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use ffmpeg_next::software::scaling::{Context, Flags};

use super::format::Format;
use super::image::Rect;
use super::pixels;
use crate::call::blobs::View;
use crate::call::errors::Fault;
use crate::memory::picture::{luma_of, with_neutral_colours};

/// `video` in another format and size.
pub fn convert(video: Video, format: Pixel, width: u32, height: u32) -> Result<Video, Fault> {
    let (from, w, h) = (video.format(), video.width(), video.height());
    if (from, w, h) == (format, width, height) {
        return Ok(video);
    }
    // The grey format is luma alone, of whatever range that is; in libswscale it is a full range of
    // its own.
    match (from, format) {
        (Pixel::GRAY8, Pixel::GRAY8) => (),
        (Pixel::GRAY8, _) => return convert(with_neutral_colours(&video)?, format, width, height),
        (_, Pixel::GRAY8) => return luma_of(&convert(video, Pixel::YUV420P, width, height)?),
        _ => (),
    }
    let exact = Flags::ACCURATE_RND | Flags::FULL_CHR_H_INT | Flags::FULL_CHR_H_INP;
    let context = Context::get(from, w, h, format, width, height, Flags::BILINEAR | exact);
    let mut out = Video::empty();
    context
        .map_err(|_| Fault::NotSupported)?
        .run(&video, &mut out)
        .map_err(|_| Fault::Codec)?;
    Ok(out)
}

/// Where in the target the picture goes: `AX_IVPS_ASPECT_RATIO_T`.
///
/// The notes give only its size (24).  Here it holds 0: mode, 4: colour 0xRRGGBB of the rest, 8:
/// horizontal and 12: vertical alignment (0 centre, 1 left or top, 2 right or bottom), 16: a
/// rectangle of four 16-bit numbers (x, y, width, height).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aspect {
    mode: Mode,
    background: u32,
    align: [u32; 2],
    rect: [i32; 4],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Fills the target.
    Stretch,
    /// As large as it fits with the proportions of the source.
    Keep,
    /// In the rectangle.
    Manual,
}

impl Aspect {
    /// Bytes of the structure.
    pub const SIZE: usize = 24;
    /// Fills the target.
    pub const STRETCH: Self = Self {
        mode: Mode::Stretch,
        background: 0,
        align: [0; 2],
        rect: [0; 4],
    };

    /// Reads the structure.
    pub fn parse(v: View) -> Result<Self, Fault> {
        let mode = match v.u32(0) {
            0 => Mode::Stretch,
            1 => Mode::Keep,
            2 => Mode::Manual,
            _ => return Err(Fault::IllegalParam),
        };
        let size = |at| i32::from(v.i16(at) as u16);
        Ok(Self {
            mode,
            background: v.u32(4),
            align: [v.u32(8), v.u32(12)],
            rect: [v.i16(16).into(), v.i16(18).into(), size(20), size(22)],
        })
    }

    /// The part of a target of the size of `all` that a picture of that width and height fills.
    fn place(&self, format: &Format, all: Rect, width: u32, height: u32) -> Result<Rect, Fault> {
        match self.mode {
            Mode::Stretch => Ok(all),
            Mode::Manual => Rect::inside(format, all, self.rect),
            Mode::Keep => {
                let (w, h) = (u64::from(width), u64::from(height));
                let (tw, th) = (u64::from(all.width), u64::from(all.height));
                let (fw, fh) = if tw * h <= th * w {
                    (tw, (tw * h / w).max(1))
                } else {
                    ((th * w / h).max(1), th)
                };
                let at = |all: u64, len: u64, align| match align {
                    0 => Ok((all - len) / 2),
                    1 => Ok(0),
                    2 => Ok(all - len),
                    _ => Err(Fault::IllegalParam),
                };
                let (x, y) = (at(tw, fw, self.align[0])?, at(th, fh, self.align[1])?);
                // All are sides of pictures, far below 2^31.
                Rect::inside(format, all, [x, y, fw, fh].map(|n| n as i32))
            }
        }
    }
}

/// `video` in another format and size, where `aspect` wants it.
pub fn fit(
    video: Video,
    format: &Format,
    size: (u32, u32),
    aspect: &Aspect,
) -> Result<Video, Fault> {
    let all = Rect::all(size.0, size.1);
    let place = aspect.place(format, all, video.width(), video.height())?;
    let video = convert(video, format.pixel, place.width, place.height)?;
    if place == all {
        return Ok(video);
    }
    let mut canvas = pixels::filled(format, size.0, size.1, aspect.background);
    pixels::paste(&mut canvas, place, &video, format)?;
    Ok(canvas)
}
