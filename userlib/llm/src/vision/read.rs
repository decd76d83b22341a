// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures out of files: PNG and JPEG, turned upright, on white paper, scaled.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use image::imageops::{self, FilterType};
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage, Rgba, RgbaImage,
};

use super::description::Vision;
use super::picture::Picture;
use crate::error::{Error, Result};

/// Longest file.
const MAX_FILE: u64 = 64 << 20;

/// Most pixels.
const MAX_PIXELS: u64 = 1 << 26;

/// What pictures are scaled with: the cubic filter of Catmull and Rom, which most models were trained with.
const FILTER: FilterType = FilterType::CatmullRom;

impl Picture {
    /// Reads a PNG or JPEG file, for a model that looks at pictures so.
    ///
    /// # Errors
    ///
    /// [`Error::File`]; those of [`Picture::decode`].
    pub fn open(path: &Path, vision: &Vision) -> Result<Self> {
        let failed = |error| Error::file(path, error);
        let file = File::open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        Self::decode(&path.display().to_string(), &bytes, vision)
    }

    /// Reads a PNG or JPEG picture, which errors name `name`, for a model that looks at pictures so: it is turned as its Exif
    /// says, what is transparent is white, and it is scaled to the encoder's size, whatever its proportions are.
    ///
    /// # Errors
    ///
    /// [`Error::Picture`]: it is no picture, or too large.
    pub fn decode(name: &str, bytes: &[u8], vision: &Vision) -> Result<Self> {
        let picture = read(bytes, MAX_PIXELS).map_err(|problem| Error::Picture {
            name: name.into(),
            problem,
        })?;
        let (width, height) = (vision.width, vision.height);
        // Both are bounded by the description's check.
        let scaled = imageops::resize(&picture, width as u32, height as u32, FILTER);
        Self::new(width, height, scaled.as_raw())
    }
}

/// Reads a picture of `most` pixels or fewer, turns it upright and lays it on white paper.
fn read(bytes: &[u8], most: u64) -> Result<RgbImage, String> {
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("a picture has {MAX_FILE} bytes at most"));
    }
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => format,
        _ => return Err("neither a PNG nor a JPEG picture".into()),
    };
    let broken = |error: ImageError| error.to_string();
    let reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > most {
        return Err(format!(
            "{width}x{height} pixels, a picture has {most} at most"
        ));
    }
    let orientation = decoder.orientation().map_err(broken)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    picture.apply_orientation(orientation);
    if picture.color().has_alpha() {
        let white = Rgba([u8::MAX; 4]);
        let mut paper = RgbaImage::from_pixel(picture.width(), picture.height(), white);
        imageops::overlay(&mut paper, &picture.to_rgba8(), 0, 0);
        picture = paper.into();
    }
    Ok(picture.into_rgb8())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::tests::good;

    fn vision(width: usize, height: usize) -> Vision {
        let mut vision = good();
        vision["width"] = width.into();
        vision["height"] = height.into();
        serde_json::from_value(vision).unwrap()
    }

    fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture
            .into()
            .write_to(&mut bytes, ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    }

    #[test]
    fn pictures_are_scaled_and_lie_on_white_paper() {
        let picture = image::RgbImage::from_fn(2, 3, |x, y| image::Rgb([x as u8, y as u8, 9]));
        let same = Picture::decode("p", &png(picture.clone()), &vision(2, 3)).unwrap();
        assert_eq!(same.pixels(), picture.as_raw().as_slice());
        let plain = RgbaImage::from_pixel(40, 30, Rgba([200, 100, 0, 255]));
        let scaled = Picture::decode("p", &png(plain), &vision(16, 8)).unwrap();
        assert_eq!(scaled.size(), (16, 8));
        assert_eq!(scaled.pixels(), [200, 100, 0].repeat(16 * 8));
        let clear = RgbaImage::from_pixel(1, 1, Rgba([255, 0, 0, 51]));
        let mixed = Picture::decode("p", &png(clear), &vision(1, 1)).unwrap();
        assert_eq!(mixed.pixels(), [255, 204, 204]);
    }

    /// Between pixels the filter has these weights: -9, 111, 29 and -3 of 128 a quarter behind the second of four.
    #[test]
    fn the_filter_is_that_of_catmull_and_rom() {
        let picture = image::GrayImage::from_raw(4, 1, vec![16, 64, 128, 48]).unwrap();
        let scaled = Picture::decode("p", &png(picture), &vision(8, 1)).unwrap();
        assert_eq!(&scaled.pixels()[3 * 3..][..3], [82; 3]);
    }

    /// 64 columns of red and 48 rows of green, to be turned by 90 degrees; blue becomes less to the right.
    #[test]
    fn pictures_are_turned_upright() {
        let jpeg = include_bytes!("../../../../tests/data/llm/vision/turned.jpg");
        let turned = Picture::decode("p", jpeg, &vision(48, 64)).unwrap();
        for (at, wanted) in [(0, [0, 188, 128]), (48 * 64 - 1, [189, 0, 65])] {
            let pixel = &turned.pixels()[at * 3..][..3];
            let near = |(a, b): (&u8, u8)| a.abs_diff(b) < 7;
            assert!(pixel.iter().zip(wanted).all(near), "{at}: {pixel:?}");
        }
    }

    #[test]
    fn what_is_no_picture_is_said() {
        let said = |bytes: &[u8]| {
            let error = Picture::decode("x.png", bytes, &vision(8, 8)).unwrap_err();
            error.to_string()
        };
        assert_eq!(said(b""), "x.png: neither a PNG nor a JPEG picture");
        assert_eq!(
            said(b"GIF89a..."),
            "x.png: neither a PNG nor a JPEG picture"
        );
        let good = png(image::GrayImage::new(50, 40));
        for cut in [20, 40, good.len() - 20] {
            let said = said(&good[..cut]);
            assert!(said.starts_with("x.png: ") && said.len() > 12, "{said}");
        }
        assert!(said(&[0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 0, 0]).starts_with("x.png: "));
        assert!(said(&vec![0; MAX_FILE as usize + 1]).ends_with("67108864 bytes at most"));
        assert!(read(&good, 2000).is_ok());
        assert_eq!(
            read(&good, 1999).unwrap_err(),
            "50x40 pixels, a picture has 1999 at most"
        );
        let error = Picture::open(Path::new("/nowhere.png"), &vision(8, 8));
        assert!(matches!(error, Err(Error::File { .. })));
        let error = Picture::open(Path::new("/tmp"), &vision(8, 8)).unwrap_err();
        assert!(error.to_string().contains("directory"), "{error}");
    }
}
