// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files with one picture.

use std::io::Write;
use std::path::Path;

use crate::failure::Failure;
use crate::output::{refuse_existing, Output};

/// Tells whether a file is one by its name.
pub fn is_png(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("png"))
}

/// Refuses a file of another kind, and one that is there.
pub fn check(path: &Path, force: bool) -> Result<(), Failure> {
    if !is_png(path) {
        let path = path.display();
        return Err(Failure::usage(format!(
            "{path}: give a .png file for a picture"
        )));
    }
    if force {
        return Ok(());
    }
    refuse_existing(path)
}

/// Writes pixels without gaps, red first.
pub fn write(path: &Path, force: bool, size: (u32, u32), pixels: &[u8]) -> Result<(), Failure> {
    let mut output = Output::create(path, force)?;
    encode(&mut output, size, pixels)
        .map_err(|error| Failure::of(format!("{}: {error}", path.display())))?;
    output.commit()
}

fn encode(
    output: &mut dyn Write,
    size: (u32, u32),
    pixels: &[u8],
) -> Result<(), png::EncodingError> {
    let mut encoder = png::Encoder::new(output, size.0, size.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()
}
