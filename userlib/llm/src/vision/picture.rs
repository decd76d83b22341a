// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures as encoders take them.

use std::fmt;
use std::sync::Arc;

use super::description::Normal;
use crate::error::{Error, Result};

/// Bytes of a pixel.
const COLOURS: usize = 3;

/// A picture of the size that a model's encoder takes.  Clones are handles of the same; equal ones have equal pixels.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    /// Red, green and blue of each pixel, row by row.
    pixels: Arc<[u8]>,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}x{})", self.width, self.height)
    }
}

impl Picture {
    /// Makes a picture of `pixels`: red, green and blue of each, row by row.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: fewer or more bytes than that.
    pub fn new(width: usize, height: usize, pixels: &[u8]) -> Result<Self> {
        let wanted = width.saturating_mul(height).saturating_mul(COLOURS);
        let given = pixels.len();
        if given != wanted {
            return Err(Error::Invalid(format!(
                "{given} bytes of a picture of {width}x{height} pixels, which has {wanted}"
            )));
        }
        Ok(Self {
            width,
            height,
            pixels: pixels.into(),
        })
    }

    /// Returns columns and rows.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Returns red, green and blue of each pixel, row by row.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Returns the pixels as float32 that are normalised: colour by colour, or all of a pixel side by side.
    pub(crate) fn normalised(&self, normal: Normal, by_colour: bool) -> Vec<u8> {
        let count = self.width * self.height;
        let mut bytes = vec![0; self.pixels.len() * 4];
        for (at, pixel) in self.pixels.chunks_exact(COLOURS).enumerate() {
            for (colour, value) in pixel.iter().enumerate() {
                let value = f32::from(*value) / 255.0;
                let value = (value - normal.mean[colour]) / normal.std[colour];
                let place = match by_colour {
                    true => colour * count + at,
                    false => at * COLOURS + colour,
                };
                bytes[place * 4..][..4].copy_from_slice(&value.to_le_bytes());
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_normalised_in_both_orders() {
        let picture = Picture::new(2, 1, &[0, 51, 255, 255, 0, 0]).unwrap();
        let normal = Normal {
            mean: [0.5, 0.2, 0.0],
            std: [0.5, 1.0, 0.25],
        };
        let numbers = |by_colour| {
            let bytes = picture.normalised(normal, by_colour);
            let words = bytes.chunks_exact(4);
            let numbers = words.map(|word| f32::from_le_bytes(word.try_into().unwrap()));
            numbers.collect::<Vec<_>>()
        };
        assert_eq!(numbers(false), [-1.0, 0.0, 4.0, 1.0, -0.2, 0.0]);
        assert_eq!(numbers(true), [-1.0, 1.0, 0.0, -0.2, 4.0, 0.0]);
    }

    #[test]
    fn pictures_have_all_their_pixels() {
        let error = Picture::new(2, 2, &[0; 11]).unwrap_err().to_string();
        assert_eq!(error, "11 bytes of a picture of 2x2 pixels, which has 12");
        let one = Picture::new(1, 1, &[1, 2, 3]).unwrap();
        assert_eq!(format!("{one:?}"), "Picture(1x1)");
        assert_eq!(one, Picture::new(1, 1, &[1, 2, 3]).unwrap());
        assert_ne!(one, Picture::new(1, 1, &[1, 2, 4]).unwrap());
    }
}
