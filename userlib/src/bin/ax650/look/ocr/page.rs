// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures with text in them, and lines cut out of them.

use std::io::{Cursor, Read};
use std::path::Path;

use ax650::media::jpeg;
use ax650::vision::TextArea;
use ax650::Session;
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageFormat, ImageReader, Rgb, RgbImage};

use crate::failure::Failure;
use crate::look::draw;
use crate::video::clip::Clip;
use crate::video::input::Input;

/// No picture's file is larger.
const MAX_FILE: u64 = 256 << 20;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG: &[u8] = &[0xFF, 0xD8, 0xFF];
/// What frames are drawn with.
const FRAME: Rgb<u8> = Rgb([220, 30, 30]);

/// A picture.
pub struct Page(RgbImage);

impl Page {
    /// Reads a PNG file, or a JPEG file, which the card decodes.
    pub fn load(session: &Session, path: &Path, input: Input) -> Result<Self, Failure> {
        let mut bytes = Vec::new();
        input
            .take(MAX_FILE)
            .read_to_end(&mut bytes)
            .map_err(|error| Clip::read_failure(path, &error))?;
        let bad = |problem: String| Failure::of(format!("{}: {problem}", path.display()));
        if bytes.starts_with(PNG) {
            let reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
            let picture = reader.decode().map_err(|error| bad(error.to_string()))?;
            return Ok(Self(opaque(&picture)));
        }
        if !bytes.starts_with(JPEG) {
            return Err(bad("neither a PNG nor a JPEG picture".into()));
        }
        let (buffer, layout) = jpeg::decode(session, &bytes).map_err(|error| match error {
            ax650::Error::Invalid(problem) => bad(problem),
            error => {
                let Failure { message, code } = error.into();
                Failure::new(code, format!("{}: {message}", path.display()))
            }
        })?;
        let pixels = draw::rgb(&layout, &buffer.read()?, true);
        let picture = RgbImage::from_raw(layout.width, layout.height, pixels);
        Ok(Self(picture.ok_or_else(|| bad("no whole picture".into()))?))
    }

    /// Returns columns and rows.
    pub fn size(&self) -> (u32, u32) {
        self.0.dimensions()
    }

    /// Returns the pixels without gaps, red first.
    pub fn pixels(&self) -> &[u8] {
        self.0.as_raw()
    }

    /// Cuts out a line of text, so that it runs from left to right.
    pub fn cut(&self, area: &TextArea) -> Self {
        let length = |length: f32| (length.round() as u32).max(1);
        let (width, height) = (length(area.width()), length(area.height()));
        let [begin, end, _, below] = area.corners;
        let (right, bottom) = ((self.0.width() - 1) as f32, (self.0.height() - 1) as f32);
        Self(RgbImage::from_fn(width, height, |x, y| {
            let u = (x as f32 + 0.5) / width as f32;
            let v = (y as f32 + 0.5) / height as f32;
            // Places of pixels are those of their middles.
            let x = begin.0 + u * (end.0 - begin.0) + v * (below.0 - begin.0) - 0.5;
            let y = begin.1 + u * (end.1 - begin.1) + v * (below.1 - begin.1) - 0.5;
            let (x, y) = (x.clamp(0.0, right), y.clamp(0.0, bottom));
            imageops::interpolate_bilinear(&self.0, x, y).unwrap_or(Rgb([0; 3]))
        }))
    }

    /// Returns the page turned by 180 degrees.
    pub fn turned(&self) -> Self {
        Self(imageops::rotate180(&self.0))
    }

    /// Scales the page, and gives its pixels with their column and row.
    pub fn scaled(&self, (width, height): (u32, u32)) -> Vec<(usize, usize, [u8; 3])> {
        let scaled = imageops::resize(&self.0, width, height, FilterType::Triangle);
        let pixels = scaled.enumerate_pixels();
        pixels
            .map(|(x, y, Rgb(rgb))| (x as usize, y as usize, *rgb))
            .collect()
    }

    /// Draws a frame around a line.
    pub fn frame(&mut self, area: &TextArea) {
        let (width, height) = self.size();
        // Wide enough to be seen in a large picture.
        let thick = (2 * (1 + height / 720)) as i64;
        let corners = area.corners;
        for (from, to) in corners.iter().zip(corners.iter().cycle().skip(1)) {
            let steps = (to.0 - from.0)
                .abs()
                .max((to.1 - from.1).abs())
                .ceil()
                .max(1.0);
            for step in 0..=steps as u32 {
                let share = step as f32 / steps;
                let x = (from.0 + share * (to.0 - from.0)) as i64;
                let y = (from.1 + share * (to.1 - from.1)) as i64;
                for row in (y - thick / 2).max(0)..(y + thick / 2).min(height.into()) {
                    for column in (x - thick / 2).max(0)..(x + thick / 2).min(width.into()) {
                        self.0.put_pixel(column as u32, row as u32, FRAME);
                    }
                }
            }
        }
    }
}

/// Returns the picture as it looks on white paper.
fn opaque(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let picture = picture.to_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0.map(u32::from);
        let mix = |colour: u32| ((colour * alpha + 255 * (255 - alpha)) / 255) as u8;
        Rgb([red, green, blue].map(mix))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each pixel tells its column and row.
    fn page(width: u32, height: u32) -> Page {
        Page(RgbImage::from_fn(width, height, |x, y| {
            Rgb([x as u8, y as u8, 7])
        }))
    }

    fn area(corners: [(f32, f32); 4]) -> TextArea {
        TextArea {
            corners,
            score: 1.0,
        }
    }

    #[test]
    fn upright_cuts_are_copies() {
        let page = page(100, 80);
        let cut = page.cut(&area([
            (10.0, 20.0),
            (40.0, 20.0),
            (40.0, 28.0),
            (10.0, 28.0),
        ]));
        let wanted = imageops::crop_imm(&page.0, 10, 20, 30, 8).to_image();
        assert_eq!(cut.0, wanted);
        assert_eq!(cut.turned().turned().0, wanted);
    }

    #[test]
    fn turned_cuts_run_to_the_right() {
        let page = page(100, 80);
        // From the bottom to the top.
        let cut = page.cut(&area([
            (10.0, 60.0),
            (10.0, 20.0),
            (18.0, 20.0),
            (18.0, 60.0),
        ]));
        assert_eq!(cut.size(), (40, 8));
        assert_eq!(cut.0.get_pixel(0, 0).0, [10, 59, 7]);
        assert_eq!(cut.0.get_pixel(39, 7).0, [17, 20, 7]);
        // Of no size, and beside the page.
        let cut = page.cut(&area([(5.0, 5.0); 4]));
        assert_eq!(cut.size(), (1, 1));
        let cut = page.cut(&area([
            (-9.0, -9.0),
            (-5.0, -9.0),
            (-5.0, -5.0),
            (-9.0, -5.0),
        ]));
        assert_eq!(cut.0.get_pixel(0, 0).0, [0, 0, 7]);
    }

    #[test]
    fn frames_are_on_the_edges() {
        let mut page = page(100, 80);
        page.frame(&area([
            (10.0, 20.0),
            (40.0, 20.0),
            (40.0, 30.0),
            (10.0, 30.0),
        ]));
        for (x, y) in [(10, 20), (25, 20), (39, 25), (10, 29)] {
            assert_eq!(*page.0.get_pixel(x, y), FRAME, "{x},{y}");
        }
        for (x, y) in [(25, 25), (5, 20), (50, 25)] {
            assert_ne!(*page.0.get_pixel(x, y), FRAME, "{x},{y}");
        }
        // Beside the page.
        page.frame(&area([
            (-9.0, -9.0),
            (900.0, -9.0),
            (900.0, 500.0),
            (-9.0, 500.0),
        ]));
    }

    #[test]
    fn what_is_transparent_is_white() {
        let clear = image::RgbaImage::from_pixel(2, 1, image::Rgba([0, 0, 0, 0]));
        assert_eq!(opaque(&clear.into()).get_pixel(1, 0).0, [255; 3]);
        let half = image::RgbaImage::from_pixel(1, 1, image::Rgba([255, 0, 0, 51]));
        assert_eq!(opaque(&half.into()).get_pixel(0, 0).0, [255, 204, 204]);
    }
}
