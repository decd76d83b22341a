// SPDX-License-Identifier: MIT OR Apache-2.0

//! NV12 pictures in memory.

use crate::error::{Error, Result};

/// No picture is wider or higher.
const MAX_SIDE: u32 = 16384;

/// How an NV12 picture lies in memory: luma first, then chroma, both with the same stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureLayout {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from one row to the next.
    pub stride: u32,
}

impl PictureLayout {
    /// Checks the sizes.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: 0, more than 16384, or a stride less than the width.
    pub fn new(width: u32, height: u32, stride: u32) -> Result<Self> {
        let side = 1..=MAX_SIDE;
        if !side.contains(&width)
            || !side.contains(&height)
            || stride < width.next_multiple_of(2)
            || stride > 4 * MAX_SIDE
        {
            return Err(Error::invalid(format!(
                "{width}x{height} with {stride} bytes a row is no picture of the card"
            )));
        }
        Ok(Self {
            width,
            height,
            stride,
        })
    }

    /// Makes a layout without anything between the rows.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: a size that pictures cannot have.
    pub fn packed(width: u32, height: u32) -> Result<Self> {
        Self::new(width, height, width.next_multiple_of(2))
    }

    /// Bytes of the luma plane.
    pub fn luma_size(&self) -> usize {
        self.stride as usize * self.height as usize
    }

    /// Bytes of the chroma plane.
    pub fn chroma_size(&self) -> usize {
        self.stride as usize * self.height.div_ceil(2) as usize
    }

    /// Bytes of the picture.
    pub fn size(&self) -> usize {
        self.luma_size() + self.chroma_size()
    }

    /// Tells whether there is nothing between the rows.
    pub fn is_packed(&self) -> bool {
        self.stride == self.width.next_multiple_of(2)
    }

    /// Returns the visible bytes of each row, luma then chroma, of a picture in `bytes`.
    ///
    /// # Panics
    ///
    /// If `bytes` has fewer than [`PictureLayout::size`].
    pub fn rows<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (luma, chroma) = bytes[..self.size()].split_at(self.luma_size());
        let (stride, width) = (self.stride as usize, self.width as usize);
        let row = move |width: usize| move |row: &'a [u8]| &row[..width];
        luma.chunks_exact(stride).map(row(width)).chain(
            chroma
                .chunks_exact(stride)
                .map(row(width.next_multiple_of(2))),
        )
    }

    /// Returns the bytes of [`PictureLayout::rows`], to be written to.
    ///
    /// # Panics
    ///
    /// If `bytes` has fewer than [`PictureLayout::size`].
    pub fn rows_mut<'a>(
        &self,
        bytes: &'a mut [u8],
    ) -> impl Iterator<Item = &'a mut [u8]> + use<'a> {
        let (luma, chroma) = bytes[..self.size()].split_at_mut(self.luma_size());
        let (stride, width) = (self.stride as usize, self.width as usize);
        let row = move |width: usize| move |row: &'a mut [u8]| &mut row[..width];
        luma.chunks_exact_mut(stride).map(row(width)).chain(
            chroma
                .chunks_exact_mut(stride)
                .map(row(width.next_multiple_of(2))),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_leave_the_padding_out() {
        let layout = PictureLayout::new(3, 3, 5).unwrap();
        assert_eq!((layout.luma_size(), layout.chroma_size()), (15, 10));
        let mut bytes = vec![0; 25];
        for row in layout.rows_mut(&mut bytes) {
            row.fill(1);
        }
        assert_eq!(bytes[..10], [1, 1, 1, 0, 0, 1, 1, 1, 0, 0]);
        assert_eq!(bytes[15..], [1, 1, 1, 1, 0, 1, 1, 1, 1, 0]);
        let lengths: Vec<_> = layout.rows(&bytes).map(<[u8]>::len).collect();
        assert_eq!(lengths, [3, 3, 3, 4, 4]);
    }

    #[test]
    fn impossible_pictures() {
        for (width, height, stride) in [
            (0, 1, 1),
            (1, 0, 1),
            (16385, 1, 16386),
            (64, 64, 63),
            (3, 1, 3),
        ] {
            assert!(
                PictureLayout::new(width, height, stride).is_err(),
                "{width} {height} {stride}"
            );
        }
        assert!(PictureLayout::packed(3, 1).unwrap().is_packed());
    }
}
