// SPDX-License-Identifier: MIT OR Apache-2.0

//! Image formats of the image processor.

use ffmpeg_next::format::Pixel;

/// One plane of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plane {
    /// Bytes of a sample (of a pair of colour samples, of a pixel).
    pub bytes: usize,
    /// A sample stands for this many columns and rows, as powers of two.
    pub shift: (u32, u32),
}

impl Plane {
    const fn new(bytes: usize, columns: u32, rows: u32) -> Self {
        Self {
            bytes,
            shift: (columns, rows),
        }
    }

    /// Samples per row and rows of the plane, for a picture of that size.
    pub fn size(&self, width: u32, height: u32) -> (usize, usize) {
        let part = |n: u32, shift| n.div_ceil(1_u32 << shift) as usize;
        (part(width, self.shift.0), part(height, self.shift.1))
    }
}

/// A format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// `enImgFormat`.
    pub number: u32,
    /// The same in libswscale.
    pub pixel: Pixel,
    /// Its planes, in libswscale's order.
    pub planes: &'static [Plane],
    /// Where in the frame structure each of these planes is.
    pub order: [usize; 3],
}

const LUMA: Plane = Plane::new(1, 0, 0);
const QUARTER: Plane = Plane::new(1, 1, 1);
const PAIRS_420: Plane = Plane::new(2, 1, 1);
const PAIRS_422: Plane = Plane::new(2, 1, 0);
const RGB: Plane = Plane::new(3, 0, 0);
const PLANAR: &[Plane] = &[LUMA, QUARTER, QUARTER];

/// The formats.  NV12 (3) and the two of RGB are known; the other numbers are this card's choice.
const FORMATS: &[Format] = &[
    format(0, Pixel::GRAY8, &[LUMA], [0, 1, 2]),
    format(1, Pixel::YUV420P, PLANAR, [0, 1, 2]),
    // The same with V before U.
    format(2, Pixel::YUV420P, PLANAR, [0, 2, 1]),
    format(3, Pixel::NV12, &[LUMA, PAIRS_420], [0, 1, 2]),
    format(4, Pixel::NV21, &[LUMA, PAIRS_420], [0, 1, 2]),
    format(10, Pixel::NV16, &[LUMA, PAIRS_422], [0, 1, 2]),
    format(0xa1, Pixel::RGB24, &[RGB], [0, 1, 2]),
    format(0xa5, Pixel::BGR24, &[RGB], [0, 1, 2]),
];

const fn format(number: u32, pixel: Pixel, planes: &'static [Plane], order: [usize; 3]) -> Format {
    Format {
        number,
        pixel,
        planes,
        order,
    }
}

impl Format {
    /// The format of that number.
    pub fn find(number: u32) -> Option<&'static Self> {
        FORMATS.iter().find(|f| f.number == number)
    }

    /// Columns and rows that belong together, as masks of the bits that a position may not have.
    pub fn grid(&self) -> (u32, u32) {
        let mask = |shift: fn(&Plane) -> u32| {
            let most = self.planes.iter().map(shift).max().unwrap_or(0);
            (1 << most) - 1
        };
        (mask(|p| p.shift.0), mask(|p| p.shift.1))
    }

    /// One sample of each plane, of the colour 0xRRGGBB.
    pub fn colour(&self, rgb: u32) -> Vec<Vec<u8>> {
        let [_, r, g, b] = rgb.to_be_bytes();
        let (y, u, v) = studio(r, g, b);
        let samples: &[&[u8]] = match self.pixel {
            Pixel::GRAY8 => &[&[y]],
            Pixel::YUV420P => &[&[y], &[u], &[v]],
            Pixel::NV12 | Pixel::NV16 => &[&[y], &[u, v]],
            Pixel::NV21 => &[&[y], &[v, u]],
            Pixel::BGR24 => &[&[b, g, r]],
            _ => &[&[r, g, b]],
        };
        samples.iter().map(|s| s.to_vec()).collect()
    }
}

/// A colour as Y, U and V of BT.601 in studio range.
fn studio(r: u8, g: u8, b: u8) -> (u8, u8, u8) {
    let [r, g, b] = [r, g, b].map(|c| f32::from(c) / 255.0);
    let y = 0.299 * r + 0.587 * g + 0.114 * b;
    let level = |base: f32, n: f32| (base + n).round().clamp(0.0, 255.0) as u8;
    (
        level(16.0, 219.0 * y),
        level(128.0, 224.0 * (b - y) / 1.772),
        level(128.0, 224.0 * (r - y) / 1.402),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_planes() {
        let nv12 = Format::find(3).unwrap();
        assert_eq!(nv12.planes[1].size(5, 3), (3, 2));
        assert_eq!(nv12.grid(), (1, 1));
        assert_eq!(Format::find(10).unwrap().grid(), (1, 0));
        assert_eq!(Format::find(0xa1).unwrap().grid(), (0, 0));
        assert_eq!(Format::find(5), None);
        // D6: 0xa3 is a format of 15 bits, which this card does not have.
        assert_eq!(Format::find(0xa3), None);
    }

    #[test]
    fn colours() {
        assert_eq!(studio(255, 255, 255), (235, 128, 128));
        assert_eq!(studio(0, 0, 0), (16, 128, 128));
        // The corners of BT.601.
        assert_eq!(studio(255, 0, 0), (81, 90, 240));
        assert_eq!(studio(0, 255, 0), (145, 54, 34));
        assert_eq!(studio(0, 0, 255), (41, 240, 110));
        let bgr = Format::find(0xa5).unwrap();
        assert_eq!(bgr.colour(0x01_02_03), [vec![3, 2, 1]]);
    }
}
