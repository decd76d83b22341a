// SPDX-License-Identifier: MIT OR Apache-2.0

//! Boxes out of detectors of the family of YOLOv8: one output of a box and the score of each class for every place that was looked
//! at, `1 x (4 + classes) x places`, or the same with the last two exchanged.

use crate::error::{Error, Result};
use crate::media::Letterbox;

/// Numbers of a box ahead of its scores: middle, width and height.
const BOX: usize = 4;

/// Something that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Number of the class.
    pub class: usize,
    /// How sure the model is, 0 to 1.
    pub score: f32,
    /// Left edge, in pixels of the picture.
    pub left: f32,
    /// Upper edge.
    pub top: f32,
    /// Right edge.
    pub right: f32,
    /// Lower edge.
    pub bottom: f32,
}

impl Detection {
    fn area(&self) -> f32 {
        (self.right - self.left) * (self.bottom - self.top)
    }

    /// Returns the share that two boxes have in common of what they cover together.
    fn overlap(&self, other: &Self) -> f32 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        if width <= 0.0 || height <= 0.0 {
            return 0.0;
        }
        let common = width * height;
        common / (self.area() + other.area() - common)
    }
}

/// Finds the boxes in a detector's output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoxFinder {
    /// Boxes of a smaller score do not count.
    pub threshold: f32,
    /// Share that two boxes of a class may have in common; of others the one with the smaller score does not count.
    pub overlap: f32,
    /// Boxes of a picture at most.
    pub most: usize,
}

impl Default for BoxFinder {
    fn default() -> Self {
        Self {
            threshold: 0.25,
            overlap: 0.45,
            most: 300,
        }
    }
}

impl BoxFinder {
    /// Returns the boxes in `output`, which has the dimensions `dims`, as places of the picture that was looked at, the
    /// surest first.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: not the dimensions of such an output.
    pub fn find(&self, output: &[f32], dims: &[u32], place: &Letterbox) -> Result<Vec<Detection>> {
        let table = Table::of(output, dims)?;
        let mut found: Vec<Detection> = (0..table.places)
            .filter_map(|at| table.best(at, self.threshold))
            .collect();
        // The sort is stable: of equal scores the first comes first.
        found.sort_by(|one, other| other.score.total_cmp(&one.score));
        let mut kept: Vec<Detection> = Vec::new();
        for next in found {
            let is_new =
                |old: &Detection| old.class != next.class || old.overlap(&next) <= self.overlap;
            if kept.len() < self.most && kept.iter().all(is_new) {
                kept.push(next);
            }
        }
        let to_picture = |found: Detection| {
            let (left, top) = place.to_source((found.left, found.top));
            let (right, bottom) = place.to_source((found.right, found.bottom));
            Detection {
                left,
                top,
                right,
                bottom,
                ..found
            }
        };
        Ok(kept.into_iter().map(to_picture).collect())
    }
}

/// An output, whichever way it lies.
struct Table<'a> {
    numbers: &'a [f32],
    places: usize,
    classes: usize,
    /// From one number of a place to the next, and from one place to the next.
    steps: (usize, usize),
}

impl<'a> Table<'a> {
    fn of(numbers: &'a [f32], dims: &[u32]) -> Result<Self> {
        let bad = |problem: &str| {
            let dims: Vec<_> = dims.iter().map(u32::to_string).collect();
            let dims = dims.join("x");
            Err(Error::invalid(format!(
                "an output of {dims} has no boxes: {problem}; 1 x (4 + classes) x places is needed, or the last two exchanged"
            )))
        };
        let (rows, columns) = match *dims {
            [1, rows, columns] | [rows, columns] => (rows as usize, columns as usize),
            _ => return bad("not the dimensions of one picture"),
        };
        if rows.checked_mul(columns) != Some(numbers.len()) {
            return bad(&format!("there are {} numbers", numbers.len()));
        }
        // There are more places than classes.
        let (values, places, steps) = match rows.cmp(&columns) {
            std::cmp::Ordering::Less => (rows, columns, (columns, 1)),
            std::cmp::Ordering::Greater => (columns, rows, (1, columns)),
            std::cmp::Ordering::Equal => return bad("which of them are places cannot be told"),
        };
        match values.checked_sub(BOX) {
            None | Some(0) => bad("there are no classes"),
            Some(classes) => Ok(Self {
                numbers,
                places,
                classes,
                steps,
            }),
        }
    }

    fn get(&self, place: usize, value: usize) -> f32 {
        self.numbers[place * self.steps.1 + value * self.steps.0]
    }

    /// Returns the box of a place with its best class, if that reaches `threshold`.
    fn best(&self, place: usize, threshold: f32) -> Option<Detection> {
        let mut best = (0, f32::NEG_INFINITY);
        for class in 0..self.classes {
            let score = self.get(place, BOX + class);
            if score > best.1 {
                best = (class, score);
            }
        }
        let [x, y, width, height] = [0, 1, 2, 3].map(|value| self.get(place, value));
        let is_box = [x, y, width, height].into_iter().all(f32::is_finite);
        (best.1 >= threshold && is_box && width > 0.0 && height > 0.0).then_some(Detection {
            class: best.0,
            score: best.1,
            left: x - width / 2.0,
            top: y - height / 2.0,
            right: x + width / 2.0,
            bottom: y + height / 2.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ONNX Runtime's NonMaxSuppression keeps of the same output: see tests/onnx/boxes.py.
    const OUTPUT: &[u8] = include_bytes!("../../tests/data/boxes.bin");
    const KEPT: &str = include_str!("../../tests/data/boxes.txt");
    const CLASSES: usize = 3;

    fn output() -> Vec<f32> {
        let number = |raw: &[u8]| f32::from_le_bytes(raw.try_into().unwrap());
        OUTPUT.chunks_exact(4).map(number).collect()
    }

    fn whole() -> Letterbox {
        // A power of two, so that nothing is rounded on the way.
        Letterbox::stretch((512, 512), (512, 512))
    }

    #[test]
    fn boxes_are_those_of_onnx_runtime() {
        let numbers = output();
        let places = numbers.len() / (BOX + CLASSES);
        let dims = [1, (BOX + CLASSES) as u32, places as u32];
        let wanted: Vec<Vec<f32>> = KEPT
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                line.split_whitespace()
                    .map(|word| word.parse().unwrap())
                    .collect()
            })
            .collect();
        assert!(wanted.len() > 10 && wanted.len() < places / 2);
        // What is outside of the picture is cut off.
        let wanted: Vec<Vec<f32>> = wanted
            .into_iter()
            .map(|line| {
                let cut =
                    |(at, number): (usize, f32)| if at < 2 { number } else { number.max(0.0) };
                line.into_iter().enumerate().map(cut).collect()
            })
            .collect();
        let found = BoxFinder::default()
            .find(&numbers, &dims, &whole())
            .unwrap();
        let have: Vec<Vec<f32>> = found
            .iter()
            .map(|d| vec![d.class as f32, d.score, d.left, d.top, d.right, d.bottom])
            .collect();
        assert_eq!(have, wanted);
        // The other way round.
        let mut turned = vec![0.0; numbers.len()];
        for (at, number) in numbers.iter().enumerate() {
            turned[at % places * (BOX + CLASSES) + at / places] = *number;
        }
        let dims = [1, places as u32, (BOX + CLASSES) as u32];
        assert_eq!(
            BoxFinder::default().find(&turned, &dims, &whole()).unwrap(),
            found
        );
        // Fewer, of which each is the surest.
        let few = BoxFinder {
            most: 3,
            ..Default::default()
        };
        let dims = [(BOX + CLASSES) as u32, places as u32];
        assert_eq!(few.find(&numbers, &dims, &whole()).unwrap(), found[..3]);
    }

    #[test]
    fn boxes_are_places_of_the_picture() {
        // One box of 64x36 in the middle of a canvas of 640, which shows 1920x1080.
        let column = [320.0, 320.0, 64.0, 36.0, 0.5];
        let output: Vec<f32> = column.into_iter().flat_map(|number| [number; 6]).collect();
        let place = Letterbox::keep((1920, 1080), (640, 640));
        let found = BoxFinder::default()
            .find(&output, &[1, 5, 6], &place)
            .unwrap();
        let edges = |d: &Detection| [d.left, d.top, d.right, d.bottom];
        assert_eq!(found.len(), 1);
        assert_eq!(edges(&found[0]), [864.0, 486.0, 1056.0, 594.0]);
    }

    #[test]
    fn other_outputs_and_numbers_are_refused() {
        let finder = BoxFinder::default();
        for (dims, says) in [
            (&[1, 6, 6][..], "which of them are places"),
            (&[1, 4, 9], "there are no classes"),
            (&[1, 3, 12], "there are no classes"),
            (&[36], "not the dimensions"),
            (&[2, 3, 6], "not the dimensions"),
            (&[1, 5, 8], "there are 36 numbers"),
            (&[u32::MAX, u32::MAX], "there are 36 numbers"),
        ] {
            let error = finder.find(&[0.5; 36], dims, &whole()).unwrap_err();
            assert!(error.to_string().contains(says), "{dims:?}: {error}");
        }
        let mut odd = [1.0; 12];
        for (at, number) in [f32::NAN, f32::INFINITY, -1.0].into_iter().enumerate() {
            odd[at] = number;
        }
        for score in [f32::NAN, 0.2] {
            let numbers = [
                [1.0; 8].as_slice(),
                &[5.0; 8],
                &[2.0; 8],
                &[2.0; 8],
                &[score; 8],
            ]
            .concat();
            assert!(finder
                .find(&numbers, &[1, 5, 8], &whole())
                .unwrap()
                .is_empty());
        }
        let numbers = [odd.as_slice(), &[1.0; 48]].concat();
        // Two of the twelve are no places, nine are one box, and one is beside it.
        let found = finder.find(&numbers, &[1, 5, 12], &whole()).unwrap();
        assert_eq!(found.len(), 2);
    }
}
