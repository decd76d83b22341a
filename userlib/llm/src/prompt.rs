// SPDX-License-Identifier: MIT OR Apache-2.0

//! Prompts: the tokens of a conversation, and the pictures that some of them stand for.

use crate::description::Description;
use crate::error::{Error, Result};
use crate::network::Network;
use crate::template::{Message, Template};
use crate::text::Tokens;
use crate::vision::{Picture, Vision};

/// What a model is to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    tokens: Vec<u32>,
    pictures: Vec<Placed>,
}

/// A picture in a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Place of the first token that stands for it.
    pub(crate) first: usize,
    pub(crate) picture: Picture,
}

impl Network {
    /// Makes the prompt of a conversation: the text of the template in tokens, in which each picture has its own.
    ///
    /// # Errors
    ///
    /// [`Error::Template`]; [`Error::Invalid`]: pictures for a model that sees none, or text of which a part stands for one.
    pub fn prompt(&self, messages: &[Message]) -> Result<Prompt> {
        Prompt::of(&self.description, &self.tokens, &self.template, messages)
    }
}

impl Prompt {
    /// Makes a prompt of tokens alone.
    pub fn new(tokens: impl Into<Vec<u32>>) -> Self {
        Self {
            tokens: tokens.into(),
            pictures: Vec::new(),
        }
    }

    /// Returns the tokens; those of pictures are all the same.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    pub(crate) fn pictures(&self) -> &[Placed] {
        &self.pictures
    }

    fn of(
        description: &Description,
        tokens: &Tokens,
        template: &Template,
        messages: &[Message],
    ) -> Result<Self> {
        let pictures = || messages.iter().flat_map(|message| &message.pictures);
        if pictures().next().is_some() {
            description.vision()?;
        }
        let Some(vision) = &description.vision else {
            return Ok(Self::new(tokens.encode(&template.render(messages)?)?));
        };
        let shown = shown(vision, tokens)?;
        let messages: Vec<_> = messages
            .iter()
            .map(|message| {
                let pictures = shown.repeat(message.pictures.len());
                Message::new(&*message.role, pictures + &message.content)
            })
            .collect();
        let tokens = tokens.encode(&template.render(&messages)?)?;
        let places = tokens.iter().enumerate();
        let places = places.filter(|(_, token)| **token == vision.image_token);
        let places: Vec<_> = places.map(|(place, _)| place).collect();
        let (count, wanted) = (places.len(), pictures().count() * vision.tokens);
        let groups = || places.chunks_exact(vision.tokens);
        // What somebody writes may look like a picture, and a template may leave some out.
        if count != wanted
            || groups().any(|group| group[0] + group.len() - 1 != group[group.len() - 1])
        {
            let each = vision.tokens;
            return Err(Error::Invalid(format!(
                "the conversation has {count} times token {}, which stands for pictures; {wanted} are wanted, {each} for each \
                 picture in one piece",
                vision.image_token
            )));
        }
        let pictures = groups().zip(pictures()).map(|(group, picture)| Placed {
            first: group[0],
            picture: picture.clone(),
        });
        Ok(Self {
            pictures: pictures.collect(),
            tokens,
        })
    }
}

/// Returns the text of a picture.
fn shown(vision: &Vision, tokens: &Tokens) -> Result<String> {
    let all = tokens.added(vision.image_token)?.repeat(vision.tokens);
    Ok(format!("{}{all}{}", vision.image_start, vision.image_end))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::LazyLock;

    use super::*;

    const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/llm/vision");

    static TOKENS: LazyLock<Tokens> = LazyLock::new(|| {
        let path = Path::new(TINY).join("tokenizer.json");
        Tokens::read(&path, 299).unwrap()
    });

    fn prompt(change: impl Fn(&mut Description), messages: &[Message]) -> Result<Prompt> {
        let mut description = Description::read(Path::new(TINY))?;
        change(&mut description);
        let template = Template::new(description.chat_template.as_deref())?;
        Prompt::of(&description, &TOKENS, &template, messages)
    }

    fn asked(text: &str, pictures: &[u8]) -> Message {
        let pixels = |value: &u8| Picture::new(32, 32, &[*value; 32 * 32 * 3]).unwrap();
        let mut message = Message::new("user", text);
        message.pictures = pictures.iter().map(pixels).collect();
        message
    }

    /// As tests/llm/reference.py has them.
    #[test]
    fn pictures_become_tokens() {
        let text = include_str!("../../../tests/data/llm/vision.jsonl");
        let mut seen = 0;
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let count = line["images"].as_array().map_or(0, Vec::len);
            let pictures: Vec<u8> = (0..count as u8).collect();
            let message = asked(line["user"].as_str().unwrap(), &pictures);
            let prompt = prompt(|_| (), &[message.clone()]).unwrap();
            let wanted = line["prompt"].as_array().unwrap();
            assert!(prompt.tokens().iter().eq(wanted), "{line}");
            for (placed, picture) in prompt.pictures().iter().zip(&message.pictures) {
                assert_eq!(placed.picture, *picture);
                assert_eq!(prompt.tokens()[placed.first - 1..][..3], [4, 3, 3]);
                assert_eq!(prompt.tokens()[placed.first + 15..][..2], [3, 5]);
            }
            seen += prompt.pictures().len();
        }
        assert_eq!(seen, 6);
    }

    #[test]
    fn pictures_may_be_side_by_side() {
        let bare = |description: &mut Description| {
            let vision = description.vision.as_mut().unwrap();
            vision.image_start.clear();
            vision.image_end.clear();
        };
        let prompt = prompt(bare, &[asked("a", &[1, 2]), asked("b", &[3])]).unwrap();
        let firsts: Vec<_> = prompt
            .pictures()
            .iter()
            .map(|placed| placed.first)
            .collect();
        assert_eq!(firsts[1], firsts[0] + 16);
        assert!(firsts[2] > firsts[1] + 16);
    }

    #[test]
    fn what_does_not_go_is_said() {
        let none = |description: &mut Description| description.vision = None;
        let said = |result: Result<Prompt>| result.unwrap_err().to_string();
        assert!(prompt(none, &[asked("a<image>", &[])]).is_ok());
        assert!(said(prompt(none, &[asked("a", &[1])])).starts_with("tiny-vision sees no pictures"));
        let like = said(prompt(|_| (), &[asked("an <image>", &[])]));
        assert!(
            like.starts_with("the conversation has 1 times token 3,"),
            "{like}"
        );
        let more = said(prompt(|_| (), &[asked("an <image>", &[1])]));
        assert!(
            more.contains("has 17 times token 3") && more.contains("16 are wanted"),
            "{more}"
        );
        let apart = |description: &mut Description| {
            description.chat_template = Some("<image>a{{ '<image>' * 15 }}".into());
        };
        // As many, but not together.
        assert!(said(prompt(apart, &[asked("", &[1])])).contains("in one piece"));
        let plain = |description: &mut Description| {
            description.vision.as_mut().unwrap().image_token = 100;
        };
        assert_eq!(
            said(prompt(plain, &[asked("", &[1])])),
            "100 is none of the added tokens"
        );
    }
}
