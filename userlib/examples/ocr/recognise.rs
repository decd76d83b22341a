// SPDX-License-Identifier: MIT OR Apache-2.0

//! What text says: the recogniser gives, for each column, how likely each character is.

use std::{fs, path::Path};

use ax650::Model;

use crate::{dump::Dump, picture::Picture, run, Result};

/// Turned text is turned back from this probability on.
const TURNED: f32 = 0.9;

/// The characters the recogniser knows, by number.
pub struct Keys(Vec<String>);

impl Keys {
    /// Reads a file with one character a line.  Number 0 is "none", the last is the space.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut keys = vec![String::new()];
        keys.extend(text.lines().map(str::to_owned));
        keys.push(" ".to_owned());
        Ok(Self(keys))
    }
}

/// The tensor for shape group `group` of a model that takes lines of text.
fn line(model: &Model, group: usize, picture: &Picture) -> Vec<f32> {
    let dims = &model.inputs()[0].shapes[group].dims;
    let (height, width) = (dims[2], dims[3]);
    let (across, down) = picture.size();
    let inner = (across * height / down).clamp(1, width);
    picture.tensor((width, height), inner, [0.5; 3], [0.5; 3])
}

/// The picture, turned if it is upside down.
pub fn upright(model: &Model, picture: Picture, dump: &mut Option<Dump>) -> Result<Picture> {
    let (scores, _) = run(model, "cls", 0, &line(model, 0, &picture), dump)?;
    let turned = scores.get(1).is_some_and(|&score| score > TURNED);
    Ok(if turned { picture.turned() } else { picture })
}

/// The text in a picture of one line, and how sure the model is, 0 to 1.
pub fn text(
    model: &Model,
    picture: &Picture,
    keys: &Keys,
    dump: &mut Option<Dump>,
) -> Result<(String, f32)> {
    let (across, down) = picture.size();
    // The narrowest of the model's shapes that the line fits, else the widest.
    let shapes = &model.inputs()[0].shapes;
    let fits = |shape: &ax650::Shape| across * shape.dims[2] <= shape.dims[3] * down;
    let widths = || shapes.iter().enumerate();
    let group = widths()
        .filter(|(_, shape)| fits(shape))
        .min_by_key(|(_, shape)| shape.dims[3])
        .or_else(|| widths().max_by_key(|(_, shape)| shape.dims[3]))
        .map_or(0, |(group, _)| group);
    let (scores, dims) = run(model, "rec", group, &line(model, group, picture), dump)?;
    let classes = *dims
        .last()
        .ok_or("the recogniser's output has no dimensions")? as usize;
    let (mut text, mut last, mut sum, mut count) = (String::new(), 0, 0.0, 0u32);
    for column in scores.chunks_exact(classes.max(1)) {
        let (best, score) = column
            .iter()
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(b.1))
            .ok_or("the recogniser's output is empty")?;
        // The same character in neighbouring columns is one; "none" parts doubles.
        if best != 0 && best != last {
            text.push_str(keys.0.get(best).map_or("?", String::as_str));
            sum += score;
            count += 1;
        }
        last = best;
    }
    Ok((text, sum / count.max(1) as f32))
}
