// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is asked of a picture: boxes, classes, a vector.

use std::path::Path;

use ax650::media::PictureResult;
use ax650::vision::{floats, normalize, softmax, top, BoxFinder, Detection};
use ax650::{Model, TensorInfo};
use serde_json::{json, Value};

use super::report::Labels;
use crate::args::{Classify, Detect};
use crate::failure::Failure;

/// What was seen in a picture.
pub struct Seen {
    /// Name of the member of the picture's line, and what it holds.
    pub member: (&'static str, Value),
    /// Boxes, to be drawn.
    pub boxes: Vec<Detection>,
}

/// A question.
pub trait Task: Sync {
    /// Reads the answer out of what the model has left.
    fn read(&self, result: &PictureResult, labels: &Labels) -> Result<Seen, Failure>;
}

/// Finds things.
pub struct Boxes {
    finder: BoxFinder,
    output: TensorInfo,
}

/// Names what the picture shows.
pub struct Classes {
    top: usize,
    softmax: bool,
    output: TensorInfo,
}

/// Says where the picture is among others.
pub struct Vector {
    raw: bool,
    output: TensorInfo,
}

fn output(model: &Model, path: &Path) -> Result<TensorInfo, Failure> {
    match model.outputs() {
        [output, ..] if output.shapes[0].elements().is_some_and(|count| count > 0) => {
            Ok(output.clone())
        }
        _ => Err(Failure::of(format!(
            "{}: the model's first output is empty",
            path.display()
        ))),
    }
}

impl Boxes {
    /// Checks that the model is a detector.
    pub fn of(model: &Model, options: &Detect) -> Result<Self, Failure> {
        let path = &options.look.model;
        if model.outputs().len() != 1 {
            let (path, count) = (path.display(), model.outputs().len());
            return Err(Failure::of(format!(
                "{path}: a detector with one output is needed, this model has {count}"
            )));
        }
        let finder = BoxFinder {
            threshold: options.threshold,
            overlap: options.nms,
            ..Default::default()
        };
        let output = output(model, path)?;
        Ok(Self { finder, output })
    }
}

impl Classes {
    /// Checks that the model has scores.
    pub fn of(model: &Model, options: &Classify) -> Result<Self, Failure> {
        Ok(Self {
            top: options.top,
            softmax: options.softmax,
            output: output(model, &options.look.model)?,
        })
    }
}

impl Vector {
    /// Checks that the model has a vector.
    pub fn of(model: &Model, path: &Path, raw: bool) -> Result<Self, Failure> {
        let output = output(model, path)?;
        Ok(Self { raw, output })
    }
}

fn numbers(output: &TensorInfo, result: &PictureResult) -> Result<Vec<f32>, Failure> {
    let mut numbers = floats(&result.outputs[0], output.data_type)?;
    // More bytes may follow the elements.
    numbers.truncate(output.shapes[0].elements().unwrap_or(0));
    Ok(numbers)
}

/// Rounds to 4 digits behind the point.
pub fn rounded(score: f32) -> f64 {
    (f64::from(score) * 1e4).round() / 1e4
}

/// Rounds to tenths of pixels, which are more than a model knows.
pub fn tenths(number: f32) -> f64 {
    (f64::from(number) * 10.0).round() / 10.0
}

fn named(mut object: Value, class: usize, labels: &Labels) -> Value {
    if let Some(name) = labels.name(class) {
        object["label"] = name.into();
    }
    object
}

impl Task for Boxes {
    fn read(&self, result: &PictureResult, labels: &Labels) -> Result<Seen, Failure> {
        let numbers = numbers(&self.output, result)?;
        let dims = &self.output.shapes[0].dims;
        let boxes = self.finder.find(&numbers, dims, &result.place)?;
        let list = boxes.iter().map(|found| found_json(found, labels));
        Ok(Seen {
            member: ("detections", list.collect()),
            boxes,
        })
    }
}

fn found_json(found: &Detection, labels: &Labels) -> Value {
    let edges = [found.left, found.top, found.right, found.bottom].map(tenths);
    let object = json!({"class": found.class, "score": rounded(found.score), "box": edges});
    named(object, found.class, labels)
}

impl Task for Classes {
    fn read(&self, result: &PictureResult, labels: &Labels) -> Result<Seen, Failure> {
        let scores = match (numbers(&self.output, result)?, self.softmax) {
            (scores, true) => softmax(&scores),
            (scores, false) => scores,
        };
        let best = top(&scores, self.top).into_iter().map(|(class, score)| {
            let object = json!({"class": class, "score": rounded(score)});
            named(object, class, labels)
        });
        Ok(Seen {
            member: ("classes", best.collect()),
            boxes: Vec::new(),
        })
    }
}

impl Task for Vector {
    fn read(&self, result: &PictureResult, _: &Labels) -> Result<Seen, Failure> {
        let mut vector = numbers(&self.output, result)?;
        if !self.raw {
            normalize(&mut vector);
        }
        Ok(Seen {
            member: ("embedding", vector.into()),
            boxes: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_objects() {
        let found = Detection {
            class: 1,
            score: 0.876_543,
            left: 1.04,
            top: 2.0,
            right: 30.96,
            bottom: 40.0,
        };
        let labels = Labels::of(&["cat", "dog"]);
        assert_eq!(
            found_json(&found, &labels).to_string(),
            r#"{"box":[1.0,2.0,31.0,40.0],"class":1,"label":"dog","score":0.8765}"#
        );
        let third = Detection { class: 2, ..found };
        assert!(found_json(&third, &labels).get("label").is_none());
    }
}
