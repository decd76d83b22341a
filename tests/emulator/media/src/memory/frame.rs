// SPDX-License-Identifier: MIT OR Apache-2.0

//! `AX_VIDEO_FRAME_T` and `AX_VIDEO_FRAME_INFO_T`: a picture in card memory [rpc 7.6].

use ax650_emu_api::{Cmm, Dram, Held, Hold};

use crate::call::blobs::{Record, View};
use crate::call::errors::Fault;

/// Number of NV12 in `enImgFormat`.
pub const NV12: u32 = 3;
/// Size of `AX_VIDEO_FRAME_T`.
pub const FRAME_SIZE: usize = 232;
/// Size of `AX_VIDEO_FRAME_INFO_T`.
pub const INFO_SIZE: usize = 240;

/// A picture in card memory.  Fields not named here are zero from the card and ignored by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VideoFrame {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `enImgFormat`.
    pub format: u32,
    /// 0 = not compressed.
    pub compress: u32,
    /// Bytes from row to row of each plane.
    pub stride: [u32; 3],
    /// Card address of each plane.
    pub phys: [u64; 3],
    /// Pool block of each plane, 0 = none.
    pub block: [u32; 3],
    /// Visible part: x, y, width, height; all 0 = all of it.
    pub crop: [i16; 4],
    /// Time stamp in microseconds.
    pub pts: u64,
    /// Counts up by one per picture.
    pub seq: u64,
    /// The client's.
    pub user_data: u64,
    /// The client's.
    pub private_data: u64,
    /// Bytes of all planes.
    pub size: u32,
    /// The module that made the picture.
    pub module: u32,
    /// No picture follows.
    pub end_of_stream: bool,
}

impl VideoFrame {
    /// Marks the picture's memory as used by `session` until the result is dropped; none if it is not all
    /// allocated, which a call that only looks at addresses does not mind.
    pub fn hold(&self, cmm: &Cmm, session: u32, what: &str) -> Option<Hold> {
        let rows = u64::from(self.height);
        let one_piece = self.phys[1] == 0;
        let bytes = |plane: usize| match plane {
            0 if one_piece => u64::from(self.stride[0]) * rows * 3 / 2,
            0 => u64::from(self.stride[0]) * rows,
            _ => u64::from(self.stride[plane]) * rows / 2,
        };
        let planes = (0..self.phys.len()).filter(|&plane| self.phys[plane] != 0);
        let held = |plane| Held {
            address: self.phys[plane],
            len: bytes(plane),
            owner: session,
            what: what.into(),
        };
        cmm.hold(planes.map(held).collect()).ok()
    }

    /// Reads either structure.
    pub fn parse(v: View) -> Self {
        Self {
            width: v.u32(0),
            height: v.u32(4),
            format: v.u32(8),
            compress: v.u32(16),
            stride: v.u32s(32),
            phys: v.u64s(56),
            block: v.u32s(164),
            crop: [176, 178, 180, 182].map(|at| v.i16(at)),
            pts: v.u64(192),
            seq: v.u64(200),
            user_data: v.u64(208),
            private_data: v.u64(216),
            size: v.u32(228),
            module: v.u32(232),
            end_of_stream: v.u32(236) != 0,
        }
    }

    /// Writes the structure of `size` bytes ([`FRAME_SIZE`] or [`INFO_SIZE`]).
    pub fn write(&self, size: usize) -> Vec<u8> {
        let mut r = Record::new(size);
        r.u32(0, self.width)
            .u32(4, self.height)
            .u32(8, self.format)
            .u32(16, self.compress);
        for i in 0..3 {
            r.u32(32 + 4 * i, self.stride[i])
                .u64(56 + 8 * i, self.phys[i])
                .u32(164 + 4 * i, self.block[i]);
        }
        for (i, c) in self.crop.iter().enumerate() {
            r.bytes(176 + 2 * i, &c.to_le_bytes());
        }
        r.u64(192, self.pts)
            .u64(200, self.seq)
            .u64(208, self.user_data)
            .u64(216, self.private_data)
            .u32(228, self.size)
            .u32(232, self.module)
            .u32(236, u32::from(self.end_of_stream));
        r.finish()
    }
}

/// Where an NV12 picture lies in card memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nv12 {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from row to row, of both planes.
    pub stride: u32,
    /// Card address of the luma plane.
    pub luma: u64,
    /// Card address of the plane of colour pairs.
    pub chroma: u64,
}

impl Nv12 {
    /// Largest width and height.
    pub const MAX_SIDE: u32 = 16384;

    /// The planes of a picture of that size one after the other at `base`; `stride` 0 stands for
    /// the width rounded up to a multiple of 256.
    pub fn packed(width: u32, height: u32, stride: u32, base: u64) -> Result<Self, Fault> {
        let stride = match stride {
            0 => width
                .checked_next_multiple_of(256)
                .ok_or(Fault::IllegalParam)?,
            n => n,
        };
        let picture = Self {
            width,
            height,
            stride,
            luma: base,
            chroma: base
                .checked_add(u64::from(stride) * u64::from(height))
                .ok_or(Fault::BadAddress)?,
        };
        picture.check()?;
        Ok(picture)
    }

    /// The picture that a client's frame structure describes.  A chroma address of 0 means that
    /// the chroma follows the luma; a stride of 0 means none between the rows.
    pub fn of_client(frame: &VideoFrame) -> Result<Self, Fault> {
        if frame.format != NV12 || frame.compress != 0 {
            return Err(Fault::NotSupported);
        }
        let stride = match frame.stride[0] {
            0 => frame.width,
            n => n,
        };
        if frame.stride[1] != 0 && frame.stride[1] != stride {
            return Err(Fault::NotSupported);
        }
        if frame.phys[0] == 0 {
            return Err(Fault::NullPointer);
        }
        let mut picture = Self::packed(frame.width, frame.height, stride, frame.phys[0])?;
        if frame.phys[1] != 0 {
            picture.chroma = frame.phys[1];
        }
        Ok(picture)
    }

    fn check(&self) -> Result<(), Fault> {
        let sides = 1..=Self::MAX_SIDE;
        if sides.contains(&self.width)
            && sides.contains(&self.height)
            && (self.width.next_multiple_of(2)..=4 * Self::MAX_SIDE).contains(&self.stride)
        {
            Ok(())
        } else {
            Err(Fault::IllegalParam)
        }
    }

    /// Rows of the chroma plane.
    pub fn chroma_rows(&self) -> u32 {
        self.height.div_ceil(2)
    }

    /// Bytes of both planes.
    pub fn size(&self) -> u64 {
        u64::from(self.stride) * u64::from(self.height + self.chroma_rows())
    }

    /// Fails unless all of the picture lies in the card's memory.
    pub fn check_memory(&self, dram: &Dram) -> Result<(), Fault> {
        let plane = |at, rows: u32| {
            dram.pointer(at, u64::from(self.stride) * u64::from(rows))
                .map(drop)
                .map_err(|_| Fault::BadAddress)
        };
        plane(self.luma, self.height)?;
        plane(self.chroma, self.chroma_rows())
    }

    /// The frame structure of this picture.
    pub fn frame(&self) -> VideoFrame {
        VideoFrame {
            width: self.width,
            height: self.height,
            format: NV12,
            stride: [self.stride, self.stride, 0],
            phys: [self.luma, self.chroma, 0],
            size: u32::try_from(self.size()).unwrap_or(u32::MAX),
            ..VideoFrame::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The picture of the worked example in [rpc 9], field for field.
    #[test]
    fn worked_example() {
        let mut picture = Nv12::packed(1920, 1080, 2048, 0x1_4100_0000)
            .unwrap()
            .frame();
        picture.block = [0x5e00_0001, 0x5e00_0001, 0];
        picture.pts = 40000;
        picture.module = 8;
        let bytes = picture.write(INFO_SIZE);
        let mut want = vec![0; INFO_SIZE];
        want[..9].copy_from_slice(&[0x80, 7, 0, 0, 0x38, 4, 0, 0, 3]);
        want[33] = 8;
        want[37] = 8;
        want[56..61].copy_from_slice(&[0, 0, 0, 0x41, 1]);
        want[64..69].copy_from_slice(&[0, 0xc0, 0x21, 0x41, 1]);
        want[164..172].copy_from_slice(&[1, 0, 0, 0x5e, 1, 0, 0, 0x5e]);
        want[192..194].copy_from_slice(&[0x40, 0x9c]);
        want[228..232].copy_from_slice(&[0, 0xa0, 0x32, 0]);
        want[232] = 8;
        assert_eq!(bytes, want);
        assert_eq!(VideoFrame::parse(View(&bytes)), picture);
        assert_eq!(picture.write(FRAME_SIZE), want[..FRAME_SIZE]);
    }

    #[test]
    fn refuses_what_cannot_be() {
        assert_eq!(Nv12::packed(0, 1, 0, 0), Err(Fault::IllegalParam));
        assert_eq!(Nv12::packed(64, 64, 32, 0), Err(Fault::IllegalParam));
        assert_eq!(Nv12::packed(64, 1 << 20, 0, 0), Err(Fault::IllegalParam));
        assert_eq!(Nv12::packed(64, 64, u32::MAX, 0), Err(Fault::IllegalParam));
        assert_eq!(Nv12::packed(64, 64, 0, u64::MAX), Err(Fault::BadAddress));
        assert_eq!(Nv12::packed(u32::MAX, 64, 0, 0), Err(Fault::IllegalParam));
    }
}
