// SPDX-License-Identifier: MIT OR Apache-2.0

//! Boxes and names, drawn on NV12 pictures.

use ax650::media::PictureLayout;
use ax650::vision::Detection;

use super::report::Labels;

/// Luma, blue and red of the frames of classes, one after the other.
const COLOURS: [[u8; 3]; 8] = [
    [81, 90, 240],
    [145, 54, 34],
    [210, 16, 146],
    [106, 202, 222],
    [170, 166, 16],
    [120, 60, 190],
    [235, 128, 128],
    [60, 220, 120],
];
const BLACK: [u8; 3] = [16, 128, 128];
/// Columns and rows of a sign, and the gap behind it.
const SIGN: (usize, usize) = (3, 5);
const GAP: usize = 1;

/// Rows of the signs from '0' to '9' and from 'A' to 'Z', 3 bits each, the first in the highest ones.
const DIGITS: [u16; 10] = [
    0o75557, 0o26227, 0o71747, 0o71717, 0o55711, 0o74717, 0o74757, 0o71111, 0o75757, 0o75717,
];
const LETTERS: [u16; 26] = [
    0o25755, 0o65656, 0o34443, 0o65556, 0o74647, 0o74644, 0o34553, 0o55755, 0o72227, 0o11152,
    0o55655, 0o44447, 0o57755, 0o65555, 0o25552, 0o65644, 0o25563, 0o65655, 0o34216, 0o72222,
    0o55557, 0o55552, 0o55775, 0o55255, 0o55222, 0o71247,
];

fn sign(letter: char) -> u16 {
    let from = |first: char, table: &[u16]| {
        let at = (letter.to_ascii_uppercase() as usize).checked_sub(first as usize)?;
        table.get(at).copied()
    };
    match letter {
        ' ' => 0,
        '.' => 0o00002,
        '-' => 0o00700,
        '_' => 0o00007,
        '0'..='9' => from('0', &DIGITS).unwrap_or(0),
        _ => from('A', &LETTERS).unwrap_or(0o77777),
    }
}

/// A picture that is drawn on.
struct Canvas<'a> {
    luma: Vec<&'a mut [u8]>,
    chroma: Vec<&'a mut [u8]>,
    width: usize,
    height: usize,
}

impl Canvas<'_> {
    /// Fills columns and rows, as far as they are in the picture.
    fn fill(&mut self, columns: (usize, usize), rows: (usize, usize), colour: [u8; 3]) {
        let right = columns.1.min(self.width);
        let [luma, blue, red] = colour;
        for y in rows.0..rows.1.min(self.height) {
            for x in columns.0..right {
                self.luma[y][x] = luma;
                self.chroma[y / 2][x & !1] = blue;
                self.chroma[y / 2][x | 1] = red;
            }
        }
    }

    fn text(&mut self, at: (usize, usize), size: usize, text: &str, colour: [u8; 3]) {
        for (place, letter) in text.chars().enumerate() {
            let bits = sign(letter);
            let left = at.0 + place * (SIGN.0 + GAP) * size;
            for row in 0..SIGN.1 {
                for column in 0..SIGN.0 {
                    let bit = (SIGN.1 - 1 - row) * SIGN.0 + SIGN.0 - 1 - column;
                    if (bits >> bit) & 1 != 0 {
                        let (x, y) = (left + column * size, at.1 + row * size);
                        self.fill((x, x + size), (y, y + size), colour);
                    }
                }
            }
        }
    }
}

/// Draws boxes with the names of their classes and their scores.
pub fn boxes(layout: &PictureLayout, bytes: &mut [u8], found: &[Detection], labels: &Labels) {
    let (width, height) = (layout.width as usize, layout.height as usize);
    let mut luma: Vec<&mut [u8]> = layout.rows_mut(bytes).collect();
    let chroma = luma.split_off(height);
    let mut canvas = Canvas {
        luma,
        chroma,
        width,
        height,
    };
    // Wide enough to be seen in a large picture.
    let (line, size) = (2 * (1 + height / 720), 2 + height / 540);
    // The surest are drawn last.
    for found in found.iter().rev() {
        let colour = COLOURS[found.class % COLOURS.len()];
        let edge = |number: f32| number.max(0.0) as usize;
        let (left, right) = (
            edge(found.left),
            edge(found.right).max(edge(found.left) + 1),
        );
        let (top, bottom) = (edge(found.top), edge(found.bottom).max(edge(found.top) + 1));
        canvas.fill((left, right), (top, top + line), colour);
        canvas.fill((left, right), (bottom.saturating_sub(line), bottom), colour);
        canvas.fill((left, left + line), (top, bottom), colour);
        canvas.fill((right.saturating_sub(line), right), (top, bottom), colour);
        let text = match labels.name(found.class) {
            Some(name) => format!("{name} {:.2}", found.score),
            None => format!("{} {:.2}", found.class, found.score),
        };
        let (across, down) = (
            (text.chars().count() * (SIGN.0 + GAP) + GAP) * size,
            (SIGN.1 + 2) * size,
        );
        // Above the box, or in it where there is no room.
        let above = top.checked_sub(down).unwrap_or(top);
        canvas.fill((left, left + across), (above, above + down), colour);
        canvas.text((left + size, above + size), size, &text, BLACK);
    }
}

/// Converts a picture to pixels without gaps, red first, by BT.601.
pub fn rgb(layout: &PictureLayout, bytes: &[u8], full_range: bool) -> Vec<u8> {
    let rows: Vec<&[u8]> = layout.rows(bytes).collect();
    let (luma, chroma) = rows.split_at(layout.height as usize);
    let (low, luma_scale, chroma_scale) = match full_range {
        true => (0.0, 1.0, 1.0),
        false => (16.0, 255.0 / 219.0, 255.0 / 224.0),
    };
    let mut pixels = Vec::with_capacity(3 * layout.width as usize * luma.len());
    for (y, row) in luma.iter().enumerate() {
        for (x, value) in row.iter().enumerate() {
            let pair = &chroma[y / 2][x & !1..];
            let value = (f32::from(*value) - low) * luma_scale;
            let [blue, red] = [pair[0], pair[1]].map(|c| (f32::from(c) - 128.0) * chroma_scale);
            // As `as` cuts off what is no byte.
            let byte = |number: f32| number.round() as u8;
            pixels.push(byte(value + 1.402 * red));
            pixels.push(byte(value - 0.344_136 * blue - 0.714_136 * red));
            pixels.push(byte(value + 1.772 * blue));
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_inside_whatever_the_box() {
        let layout = PictureLayout::new(33, 31, 64).unwrap();
        let whole = |class, left, top, right, bottom| Detection {
            class,
            score: 0.5,
            left,
            top,
            right,
            bottom,
        };
        let labels = Labels::read(None).unwrap();
        let mut bytes = vec![128; layout.size()];
        let odd = [
            whole(3, 0.0, 0.0, 33.0, 31.0),
            whole(1_000_000, 32.9, 30.9, 33.0, 31.0),
            whole(0, 5.0, 5.0, 5.0, 5.0),
            whole(1, f32::NAN, -5.0, 1e30, 1e30),
        ];
        boxes(&layout, &mut bytes, &odd, &labels);
        let pixels = rgb(&layout, &bytes, true);
        assert_eq!(pixels.len(), 33 * 31 * 3);
        // What is between the rows stays.
        assert!(bytes
            .chunks(64)
            .all(|row| row[34..].iter().all(|byte| *byte == 128)));
    }

    #[test]
    fn frames_are_where_the_boxes_are() {
        let layout = PictureLayout::new(64, 64, 64).unwrap();
        let mut bytes = vec![128; layout.size()];
        let found = Detection {
            class: 0,
            score: 1.0,
            left: 20.0,
            top: 30.0,
            right: 50.0,
            bottom: 60.0,
        };
        boxes(&layout, &mut bytes, &[found], &Labels::read(None).unwrap());
        let pixels = rgb(&layout, &bytes, false);
        let at =
            |x: usize, y: usize| <[u8; 3]>::try_from(&pixels[3 * (64 * y + x)..][..3]).unwrap();
        // Red of BT.601, in studio range.
        for (x, y) in [(20, 40), (49, 40), (30, 30), (30, 59)] {
            let [red, green, blue] = at(x, y);
            assert!(red > 250 && green < 5 && blue < 5, "{:?}", at(x, y));
        }
        for (x, y) in [(18, 40), (35, 45), (51, 40), (35, 61)] {
            let [red, green, blue] = at(x, y);
            assert!(red == green && green == blue, "{:?}", at(x, y));
        }
        // Its name is above it.
        assert!(at(20, 20)[0] > 250);
        assert_eq!(sign('1'), DIGITS[1]);
        assert_eq!(sign('z'), LETTERS[25]);
    }

    /// What ffmpeg makes of the same NV12.
    #[test]
    fn colours_are_those_of_bt_601() {
        let layout = PictureLayout::packed(2, 2).unwrap();
        for (yuv, wanted) in [
            ([235, 128, 128], [255, 255, 255]),
            ([16, 128, 128], [0, 0, 0]),
            ([81, 90, 240], [254, 0, 0]),
            ([145, 54, 34], [0, 255, 1]),
            ([41, 240, 110], [0, 0, 255]),
        ] {
            let [y, u, v] = yuv;
            let pixels = rgb(&layout, &[y, y, y, y, u, v], false);
            for (have, want) in pixels[..3].iter().zip(wanted) {
                assert!(have.abs_diff(want) <= 1, "{yuv:?}: {:?}", &pixels[..3]);
            }
        }
    }
}
