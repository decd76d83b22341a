// SPDX-License-Identifier: MIT OR Apache-2.0

//! The description of a directory, `speech.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::FRAMES_A_STEP;
use crate::error::{Error, Result};
use crate::fields;

/// Name of the description in the directory.
pub const FILE: &str = "speech.json";

/// Bounds, far above all published models; those of the audio keep a window's sound below an hour.
const MAX_MELS: usize = 256;
const MAX_AUDIO_CONTEXT: usize = 1 << 17;
const MAX_STATE: usize = 1 << 16;
const MAX_LAYERS: usize = 120;
const MAX_CONTEXT: usize = 1 << 13;
const MAX_VOCABULARY: usize = 1 << 20;

/// What is in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Name of the model, for people.
    pub name: String,
    /// Bands of the spectrum.
    pub mels: usize,
    /// Places of the encoder's output: two frames, of 10 ms each, for each of them are a window.
    pub audio_context: usize,
    /// Elements of one place of the encoder's output, and of the keys of a token in one layer of the decoder.
    pub state: usize,
    /// Layers of the decoder.
    pub layers: usize,
    /// Tokens that the decoder's caches hold.
    pub context: usize,
    /// Number of tokens.
    pub vocabulary: usize,
    /// File of the encoder.
    pub encoder: String,
    /// File of the decoder's first run.
    pub main: String,
    /// File of the decoder's later runs.
    #[serde(rename = "loop")]
    pub later: String,
    /// File of the tokenizer.
    pub tokenizer: String,
    /// Tokens that are no text.
    pub tokens: Special,
    /// Tokens that are never chosen.
    pub suppress: Vec<u32>,
    /// Tokens that are not chosen as the first of a window.
    pub suppress_first: Vec<u32>,
}

/// Tokens that are no text.  Those below [`Special::end`] are text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Special {
    /// Ends what is said in a window.
    pub end: u32,
    /// Begins it.
    pub start: u32,
    /// Is likely behind `start` if nothing is said.
    pub no_speech: u32,
    /// The first of the times, from the begin of the window in steps of 20 ms: one more than `audio_context`.
    pub timestamps: u32,
    /// Asks for text in the language that is spoken; only of models that know several.
    #[serde(default)]
    pub transcribe: Option<u32>,
    /// Languages, if the model knows several.
    #[serde(default)]
    pub languages: BTreeMap<String, u32>,
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
            ("mels", self.mels, MAX_MELS),
            ("audio_context", self.audio_context, MAX_AUDIO_CONTEXT),
            ("state", self.state, MAX_STATE),
            ("layers", self.layers, MAX_LAYERS),
            ("context", self.context, MAX_CONTEXT),
            ("vocabulary", self.vocabulary, MAX_VOCABULARY),
        ])?;
        fields::check_files(&[
            ("encoder", &self.encoder),
            ("main", &self.main),
            ("loop", &self.later),
            ("tokenizer", &self.tokenizer),
        ])?;
        let special = &self.tokens;
        let languages: Vec<u32> = special.languages.values().copied().collect();
        for (field, tokens) in [
            (
                "tokens",
                &[special.end, special.start, special.no_speech][..],
            ),
            ("tokens.languages", &languages),
            ("suppress", &self.suppress),
            ("suppress_first", &self.suppress_first),
        ] {
            fields::check_tokens(field, tokens, self.vocabulary)?;
        }
        let transcribe: Vec<u32> = special.transcribe.into_iter().collect();
        fields::check_tokens("tokens.transcribe", &transcribe, self.vocabulary)?;
        if special.end >= special.timestamps {
            let (end, times) = (special.end, special.timestamps);
            return Err(format!(
                "tokens.timestamps: {times} is not above end, {end}"
            ));
        }
        if special.timestamps as usize + self.audio_context >= self.vocabulary {
            return Err(format!(
                "tokens.timestamps: {} leaves less than audio_context + 1 tokens of {}",
                special.timestamps, self.vocabulary
            ));
        }
        if special.languages.is_empty() != special.transcribe.is_none() {
            return Err("tokens: there are languages and transcribe, or neither".into());
        }
        if self.prompt(languages.first().copied()).len() >= self.context {
            return Err(format!("context: {} leaves no room for text", self.context));
        }
        Ok(())
    }

    /// Returns how many frames are a window.
    pub(crate) fn frames(&self) -> usize {
        FRAMES_A_STEP * self.audio_context
    }

    /// Returns what the decoder is told first, in a language if the model knows several.
    pub(crate) fn prompt(&self, language: Option<u32>) -> Vec<u32> {
        let start = [Some(self.tokens.start), language, self.tokens.transcribe];
        start.into_iter().flatten().collect()
    }

    /// Returns the token of a language.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: the model does not know it, or only one.
    pub fn language(&self, name: &str) -> Result<u32> {
        let known = &self.tokens.languages;
        known.get(name).copied().ok_or_else(|| {
            let names: Vec<_> = known.keys().map(String::as_str).collect();
            Error::Invalid(match names[..] {
                [] => format!("language {name:?}: this model has no choice of languages"),
                _ => format!("language {name:?}: the model knows {}", names.join(", ")),
            })
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::{json, Value};

    pub(crate) fn parse(text: &[u8]) -> Result<Description, String> {
        fields::parse(text, Description::check)
    }

    /// A description that is good.
    pub(crate) fn good() -> Value {
        json!({
            "name": "tiny", "mels": 80, "audio_context": 10, "state": 8, "layers": 2, "context": 16, "vocabulary": 61,
            "encoder": "e", "main": "m", "loop": "l", "tokenizer": "t",
            "tokens": {
                "end": 40, "start": 41, "no_speech": 42, "timestamps": 49, "transcribe": 43,
                "languages": {"en": 44, "de": 45},
            },
            "suppress": [41, 42], "suppress_first": [40],
        })
    }

    #[test]
    fn each_bad_field_is_named_with_its_value() {
        let description = parse(good().to_string().as_bytes()).unwrap();
        assert_eq!(description.frames(), 20);
        assert_eq!(description.prompt(Some(45)), [41, 45, 43]);
        assert_eq!(description.language("de").unwrap(), 45);
        assert_eq!(
            description.language("xx").unwrap_err().to_string(),
            "language \"xx\": the model knows de, en"
        );
        for (pointer, value, says) in [
            ("/name", json!(""), "name: \"\" is no name"),
            ("/mels", json!(0), "mels: 0 is not from 1 to 256"),
            ("/layers", json!(121), "layers: 121 is not from 1 to 120"),
            ("/main", json!("a/b"), "main: \"a/b\" is no name of a file"),
            ("/suppress", json!([61]), "suppress: 61 is not from 0 to 60"),
            ("/tokens/start", json!(61), "tokens: 61 is not from 0 to 60"),
            (
                "/tokens/languages/en",
                json!(99),
                "tokens.languages: 99 is not",
            ),
            (
                "/tokens/transcribe",
                json!(61),
                "tokens.transcribe: 61 is not",
            ),
            (
                "/tokens/transcribe",
                json!(null),
                "there are languages and transcribe, or neither",
            ),
            (
                "/tokens/end",
                json!(49),
                "tokens.timestamps: 49 is not above end, 49",
            ),
            (
                "/tokens/timestamps",
                json!(51),
                "tokens.timestamps: 51 leaves less than",
            ),
            ("/context", json!(3), "context: 3 leaves no room for text"),
            ("/tokens/color", json!(1), "unknown field `color`"),
        ] {
            let mut description = good();
            match description.pointer_mut(pointer) {
                Some(field) => *field = value,
                None => description["tokens"]["color"] = value,
            }
            let said = parse(description.to_string().as_bytes()).unwrap_err();
            assert!(said.contains(says), "{pointer}: {said}");
        }
    }
}
