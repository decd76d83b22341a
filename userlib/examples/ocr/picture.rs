// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures and rectangles in them.

use std::path::Path;

use image::{imageops, Rgb, RgbImage};

use crate::{detect::Area, Result};

/// An RGB picture.
pub struct Picture(RgbImage);

impl Picture {
    /// Reads a PNG file.
    pub fn load(path: &Path) -> Result<Self> {
        let named = |error| format!("{}: {error}", path.display());
        let picture = image::ImageReader::open(path).map_err(|e| named(e.to_string()))?;
        let picture = picture.decode().map_err(|e| named(e.to_string()))?;
        Ok(Self(picture.to_rgb8()))
    }

    /// Writes a PNG file.
    pub fn save(&self, path: &Path) -> Result<()> {
        let named = |error| format!("{}: {error}", path.display());
        Ok(self.0.save(path).map_err(named)?)
    }

    /// Pixels across and down.
    pub fn size(&self) -> (u32, u32) {
        self.0.dimensions()
    }

    /// A copy of `area`.
    pub fn cut(&self, area: &Area) -> Self {
        let cut = imageops::crop_imm(&self.0, area.x, area.y, area.width, area.height);
        Self(cut.to_image())
    }

    /// Turned by 180 degrees.
    pub fn turned(&self) -> Self {
        Self(imageops::rotate180(&self.0))
    }

    /// Draws a frame of two pixels around `area`.
    pub fn frame(&mut self, area: &Area) {
        let (width, height) = self.size();
        let inside = |x: u32, y: u32| {
            let (dx, dy) = (x.wrapping_sub(area.x), y.wrapping_sub(area.y));
            dx < area.width && dy < area.height
        };
        for (x, y, pixel) in self.0.enumerate_pixels_mut() {
            let near = |d: u32| {
                inside((x + d).min(width), y)
                    && inside(x.wrapping_sub(d), y)
                    && inside(x, (y + d).min(height))
                    && inside(x, y.wrapping_sub(d))
            };
            if inside(x, y) && !near(2) {
                *pixel = Rgb([220, 30, 30]);
            }
        }
    }

    /// A tensor 1x3x`height`x`width` of the picture scaled to `inner` pixels across, each channel as
    /// (value/255 - mean) / deviation, in the order blue, green, red that the models were trained with;
    /// zero to the right of it.
    pub fn tensor(
        &self,
        size: (u32, u32),
        inner: u32,
        mean: [f32; 3],
        deviation: [f32; 3],
    ) -> Vec<f32> {
        let (width, height) = size;
        let scaled = imageops::resize(&self.0, inner, height, imageops::FilterType::Triangle);
        let plane = (width * height) as usize;
        let mut tensor = vec![0.0; 3 * plane];
        for (x, y, Rgb(rgb)) in scaled.enumerate_pixels() {
            for channel in 0..3 {
                let value = f32::from(rgb[2 - channel]) / 255.0;
                let at = channel * plane + (y * width + x) as usize;
                tensor[at] = (value - mean[channel]) / deviation[channel];
            }
        }
        tensor
    }
}
