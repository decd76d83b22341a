// SPDX-License-Identifier: MIT OR Apache-2.0

//! Parts of pictures that are not in card memory.

use ffmpeg_next::frame::Video;

use super::format::Format;
use super::image::Rect;
use crate::call::errors::Fault;

/// A picture of one colour, 0xRRGGBB.
pub fn filled(format: &Format, width: u32, height: u32, rgb: u32) -> Video {
    let mut video = Video::new(format.pixel, width, height);
    for (index, colour) in format.colour(rgb).iter().enumerate() {
        let stride = video.stride(index).max(1);
        for row in video.data_mut(index).chunks_mut(stride) {
            for sample in row.chunks_exact_mut(colour.len()) {
                sample.copy_from_slice(colour);
            }
        }
    }
    video
}

/// The part `rect`, whose corner is on the grid of the format.
pub fn cut(video: Video, rect: Rect, format: &Format) -> Result<Video, Fault> {
    if rect == Rect::all(video.width(), video.height()) {
        return Ok(video);
    }
    let mut out = Video::new(format.pixel, rect.width, rect.height);
    let all = Rect::all(rect.width, rect.height);
    copy(&video, (rect.x, rect.y), &mut out, all, format)?;
    Ok(out)
}

/// Puts `video` into `canvas` at `place`, which has its size.
pub fn paste(canvas: &mut Video, place: Rect, video: &Video, format: &Format) -> Result<(), Fault> {
    copy(video, (0, 0), canvas, place, format)
}

/// Copies from the corner `from_at` of `from` to `place` in `to`.
fn copy(
    from: &Video,
    from_at: (u32, u32),
    to: &mut Video,
    place: Rect,
    format: &Format,
) -> Result<(), Fault> {
    for (index, plane) in format.planes.iter().enumerate() {
        let (columns, rows) = plane.size(place.width, place.height);
        let len = columns * plane.bytes;
        let start = |at: (u32, u32), stride: usize| {
            let column = (at.0 >> plane.shift.0) as usize * plane.bytes;
            (at.1 >> plane.shift.1) as usize * stride + column
        };
        let (from_stride, to_stride) = (from.stride(index), to.stride(index));
        let first = start(from_at, from_stride);
        let target = start((place.x, place.y), to_stride);
        let (source, room) = (from.data(index), to.data_mut(index));
        for row in 0..rows {
            let (s, t) = (first + row * from_stride, target + row * to_stride);
            let pair = source.get(s..s + len).zip(room.get_mut(t..t + len));
            let (source, room) = pair.ok_or(Fault::Codec)?;
            room.copy_from_slice(source);
        }
    }
    Ok(())
}
