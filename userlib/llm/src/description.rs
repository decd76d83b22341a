// SPDX-License-Identifier: MIT OR Apache-2.0

//! The description of a model directory, `model.json`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::fields;
use crate::vision::Vision;

/// Name of the description in the directory.
pub const FILE: &str = "model.json";

/// What stands for the number of a layer in the name of its file.
const NUMBER: &str = "{}";

/// Most layers: the steps of a token are one request to the driver, and those around the layers need room in it.
const MAX_LAYERS: usize = 120;
/// Bounds of what is not bounded by anything else, far above all published models.
const MAX_WIDTH: usize = 1 << 16;
const MAX_CONTEXT: usize = 1 << 17;
const MAX_VOCABULARY: usize = 1 << 20;

/// What is in a model directory.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Name of the model, for people and clients.
    pub name: String,
    /// Number of decoder layers.
    pub layers: usize,
    /// Elements of the hidden state of one token.
    pub hidden_size: usize,
    /// Elements of the keys of one token in one layer, and of its values.
    pub kv_size: usize,
    /// Tokens that the caches hold.
    pub context: usize,
    /// Number of tokens of the vocabulary: rows of the embeddings, outputs of the head.
    pub vocabulary: usize,
    /// File of a layer, with `{}` for its number, from 0.
    pub layer: String,
    /// File of the head.
    pub head: String,
    /// File of the token embeddings: rows of bfloat16.
    pub embeddings: String,
    /// File of the tokenizer.
    pub tokenizer: String,
    /// Tokens that end an answer.
    pub end_tokens: Vec<u32>,
    /// The chat template, in Jinja; without one the prompt is the text of the messages.
    #[serde(default)]
    pub chat_template: Option<String>,
    /// How the model looks at pictures, if it does.
    #[serde(default)]
    pub vision: Option<Vision>,
}

impl Description {
    /// Reads and checks the description of a directory.
    ///
    /// # Errors
    ///
    /// [`Error::File`]; [`Error::Directory`], which names the field and its value.
    pub fn read(directory: &Path) -> Result<Self> {
        fields::read(&directory.join(FILE), Self::check)
    }

    fn check(&self) -> Result<(), String> {
        fields::check_name(&self.name)?;
        fields::check_numbers(&[
            ("layers", self.layers, MAX_LAYERS),
            ("hidden_size", self.hidden_size, MAX_WIDTH),
            ("kv_size", self.kv_size, MAX_WIDTH),
            ("context", self.context, MAX_CONTEXT),
            ("vocabulary", self.vocabulary, MAX_VOCABULARY),
        ])?;
        fields::check_files(&[
            ("layer", &self.layer),
            ("head", &self.head),
            ("embeddings", &self.embeddings),
            ("tokenizer", &self.tokenizer),
        ])?;
        if self.layer.matches(NUMBER).count() != 1 {
            return Err(format!(
                "layer: {:?} does not have {NUMBER:?} once, for the layer's number",
                self.layer
            ));
        }
        fields::check_tokens("end_tokens", &self.end_tokens, self.vocabulary)?;
        match &self.vision {
            Some(vision) => vision.check(self.context, self.vocabulary),
            None => Ok(()),
        }
    }

    /// Returns how the model looks at pictures.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: it does not.
    pub fn vision(&self) -> Result<&Vision> {
        self.vision.as_ref().ok_or_else(|| {
            let name = &self.name;
            Error::Invalid(format!(
                "{name} sees no pictures: its {FILE} has no `vision`"
            ))
        })
    }

    /// Returns the file of layer `number` in `directory`.
    pub fn layer_file(&self, directory: &Path, number: usize) -> PathBuf {
        directory.join(self.layer.replace(NUMBER, &number.to_string()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Result<Description, String> {
        fields::parse(text, Description::check)
    }

    /// A description that is good.
    pub(crate) fn good() -> serde_json::Value {
        serde_json::json!({
            "name": "tiny", "layers": 2, "hidden_size": 8, "kv_size": 4, "context": 16, "vocabulary": 300,
            "layer": "layer_{}.axmodel", "head": "head.axmodel", "embeddings": "embeddings.bf16",
            "tokenizer": "tokenizer.json", "end_tokens": [2],
        })
    }

    fn problem(field: &str, value: serde_json::Value) -> String {
        let mut description = good();
        description[field] = value;
        parse(description.to_string().as_bytes()).unwrap_err()
    }

    #[test]
    fn each_bad_field_is_named_with_its_value() {
        let description = parse(good().to_string().as_bytes()).unwrap();
        assert_eq!(
            description.layer_file(Path::new("d"), 1),
            Path::new("d/layer_1.axmodel")
        );
        let said = description.vision().unwrap_err().to_string();
        assert_eq!(
            said,
            "tiny sees no pictures: its model.json has no `vision`"
        );
        let with = |field: &str, value: serde_json::Value| {
            let mut vision = crate::vision::tests::good();
            vision[field] = value;
            vision
        };
        for (field, value, says) in [
            ("name", "".into(), "name: \"\" is no name"),
            ("name", "a\nb".into(), "name: \"a\\nb\" is no name"),
            ("layers", 0.into(), "layers: 0 is not from 1 to 120"),
            ("layers", 121.into(), "layers: 121 is not"),
            ("hidden_size", 65537.into(), "hidden_size: 65537 is not"),
            ("kv_size", 0.into(), "kv_size: 0 is not"),
            ("context", 131_073.into(), "context: 131073 is not"),
            ("vocabulary", 0.into(), "vocabulary: 0 is not"),
            (
                "layer",
                "layer.onnx".into(),
                "layer: \"layer.onnx\" does not have",
            ),
            ("layer", "{}{}".into(), "layer: \"{}{}\" does not have"),
            (
                "head",
                "../head".into(),
                "head: \"../head\" is no name of a file",
            ),
            ("embeddings", "".into(), "embeddings: \"\" is no name"),
            ("tokenizer", "..".into(), "tokenizer: \"..\" is no name"),
            (
                "end_tokens",
                vec![300].into(),
                "end_tokens: 300 is not from 0 to 299",
            ),
            ("layers", (-1).into(), "-1"),
            ("layers", "two".into(), "two"),
            ("color", "red".into(), "unknown field `color`"),
            (
                "vision",
                with("width", 0.into()),
                "vision.width: 0 is not from 1 to 4096",
            ),
            (
                "vision",
                with("tokens", 17.into()),
                "vision.tokens: 17 is not from 1 to 16",
            ),
        ] {
            let said = problem(field, value);
            assert!(said.contains(says), "{field}: {said}");
        }
        let mut without = good();
        without.as_object_mut().unwrap().remove("kv_size");
        let said = parse(without.to_string().as_bytes()).unwrap_err();
        assert!(said.contains("missing field `kv_size`"), "{said}");
        assert!(parse(b"[").is_err());
    }
}
