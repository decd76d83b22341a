// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures between libavcodec and card memory.

use ax650_emu_api::Dram;
use ffmpeg_next as ffmpeg;

use ffmpeg::format::Pixel;
use ffmpeg::frame::Video;
use ffmpeg::software::scaling::{Context, Flags};

use crate::call::errors::Fault;
use crate::memory::frame::Nv12;

/// Converts and scales; keeps its tables for the next picture of the same kind.
#[derive(Default)]
pub struct Scaler {
    context: Option<Context>,
}

impl Scaler {
    /// `source` as NV12 in the given size.
    fn scale(&mut self, source: &Video, width: u32, height: u32) -> Result<Video, Fault> {
        let (format, w, h) = (source.format(), source.width(), source.height());
        let fits = |c: &Context| {
            let (i, o) = (c.input(), c.output());
            (i.format, i.width, i.height, o.width, o.height) == (format, w, h, width, height)
        };
        if !self.context.as_ref().is_some_and(fits) {
            let context = Context::get(format, w, h, Pixel::NV12, width, height, Flags::BICUBIC);
            self.context = Some(context.map_err(|_| Fault::NotSupported)?);
        }
        let context = self.context.as_mut().ok_or(Fault::NotSupported)?;
        let mut out = Video::empty();
        context.run(source, &mut out).map_err(|_| Fault::Codec)?;
        Ok(out)
    }
}

/// The formats with full-range names as the ones without: the card leaves the range as it is,
/// while libswscale would convert it.
fn plain(format: Pixel) -> Pixel {
    match format {
        Pixel::YUVJ420P => Pixel::YUV420P,
        Pixel::YUVJ422P => Pixel::YUV422P,
        Pixel::YUVJ444P => Pixel::YUV444P,
        Pixel::YUVJ440P => Pixel::YUV440P,
        Pixel::YUVJ411P => Pixel::YUV411P,
        other => other,
    }
}

/// Whether pictures of this format are luma alone.
fn is_grey(format: Pixel) -> bool {
    matches!(
        format,
        Pixel::GRAY8 | Pixel::GRAY10LE | Pixel::GRAY12LE | Pixel::GRAY14LE | Pixel::GRAY16LE
    )
}

/// A picture of luma alone as 4:2:0 without colour, its samples as they are: libswscale takes it for
/// one of the full range and would convert that.
pub fn with_neutral_colours(grey: &Video) -> Result<Video, Fault> {
    let (width, height) = (grey.width(), grey.height());
    let narrowed;
    let grey = if grey.format() == Pixel::GRAY8 {
        grey
    } else {
        narrowed = sized(grey, Pixel::GRAY8)?;
        &narrowed
    };
    let mut video = Video::new(Pixel::YUV420P, width, height);
    copy_luma(grey, &mut video)?;
    for plane in 1..3 {
        video.data_mut(plane).fill(128);
    }
    Ok(video)
}

/// The luma of a picture with planes, as a picture of luma alone.
pub fn luma_of(video: &Video) -> Result<Video, Fault> {
    let mut grey = Video::new(Pixel::GRAY8, video.width(), video.height());
    copy_luma(video, &mut grey)?;
    Ok(grey)
}

fn copy_luma(from: &Video, to: &mut Video) -> Result<(), Fault> {
    let stride = to.stride(0);
    for row in 0..to.height() as usize {
        let line = part(from, 0, row, 0, to.width() as usize)?;
        let start = row * stride;
        let room = to.data_mut(0).get_mut(start..start + line.len());
        room.ok_or(Fault::Codec)?.copy_from_slice(line);
    }
    Ok(())
}

/// A picture in another format.
fn sized(video: &Video, format: Pixel) -> Result<Video, Fault> {
    let (width, height) = (video.width(), video.height());
    let context = Context::get(
        video.format(),
        width,
        height,
        format,
        width,
        height,
        Flags::BICUBIC,
    );
    let mut out = Video::empty();
    context
        .map_err(|_| Fault::NotSupported)?
        .run(video, &mut out)
        .map_err(|_| Fault::Codec)?;
    Ok(out)
}

/// Writes a decoded picture to card memory: scaled to the size of `target` if `scale`, else the
/// part of that size at `offset` (even numbers).
pub fn to_card(
    dram: &Dram,
    frame: &mut Video,
    scale: bool,
    offset: (u32, u32),
    target: &Nv12,
    scaler: &mut Scaler,
) -> Result<(), Fault> {
    if is_grey(frame.format()) {
        *frame = with_neutral_colours(frame)?;
    }
    frame.set_format(plain(frame.format()));
    let size = if scale {
        (target.width, target.height)
    } else {
        (frame.width(), frame.height())
    };
    let as_is = matches!(frame.format(), Pixel::YUV420P | Pixel::NV12)
        && size == (frame.width(), frame.height());
    let scaled;
    let frame = if as_is {
        frame
    } else {
        scaled = scaler.scale(frame, size.0, size.1)?;
        &scaled
    };
    let inside = |at: u32, len: u32, all: u32| at.checked_add(len).is_some_and(|end| end <= all);
    if !inside(offset.0, target.width, size.0) || !inside(offset.1, target.height, size.1) {
        return Err(Fault::IllegalParam);
    }
    let (x, y) = (offset.0 as usize, offset.1 as usize);
    let width = target.width as usize;
    let put = |base: u64, row: usize, bytes: &[u8]| {
        let at = base + u64::from(target.stride) * row as u64;
        dram.write(at, bytes).map_err(|_| Fault::BadAddress)
    };
    for row in 0..target.height as usize {
        put(target.luma, row, part(frame, 0, y + row, x, width)?)?;
    }
    let pairs = width.div_ceil(2);
    let mut mixed = vec![0; 2 * pairs];
    for row in 0..target.chroma_rows() as usize {
        let from = y / 2 + row;
        if frame.format() == Pixel::NV12 {
            put(target.chroma, row, part(frame, 1, from, x, 2 * pairs)?)?;
            continue;
        }
        let u = part(frame, 1, from, x / 2, pairs)?;
        let v = part(frame, 2, from, x / 2, pairs)?;
        for (pair, (u, v)) in mixed.chunks_exact_mut(2).zip(u.iter().zip(v)) {
            pair[0] = *u;
            pair[1] = *v;
        }
        put(target.chroma, row, &mixed)?;
    }
    Ok(())
}

/// `len` bytes of a row of a plane.
fn part(frame: &Video, plane: usize, row: usize, at: usize, len: usize) -> Result<&[u8], Fault> {
    let start = row * frame.stride(plane) + at;
    frame
        .data(plane)
        .get(start..start + len)
        .ok_or(Fault::Codec)
}

/// Reads a picture from card memory into a frame of libavcodec, as NV12 or as YUV 4:2:0 in three
/// planes; at most the part at `offset` (even numbers) with the size of the frame.
pub fn from_card(
    dram: &Dram,
    source: &Nv12,
    offset: (u32, u32),
    size: (u32, u32),
    format: Pixel,
) -> Result<Video, Fault> {
    let mut frame = Video::new(format, size.0, size.1);
    let width = size.0 as usize;
    let get = |base: u64, row: u32, at: u32, bytes: &mut [u8]| {
        let from = base + u64::from(source.stride) * u64::from(row) + u64::from(at);
        dram.read(from, bytes).map_err(|_| Fault::BadAddress)
    };
    let stride = frame.stride(0);
    for row in 0..size.1 {
        let start = row as usize * stride;
        let line = frame.data_mut(0).get_mut(start..start + width);
        get(
            source.luma,
            offset.1 + row,
            offset.0,
            line.ok_or(Fault::Codec)?,
        )?;
    }
    let pairs = width.div_ceil(2);
    let mut mixed = vec![0; 2 * pairs];
    for row in 0..size.1.div_ceil(2) {
        get(source.chroma, offset.1 / 2 + row, offset.0, &mut mixed)?;
        let planes = if format == Pixel::NV12 { 1..2 } else { 1..3 };
        for plane in planes {
            let start = row as usize * frame.stride(plane);
            let line = frame.data_mut(plane).get_mut(start..).ok_or(Fault::Codec)?;
            if format == Pixel::NV12 {
                let line = line.get_mut(..2 * pairs).ok_or(Fault::Codec)?;
                line.copy_from_slice(&mixed);
            } else {
                let samples = mixed[plane - 1..].iter().step_by(2);
                for (to, from) in line.iter_mut().zip(samples) {
                    *to = *from;
                }
            }
        }
    }
    Ok(frame)
}
