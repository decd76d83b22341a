// SPDX-License-Identifier: MIT OR Apache-2.0

//! Between text and tokens.

use std::path::Path;

use tokenizers::Tokenizer;

use crate::error::{Error, Result};

/// The tokenizer of a model.
#[derive(Debug)]
pub struct Tokens(Tokenizer);

impl Tokens {
    /// Reads `tokenizer.json`, which must have no more than `vocabulary` tokens.
    ///
    /// # Errors
    ///
    /// [`Error::File`]; [`Error::Directory`]: no tokenizer, or one of more tokens.
    pub fn read(path: &Path, vocabulary: usize) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| Error::file(path, error))?;
        let tokenizer = Tokenizer::from_bytes(bytes)
            .map_err(|error| Error::directory(path, format!("no tokenizer: {error}")))?;
        let most = tokenizer.get_vocab(true).into_values().max();
        match most {
            Some(most) if (most as usize) < vocabulary => Ok(Self(tokenizer)),
            Some(most) => Err(Error::directory(
                path,
                format!("it has a token {most}, but the vocabulary is {vocabulary}"),
            )),
            None => Err(Error::directory(path, "it has no tokens")),
        }
    }

    /// Turns text into tokens; what looks like a special token is one.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: text that the tokenizer cannot do with.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoded = self.0.encode_fast(text, false);
        encoded
            .map(|encoding| encoding.get_ids().to_vec())
            .map_err(|error| Error::Invalid(format!("this text has no tokens: {error}")))
    }

    /// Returns the text that becomes `token`, which must be one that was added to the vocabulary: such text becomes nothing else.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: it is none of them.
    pub(crate) fn added(&self, token: u32) -> Result<String> {
        let added = self.0.get_added_tokens_decoder();
        let added = added.get(&token).map(|added| added.content.clone());
        added.ok_or_else(|| Error::Invalid(format!("{token} is none of the added tokens")))
    }

    /// Turns tokens into text, without special ones.
    ///
    /// # Errors
    ///
    /// [`Error::Answer`]: tokens that the tokenizer cannot do with.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        self.0
            .decode(tokens, true)
            .map_err(|error| Error::Answer(format!("tokens without text: {error}")))
    }
}

/// Turns tokens into text as they come, in whole characters.
#[derive(Debug)]
pub struct TextStream<'a> {
    tokens: &'a Tokens,
    so_far: Vec<u32>,
    /// Bytes of the text that were given out.
    given: usize,
}

impl<'a> TextStream<'a> {
    /// Begins a text.
    pub fn new(tokens: &'a Tokens) -> Self {
        Self {
            tokens,
            so_far: Vec::new(),
            given: 0,
        }
    }

    /// Takes the next token and returns the text that is certain now: a character that is not whole yet waits.
    ///
    /// # Errors
    ///
    /// Those of [`Tokens::decode`].
    pub fn push(&mut self, token: u32) -> Result<String> {
        self.so_far.push(token);
        let text = self.tokens.decode(&self.so_far)?;
        // The last one may be the beginning of something.
        Ok(self.take(
            text.strip_suffix(char::REPLACEMENT_CHARACTER)
                .unwrap_or(&text),
        ))
    }

    /// Returns what is left at the end.
    ///
    /// # Errors
    ///
    /// Those of [`Tokens::decode`].
    pub fn finish(&mut self) -> Result<String> {
        let text = self.tokens.decode(&self.so_far)?;
        Ok(self.take(&text))
    }

    fn take(&mut self, text: &str) -> String {
        let new = text.get(self.given..).unwrap_or_default().to_owned();
        self.given += new.len();
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/data/llm/tiny/tokenizer.json"
    );

    #[test]
    fn text_goes_there_and_back() {
        let tokens = Tokens::read(Path::new(TINY), 296).unwrap();
        for text in ["", "the other one", "Größe 水 \u{1F600}", "a\n\t b"] {
            let encoded = tokens.encode(text).unwrap();
            assert_eq!(tokens.decode(&encoded).unwrap(), text);
            // As it streams: no half characters, all of it in the end.
            let mut stream = TextStream::new(&tokens);
            let mut streamed = String::new();
            for token in encoded {
                let piece = stream.push(token).unwrap();
                assert!(!piece.contains(char::REPLACEMENT_CHARACTER), "{piece:?}");
                streamed += &piece;
            }
            streamed += &stream.finish().unwrap();
            assert_eq!(streamed, text);
        }
        assert_eq!(tokens.encode("<|im_start|>th").unwrap(), [1, 259]);
        assert_eq!(tokens.decode(&[1, 259, 2]).unwrap(), "th");
    }

    /// Bytes that are no text, as a model may say them, are marked, and stream as they are decoded at once.
    #[test]
    fn what_is_no_text_streams_as_well() {
        let tokens = Tokens::read(Path::new(TINY), 296).unwrap();
        let noise: Vec<u32> = (0..250)
            .map(|at| 3 + (at * 97 + at * at * 31) % 290)
            .collect();
        let mut stream = TextStream::new(&tokens);
        let mut streamed: String = noise
            .iter()
            .map(|token| stream.push(*token).unwrap())
            .collect();
        streamed += &stream.finish().unwrap();
        assert_eq!(streamed, tokens.decode(&noise).unwrap());
        assert!(streamed.contains(char::REPLACEMENT_CHARACTER));
    }

    #[test]
    fn bad_tokenizers_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokenizer.json");
        std::fs::write(&path, "{}").unwrap();
        let error = Tokens::read(&path, 10).unwrap_err().to_string();
        assert!(error.contains("tokenizer.json: no tokenizer: "), "{error}");
        let error = Tokens::read(Path::new(TINY), 200).unwrap_err().to_string();
        assert!(
            error.ends_with("it has a token 295, but the vocabulary is 200"),
            "{error}"
        );
        assert!(matches!(
            Tokens::read(&directory.path().join("x"), 1),
            Err(Error::File { .. })
        ));
    }
}
