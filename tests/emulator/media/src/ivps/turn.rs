// SPDX-License-Identifier: MIT OR Apache-2.0

//! Mirroring, rotation and blending: plane by plane, sample by sample.

use ffmpeg_next::frame::Video;

use super::format::Format;
use crate::call::errors::Fault;

/// What FlipAndRotation does: first mirrors, then rotates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Left to right.
    mirror: bool,
    /// Upside down.
    flip: bool,
    /// Quarters of a turn, clockwise.
    quarters: u32,
}

impl Turn {
    /// Of the two arguments: 0 nothing, 1 upside down, 2 left to right, 3 both; and quarters of a
    /// turn.  The numbers are this card's choice.
    pub fn new(mirror: u32, quarters: u32) -> Result<Self, Fault> {
        if mirror > 3 || quarters > 3 {
            return Err(Fault::IllegalParam);
        }
        Ok(Self {
            mirror: mirror & 2 != 0,
            flip: mirror & 1 != 0,
            quarters,
        })
    }

    /// Whether width and height change places.
    pub fn is_sideways(self) -> bool {
        self.quarters % 2 == 1
    }

    /// Where in the source the sample of the result at (x, y) is; `size` is that of the source.
    fn source(self, x: usize, y: usize, size: (usize, usize)) -> (usize, usize) {
        let (w, h) = size;
        let (x, y) = match self.quarters {
            0 => (x, y),
            1 => (y, h - 1 - x),
            2 => (w - 1 - x, h - 1 - y),
            _ => (w - 1 - y, x),
        };
        (
            if self.mirror { w - 1 - x } else { x },
            if self.flip { h - 1 - y } else { y },
        )
    }

    /// The picture turned.
    pub fn apply(self, video: &Video, format: &Format) -> Result<Video, Fault> {
        let (width, height) = (video.width(), video.height());
        let uneven = format.planes.iter().any(|p| p.shift.0 != p.shift.1);
        let (width, height) = match self.is_sideways() {
            // The colours of 4:2:2 would be thinned in the other direction.
            true if uneven => return Err(Fault::NotSupported),
            true => (height, width),
            false => (width, height),
        };
        let mut out = Video::new(format.pixel, width, height);
        for (index, plane) in format.planes.iter().enumerate() {
            let size = plane.size(video.width(), video.height());
            let (columns, rows) = plane.size(width, height);
            let (from_stride, to_stride) = (video.stride(index), out.stride(index));
            let from = video.data(index);
            let to = out.data_mut(index);
            for y in 0..rows {
                for x in 0..columns {
                    let (sx, sy) = self.source(x, y, size);
                    let source = sy * from_stride + sx * plane.bytes;
                    let target = y * to_stride + x * plane.bytes;
                    let sample = from.get(source..source + plane.bytes);
                    let room = to.get_mut(target..target + plane.bytes);
                    let (sample, room) = sample.zip(room).ok_or(Fault::Codec)?;
                    room.copy_from_slice(sample);
                }
            }
        }
        Ok(out)
    }
}

/// Blends `over` into `under`, of the same format and size: `alpha` 0 leaves `under`, 255 takes
/// `over`.
pub fn blend(under: &mut Video, over: &Video, format: &Format, alpha: u8) -> Result<(), Fault> {
    let (width, height) = (under.width(), under.height());
    if (over.format(), over.width(), over.height()) != (under.format(), width, height) {
        return Err(Fault::Codec);
    }
    let alpha = u32::from(alpha);
    for (index, plane) in format.planes.iter().enumerate() {
        let (columns, rows) = plane.size(width, height);
        let len = columns * plane.bytes;
        let (from_stride, to_stride) = (over.stride(index), under.stride(index));
        for row in 0..rows {
            let from = over
                .data(index)
                .get(row * from_stride..)
                .and_then(|r| r.get(..len));
            let to = under.data_mut(index).get_mut(row * to_stride..);
            let (from, to) = from.zip(to).ok_or(Fault::Codec)?;
            for (to, from) in to.iter_mut().zip(from) {
                let mixed = u32::from(*from) * alpha + u32::from(*to) * (255 - alpha);
                *to = ((mixed + 127) / 255) as u8;
            }
        }
    }
    Ok(())
}
