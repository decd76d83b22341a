// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the description of a model directory says of pictures.

use serde::Deserialize;

use crate::fields;

/// Largest sides of the pictures that encoders take, far above all published ones.
const MAX_SIDE: usize = 4096;

/// How a model looks at pictures.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vision {
    /// File of the encoder.
    pub encoder: String,
    /// Columns of the picture that the encoder takes.
    pub width: usize,
    /// Rows of pixels of that picture.
    pub height: usize,
    /// Tokens that a picture becomes: rows of the encoder's output.
    pub tokens: usize,
    /// The token that stands for each of them in a prompt.
    pub image_token: u32,
    /// Text in front of a picture's tokens.
    #[serde(default)]
    pub image_start: String,
    /// Text behind a picture's tokens.
    #[serde(default)]
    pub image_end: String,
    /// Means of red, green and blue, which are from 0 to 1, for an encoder that takes them normalised.
    #[serde(default)]
    mean: Option<Vec<f32>>,
    /// Their standard deviations.
    #[serde(default)]
    std: Option<Vec<f32>>,
}

/// How red, green and blue are normalised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Normal {
    pub(crate) mean: [f32; 3],
    pub(crate) std: [f32; 3],
}

impl Vision {
    /// Says what is wrong in a description of this `context` and `vocabulary`.
    pub(crate) fn check(&self, context: usize, vocabulary: usize) -> Result<(), String> {
        fields::check_files(&[("vision.encoder", &self.encoder)])?;
        fields::check_numbers(&[
            ("vision.width", self.width, MAX_SIDE),
            ("vision.height", self.height, MAX_SIDE),
            ("vision.tokens", self.tokens, context),
        ])?;
        fields::check_tokens("vision.image_token", &[self.image_token], vocabulary)?;
        for (field, given, other) in [
            ("vision.mean", &self.mean, &self.std),
            ("vision.std", &self.std, &self.mean),
        ] {
            let Some(values) = given else { continue };
            if values.len() != 3 {
                return Err(format!(
                    "{field}: {values:?} is not a number for each colour"
                ));
            }
            if other.is_none() {
                return Err(format!(
                    "{field}: {values:?} without the other of mean and std"
                ));
            }
        }
        let Some(Normal { mean, std }) = self.normal() else {
            return Ok(());
        };
        if let Some(value) = mean.iter().find(|value| !(0.0..=1.0).contains(*value)) {
            return Err(format!("vision.mean: {value} is not from 0 to 1"));
        }
        match std.iter().find(|value| **value <= 0.0 || **value > 1.0) {
            Some(value) => Err(format!("vision.std: {value} is not above 0 and up to 1")),
            None => Ok(()),
        }
    }

    /// Returns how pixels are normalised, if they are.
    pub(crate) fn normal(&self) -> Option<Normal> {
        let of =
            |values: &Option<Vec<f32>>| -> Option<[f32; 3]> { values.as_deref()?.try_into().ok() };
        Some(Normal {
            mean: of(&self.mean)?,
            std: of(&self.std)?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What a good description says.
    pub(crate) fn good() -> serde_json::Value {
        serde_json::json!({
            "encoder": "encoder.axmodel", "width": 448, "height": 448, "tokens": 16, "image_token": 3,
            "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 1],
        })
    }

    fn check(value: serde_json::Value) -> Result<Vision, String> {
        fields::parse(value.to_string().as_bytes(), |vision: &Vision| {
            vision.check(16, 300)
        })
    }

    #[test]
    fn each_bad_field_is_named_with_its_value() {
        let vision = check(good()).unwrap();
        assert_eq!(vision.image_start, "");
        assert_eq!(vision.normal().unwrap().std, [0.25, 0.25, 1.0]);
        for (field, value, says) in [
            (
                "encoder",
                "a/b".into(),
                "vision.encoder: \"a/b\" is no name",
            ),
            ("width", 0.into(), "vision.width: 0 is not from 1 to 4096"),
            (
                "height",
                4097.into(),
                "vision.height: 4097 is not from 1 to 4096",
            ),
            ("tokens", 17.into(), "vision.tokens: 17 is not from 1 to 16"),
            (
                "image_token",
                300.into(),
                "vision.image_token: 300 is not from 0 to 299",
            ),
            ("image_end", 5.into(), "invalid type: integer `5`"),
            (
                "mean",
                vec![0.5].into(),
                "vision.mean: [0.5] is not a number for each",
            ),
            (
                "mean",
                vec![0.5, 0.5, 1.5].into(),
                "vision.mean: 1.5 is not from 0 to 1",
            ),
            (
                "mean",
                serde_json::Value::Null,
                "vision.std: [0.25, 0.25, 1.0] without",
            ),
            (
                "std",
                serde_json::Value::Null,
                "vision.mean: [0.5, 0.5, 0.5] without",
            ),
            (
                "std",
                vec![0.5, 0.0, 0.5].into(),
                "vision.std: 0 is not above 0",
            ),
            (
                "std",
                vec![0.5, 0.5, 2.0].into(),
                "vision.std: 2 is not above 0",
            ),
            (
                "std",
                vec![0.5, 0.5, 0.5, 0.5].into(),
                "vision.std: [0.5, 0.5, 0.5, 0.5] is not a",
            ),
            ("patch", 14.into(), "unknown field `patch`"),
        ] {
            let mut vision = good();
            vision[field] = value;
            let said = check(vision).unwrap_err();
            assert!(said.contains(says), "{field}: {said}");
        }
        let mut without = good();
        without.as_object_mut().unwrap().remove("image_token");
        let said = check(without).unwrap_err();
        assert!(said.contains("missing field `image_token`"), "{said}");
    }
}
