// SPDX-License-Identifier: GPL-2.0

//! Where a picture lies in card memory, by its `AX_VIDEO_FRAME_T` [rpc 7.6].

use crate::wire::bytes::{
    array_at,
    u32_at,
    u64_at, //
};

/// Numbers in `enImgFormat` [rpc 7.7] of the formats whose planes are known: NV12, and three bytes a pixel in the order
/// blue, green, red.
pub const NV12: u32 = 3;
const BGR: u32 = 0xa5;
/// No side of a picture is longer.
const MOST: u32 = 1 << 16;
/// Planes of a picture.
pub const PLANES: usize = 3;

/// How a plane lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    /// Bytes from row to row, or of a row if that is more.
    pub pitch: u32,
    /// Rows of the picture.
    pub height: u32,
    /// Which rows are here.
    pub rows: Rows,
}

/// The rows of a plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Luma: one for each of the picture.
    Luma,
    /// Chroma: one for two of the picture.
    Chroma,
    /// Luma, and chroma right behind it.
    Both,
    /// Pixels: one for each of the picture.
    Pixels,
}

impl Plane {
    /// Returns the bytes of the plane, and no fewer than in a picture of this width and height.
    pub fn size(&self, (width, height): (u32, u32)) -> u64 {
        let height = u64::from(self.height.max(height));
        let half = height.div_ceil(2);
        let rows = match self.rows {
            Rows::Luma | Rows::Pixels => height,
            Rows::Chroma => half,
            Rows::Both => height.saturating_add(half),
        };
        rows.saturating_mul(self.pitch.max(width).into())
    }
}

/// Addresses and blocks of a picture; 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// First address of each plane.
    pub planes: [u64; PLANES],
    /// Block of each plane.
    pub blocks: [u32; PLANES],
}

impl Places {
    /// Reads them from the structure.
    pub fn read(frame: &[u8]) -> Option<Self> {
        let [a, b, c] = [56, 64, 72].map(|at| u64_at(frame, at));
        let [d, e, f] = [164, 168, 172].map(|at| u32_at(frame, at));
        Some(Self {
            planes: [a?, b?, c?],
            blocks: [d?, e?, f?],
        })
    }
}

/// A picture all of whose memory is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Bytes of the luma, and first address.
    pub luma: (u64, Plane),
    /// Bytes and first address of the chroma; `None`: it is behind the luma.
    pub chroma: Option<(u64, Plane)>,
    /// Blocks of its planes.
    pub blocks: [u32; PLANES],
}

impl Picture {
    /// Reads an `AX_VIDEO_FRAME_T`; `None` if not all of the memory that it names is known: another format than
    /// NV12, compressed, with headers elsewhere, or with a crop that is not in it.
    pub fn read(frame: &[u8]) -> Option<Self> {
        let (width, height, stride) = plain(frame, NV12)?;
        let [luma, chroma, _] = Places::read(frame)?.planes;
        let chroma_stride = u32_at(frame, 36)?;
        if chroma_stride != 0 && chroma_stride != stride {
            return None;
        }
        let plane = |rows| Plane {
            pitch: stride.max(width),
            height,
            rows,
        };
        let (luma, chroma) = if chroma == 0 {
            ((luma, plane(Rows::Both)), None)
        } else {
            (
                (luma, plane(Rows::Luma)),
                Some((chroma, plane(Rows::Chroma))),
            )
        };
        let blocks = Places::read(frame)?.blocks;
        Some(Self {
            luma,
            chroma,
            blocks,
        })
    }

    /// Reads an `AX_VIDEO_FRAME_T` for the image processor: [`Self::read`], or one of BGR.
    ///
    /// Whether the stride of such a picture counts bytes or pixels is not known, so it is taken for pixels, which are
    /// more. Nor is it known what a corner without a size, or half of one, cuts out.
    pub fn read_image(frame: &[u8]) -> Option<Self> {
        let side = |at| array_at(frame, at).map(u16::from_le_bytes);
        let is_all = u64_at(frame, 176)? == 0;
        if !is_all && (side(180)? == 0 || side(182)? == 0) {
            return None;
        }
        if u32_at(frame, 8)? != BGR {
            return Self::read(frame);
        }
        let (width, height, stride) = plain(frame, BGR)?;
        let places = Places::read(frame)?;
        let [pixels, none, _] = places.planes;
        let plane = Plane {
            pitch: stride.max(width).saturating_mul(3),
            height,
            rows: Rows::Pixels,
        };
        (none == 0).then_some(Self {
            luma: (pixels, plane),
            chroma: None,
            blocks: places.blocks,
        })
    }

    /// Returns its planes: first addresses, and how they lie there.
    pub fn planes(&self) -> impl Iterator<Item = (u64, Plane)> {
        [Some(self.luma), self.chroma].into_iter().flatten()
    }
}

/// Returns width, height and stride of a picture of `format` that is not compressed, has nothing elsewhere, and whose crop is
/// in it.
fn plain(frame: &[u8], format: u32) -> Option<(u32, u32, u32)> {
    let word = |at| u32_at(frame, at);
    let (width, height) = (word(0)?, word(4)?);
    let stride = match word(32)? {
        0 => width,
        stride => stride,
    };
    let [_, _, third] = Places::read(frame)?.planes;
    let headers = [104, 112, 120].map(|at| u64_at(frame, at));
    let is_plain = word(8)? == format && word(16)? == 0 && third == 0 && headers == [Some(0); 3];
    let is_small = [width, height, stride].into_iter().all(|n| n <= MOST);
    let is_whole = crop_is_inside(frame, width, height)?;
    (is_plain && is_small && is_whole).then_some((width, height, stride))
}

fn crop_is_inside(frame: &[u8], width: u32, height: u32) -> Option<bool> {
    let side = |at| array_at(frame, at).map(i16::from_le_bytes).map(i64::from);
    let (x, y, w, h) = (side(176)?, side(178)?, side(180)?, side(182)?);
    let inside = |at: i64, len: i64, all: u32| {
        at >= 0 && len >= 0 && at.saturating_add(len) <= i64::from(all)
    };
    Some(inside(x, w, width) && inside(y, h, height))
}
