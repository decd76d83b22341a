// SPDX-License-Identifier: MIT OR Apache-2.0

//! Images in card memory.

use ax650_emu_api::Dram;
use ffmpeg_next::frame::Video;

use super::format::Format;
use crate::call::blobs::{Record, View};
use crate::call::errors::Fault;
use crate::memory::frame::VideoFrame;
use crate::memory::session::Owner;
use crate::pool::Pools;

/// A part of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Rect {
    /// All of a picture of that size.
    pub fn all(width: u32, height: u32) -> Self {
        Self {
            x: 0,
            y: 0,
            width,
            height,
        }
    }

    /// A part (x, y, width, height) that has to lie inside `all`; its corner is put on the grid of
    /// the format.
    pub fn inside(format: &Format, all: Self, part: [i32; 4]) -> Result<Self, Fault> {
        let [x, y, width, height] = part.map(u32::try_from);
        let illegal = |_| Fault::IllegalParam;
        let (columns, rows) = format.grid();
        let rect = Self {
            x: x.map_err(illegal)? & !columns,
            y: y.map_err(illegal)? & !rows,
            width: width.map_err(illegal)?,
            height: height.map_err(illegal)?,
        };
        let inside = |at: u32, len: u32, all: u32| {
            len > 0 && at.checked_add(len).is_some_and(|end| end <= all)
        };
        if inside(rect.x, rect.width, all.width) && inside(rect.y, rect.height, all.height) {
            Ok(rect)
        } else {
            Err(Fault::IllegalParam)
        }
    }
}

/// An image: `AX_VIDEO_FRAME_T` with the rest of its planes worked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image {
    /// Its format.
    pub format: &'static Format,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from row to row, of the planes in the order of the format.
    stride: [u32; 3],
    /// Card address of each.
    phys: [u64; 3],
}

impl Image {
    /// Largest width and height.
    const MAX_SIDE: u32 = 16384;
    /// Longest row, bytes.
    const MAX_STRIDE: u32 = 4 * Self::MAX_SIDE;

    /// The image that a client's structure describes; all of it lies in the card's memory.
    ///
    /// Without an address it is the pool block named.
    pub fn of_client(
        frame: &VideoFrame,
        dram: &Dram,
        pools: &Pools,
        owner: Owner,
    ) -> Result<Self, Fault> {
        let start = match (frame.phys[0], frame.block[0]) {
            (0, 0) => return Err(Fault::NullPointer),
            (0, block) => pools.block(owner, block).ok_or(Fault::Unexist)?.phys,
            (phys, _) => phys,
        };
        Self::in_memory(frame, dram, start)
    }

    /// The image that a structure describes, beginning at `start`.
    pub fn in_memory(frame: &VideoFrame, dram: &Dram, start: u64) -> Result<Self, Fault> {
        if frame.compress != 0 {
            return Err(Fault::NotSupported);
        }
        let image = Self::layout(frame, start)?;
        for (index, plane) in image.format.planes.iter().enumerate() {
            let (columns, rows) = plane.size(image.width, image.height);
            let before = u64::from(image.stride[index]) * (rows as u64 - 1);
            let len = before + (columns * plane.bytes) as u64;
            dram.pointer(image.phys[index], len)
                .map_err(|_| Fault::BadAddress)?;
        }
        Ok(image)
    }

    /// Works out the planes of an image that begins at `start`: a plane without an address follows
    /// the one before it, a plane without a stride has that of the first in its own unit.
    fn layout(frame: &VideoFrame, start: u64) -> Result<Self, Fault> {
        let format = Format::find(frame.format).ok_or(Fault::NotSupported)?;
        let sides = 1..=Self::MAX_SIDE;
        if !sides.contains(&frame.width) || !sides.contains(&frame.height) {
            return Err(Fault::IllegalParam);
        }
        let mut image = Self {
            format,
            width: frame.width,
            height: frame.height,
            stride: [0; 3],
            phys: [0; 3],
        };
        let first = match frame.stride[0] {
            0 => frame.width * format.planes[0].bytes as u32,
            n => n,
        };
        let mut next = start;
        // In the order of the structure, which is that of memory.
        for at in 0..format.planes.len() {
            let index = format.order.iter().position(|o| *o == at).unwrap_or(at);
            let plane = &format.planes[index];
            let (columns, rows) = plane.size(frame.width, frame.height);
            let least = (columns * plane.bytes) as u32;
            let stride = match frame.stride[at] {
                0 if at == 0 => first,
                0 => ((first >> plane.shift.0) * plane.bytes as u32).max(least),
                n => n,
            };
            if !(least..=Self::MAX_STRIDE).contains(&stride) {
                return Err(Fault::IllegalParam);
            }
            let phys = match frame.phys[at] {
                _ if at == 0 => start,
                0 => next,
                n => n,
            };
            image.stride[index] = stride;
            image.phys[index] = phys;
            let end = phys.checked_add(u64::from(stride) * rows as u64);
            next = end.ok_or(Fault::BadAddress)?;
        }
        Ok(image)
    }

    /// The part that the structure's crop fields name, or all; on the grid of the format.
    pub fn crop(&self, frame: &VideoFrame) -> Result<Rect, Fault> {
        match frame.crop.map(i32::from) {
            [_, _, 0, 0] => Ok(self.all()),
            part => self.part(part),
        }
    }

    /// All of it.
    pub fn all(&self) -> Rect {
        Rect::all(self.width, self.height)
    }

    /// A part that has to lie inside; its corner is put on the grid of the format.
    pub fn part(&self, part: [i32; 4]) -> Result<Rect, Fault> {
        Rect::inside(self.format, self.all(), part)
    }

    /// Calls `row(plane, row, card address, bytes)` for each row of `rect` in each plane.
    fn rows(
        &self,
        rect: Rect,
        mut row: impl FnMut(usize, usize, u64, usize) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        for (index, plane) in self.format.planes.iter().enumerate() {
            let (columns, rows) = plane.size(rect.width, rect.height);
            let first = u64::from(rect.y >> plane.shift.1) * u64::from(self.stride[index]);
            let column = u64::from(rect.x >> plane.shift.0) * plane.bytes as u64;
            let start = self.phys[index] + first + column;
            for line in 0..rows {
                let at = start + line as u64 * u64::from(self.stride[index]);
                row(index, line, at, columns * plane.bytes)?;
            }
        }
        Ok(())
    }

    /// Reads a part.
    pub fn read(&self, dram: &Dram, rect: Rect) -> Result<Video, Fault> {
        let mut video = Video::new(self.format.pixel, rect.width, rect.height);
        self.rows(rect, |plane, row, at, len| {
            let start = row * video.stride(plane);
            let to = video.data_mut(plane).get_mut(start..start + len);
            dram.read(at, to.ok_or(Fault::Codec)?)
                .map_err(|_| Fault::BadAddress)
        })?;
        Ok(video)
    }

    /// Writes `video`, which has the format of the image, to the part `rect` of its size.
    pub fn write(&self, dram: &Dram, rect: Rect, video: &Video) -> Result<(), Fault> {
        let same = (video.format(), video.width(), video.height());
        if same != (self.format.pixel, rect.width, rect.height) {
            return Err(Fault::Codec);
        }
        self.rows(rect, |plane, row, at, len| {
            let start = row * video.stride(plane);
            let from = video.data(plane).get(start..start + len);
            dram.write(at, from.ok_or(Fault::Codec)?)
                .map_err(|_| Fault::BadAddress)
        })
    }

    /// Bytes of memory for an image that a structure without addresses describes.
    pub fn bytes(frame: &VideoFrame) -> Result<u64, Fault> {
        let image = Self::layout(frame, 0)?;
        Ok(image.size())
    }

    /// Bytes of all planes.
    fn size(&self) -> u64 {
        let planes = self.format.planes.iter().zip(self.stride);
        let bytes = planes.map(|(plane, stride)| {
            let (_, rows) = plane.size(self.width, self.height);
            u64::from(stride) * rows as u64
        });
        bytes.sum()
    }

    /// Fills in the rest of `frame` for this image in the pool block `block`.
    pub fn complete(&self, frame: &mut VideoFrame, block: u32) {
        for index in 0..self.format.planes.len() {
            let at = self.format.order[index];
            frame.stride[at] = self.stride[index];
            frame.phys[at] = self.phys[index];
            frame.block[at] = block;
        }
        frame.size = u32::try_from(self.size()).unwrap_or(u32::MAX);
    }

    /// The client's structure `raw` of this image, filled in for a picture made of `source`.
    pub fn describe(&self, raw: View, source: &VideoFrame) -> Vec<u8> {
        let mut r = Record::from_bytes(raw.0);
        for index in 0..self.format.planes.len() {
            let at = self.format.order[index];
            r.u32(32 + 4 * at, self.stride[index])
                .u64(56 + 8 * at, self.phys[index]);
        }
        r.u64(192, source.pts)
            .u64(200, source.seq)
            .u64(208, source.user_data)
            .u64(216, source.private_data)
            .u32(228, u32::try_from(self.size()).unwrap_or(u32::MAX));
        r.finish()
    }
}
