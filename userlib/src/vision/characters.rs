// SPDX-License-Identifier: MIT OR Apache-2.0

//! What text says: recognisers give, for each column of a line, how likely each character is (CTC, "connectionist temporal
//! classification").

use crate::error::{Error, Result};

/// Characters that a recogniser knows, by number.
#[derive(Debug, Clone)]
pub struct Characters(Vec<String>);

impl Characters {
    /// Takes a text with one a line.  Number 0 of the recogniser is "none", the first line is number 1, and the number
    /// behind the last line is the space.
    pub fn new(lines: &str) -> Self {
        let mut all = vec![String::new()];
        all.extend(lines.lines().map(str::to_owned));
        all.push(" ".into());
        Self(all)
    }

    /// Reads a line of text out of `scores`, with a row of `classes` numbers for each column of the line, and how sure the
    /// recogniser is, 0 to 1: the mean of the scores of the characters.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: the recogniser knows another number of characters, or there are no whole columns.
    pub fn read(&self, scores: &[f32], classes: usize) -> Result<(String, f32)> {
        let known = self.0.len();
        // There are recognisers without a space.
        if classes != known && classes + 1 != known {
            let lines = known - 2;
            return Err(Error::invalid(format!(
                "a recogniser of {classes} classes, but {lines} characters: {known} or {} are needed",
                known - 1
            )));
        }
        if scores.len() % classes != 0 {
            let len = scores.len();
            return Err(Error::invalid(format!(
                "{len} numbers for columns of {classes} classes"
            )));
        }
        let (mut text, mut sum, mut count) = (String::new(), 0.0, 0_u32);
        let mut last = 0;
        for column in scores.chunks_exact(classes) {
            let (best, score) = best(column);
            // The same character in neighbouring columns is one; "none" parts doubles.
            if best != 0 && best != last {
                text.push_str(&self.0[best]);
                sum += score;
                count += 1;
            }
            last = best;
        }
        Ok((text, sum / count.max(1) as f32))
    }
}

/// Returns the first largest of some numbers and where it is.
fn best(column: &[f32]) -> (usize, f32) {
    let all = column.iter().copied().enumerate();
    all.fold((0, f32::NEG_INFINITY), |best, next| match next.1 > best.1 {
        true => next,
        false => best,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns of which each is sure of one class.
    fn columns(classes: usize, best: &[(usize, f32)]) -> Vec<f32> {
        let column = |(class, score): &(usize, f32)| {
            let mut column = vec![0.01; classes];
            column[*class] = *score;
            column
        };
        best.iter().flat_map(column).collect()
    }

    #[test]
    fn doubles_are_parted_by_none() {
        let known = Characters::new("a\nb\nc\n");
        let best = [
            (0, 0.9),
            (1, 0.5),
            (1, 0.9),
            (0, 0.9),
            (1, 1.0),
            (4, 0.75),
            (3, 0.75),
            (3, 0.9),
            (0, 0.9),
        ];
        let (text, score) = known.read(&columns(5, &best), 5).unwrap();
        assert_eq!(text, "aa c");
        assert_eq!(score, 0.75);
    }

    #[test]
    fn odd_outputs() {
        let known = Characters::new("a\nb\nc\n");
        // Without a space.
        let (text, _) = known.read(&columns(4, &[(3, 0.9)]), 4).unwrap();
        assert_eq!(text, "c");
        assert_eq!(known.read(&[], 5).unwrap(), (String::new(), 0.0));
        let (text, _) = known.read(&[f32::NAN; 5], 5).unwrap();
        assert_eq!(text, "");
        for (numbers, classes, says) in [
            (10, 0, "0 classes, but 3 characters"),
            (6, 6, "6 classes"),
            (7, 5, "7 numbers"),
        ] {
            let error = known.read(&vec![0.5; numbers], classes).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
        // A file without lines.
        assert!(Characters::new("").read(&[0.5; 6], 2).is_ok());
    }
}
