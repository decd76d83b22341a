// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the messages of a request say: texts, and pictures that are in them.

use ax650_llm::{Description, Error, Message, Picture};
use serde::Deserialize;

use super::api::ApiError;

/// So many characters of an address are told in an error.
const SHOWN: usize = 40;

/// A message as clients send it.
#[derive(Debug, Deserialize)]
pub struct Said {
    role: String,
    content: Option<Content>,
}

/// What was said: a text, or pieces of one and pictures.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Pieces(Vec<Piece>),
}

#[derive(Debug, Deserialize)]
struct Piece {
    r#type: String,
    text: Option<String>,
    image_url: Option<ImageUrl>,
}

#[derive(Debug, Deserialize)]
struct ImageUrl {
    url: String,
}

/// A message whose form is right.
#[derive(Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Who.
    pub role: String,
    /// The text.
    pub text: String,
    /// Pictures, each a file in Base64 and what errors name it.
    pictures: Vec<(String, String)>,
}

impl Said {
    /// Checks the message, which is number `at` of its request.
    pub fn read(&self, at: usize) -> Result<Spoken, ApiError> {
        let bad = |text: String| ApiError::invalid(Some("messages"), text);
        if !["system", "developer", "user", "assistant"].contains(&&*self.role) {
            let text = format!("messages[{at}].role: {:?} is not known", self.role);
            return Err(bad(text));
        }
        let role = match &*self.role {
            "developer" => "system",
            role => role,
        };
        let mut spoken = Spoken {
            role: role.into(),
            text: String::new(),
            pictures: Vec::new(),
        };
        let pieces = match &self.content {
            None => return Err(bad(format!("messages[{at}].content: nothing"))),
            Some(Content::Text(text)) => {
                spoken.text.clone_from(text);
                return Ok(spoken);
            }
            Some(Content::Pieces(pieces)) => pieces,
        };
        for (number, piece) in pieces.iter().enumerate() {
            let name = format!("messages[{at}].content[{number}]");
            match (&*piece.r#type, &piece.text, &piece.image_url) {
                ("text", Some(text), _) => spoken.text += text,
                ("image_url", _, Some(ImageUrl { url })) => {
                    let name = format!("{name}.image_url.url");
                    let Some(data) = base64_of(url) else {
                        let start: String = url.chars().take(SHOWN).collect();
                        let text =
                            "pictures come as data:image/png;base64,... or jpeg, none is fetched";
                        return Err(bad(format!("{name}: {start:?}: {text}")));
                    };
                    spoken.pictures.push((name, data.into()));
                }
                ("text", None, _) => return Err(bad(format!("{name}.text: nothing"))),
                ("image_url", _, None) => {
                    return Err(bad(format!("{name}.image_url: nothing")));
                }
                (kind, _, _) => return Err(bad(format!("{name}.type: {kind:?} is not known"))),
            }
        }
        Ok(spoken)
    }
}

/// Returns what a data URL has in Base64, if it is one.
fn base64_of(url: &str) -> Option<&str> {
    let (kind, data) = url.strip_prefix("data:")?.split_once(',')?;
    kind.ends_with(";base64").then_some(data)
}

impl Spoken {
    /// Makes the message for the model that is described so, with its pictures.
    pub fn message(&self, description: &Description) -> ax650_llm::Result<Message> {
        let mut message = Message::new(&*self.role, &*self.text);
        for (name, data) in &self.pictures {
            let vision = description.vision()?;
            let bytes = base64::decode(data).map_err(|error| Error::Picture {
                name: name.clone(),
                problem: format!("no Base64: {error}"),
            })?;
            message
                .pictures
                .push(Picture::decode(name, &bytes, vision)?);
        }
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn read(message: serde_json::Value) -> Result<Spoken, String> {
        let said: Said = serde_json::from_value(message).unwrap();
        said.read(3)
            .map_err(|error| error.body()["error"]["message"].to_string())
    }

    fn description() -> Description {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/llm/vision");
        Description::read(Path::new(directory)).unwrap()
    }

    fn image(url: &str) -> serde_json::Value {
        json!({"role": "user", "content": [
            {"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
            {"type": "text", "text": "b"},
        ]})
    }

    #[test]
    fn pictures_are_in_messages() {
        let file = include_bytes!("../../../../../../tests/data/llm/vision/squares.png");
        let url = format!("data:image/png;base64,{}", base64::encode(file));
        let spoken = read(image(&url)).unwrap();
        assert_eq!(spoken.text, "ab");
        let description = description();
        let message = spoken.message(&description).unwrap();
        let vision = description.vision().unwrap();
        let picture = Picture::decode("x", file, vision).unwrap();
        assert_eq!(
            (&*message.content, &message.pictures),
            ("ab", &vec![picture])
        );
    }

    #[test]
    fn bad_messages_are_told_which_field() {
        let content = |content| json!({"role": "user", "content": content});
        for (message, says) in [
            (
                json!({"role": "x", "content": ""}),
                "messages[3].role: \\\"x\\\" is not known",
            ),
            (json!({"role": "user"}), "messages[3].content: nothing"),
            (
                content(json!([{"type": "text"}])),
                "messages[3].content[0].text: nothing",
            ),
            (
                content(json!([{"type": "image_url"}])),
                "messages[3].content[0].image_url: nothing",
            ),
            (
                content(json!([{"type": "sound"}])),
                "messages[3].content[0].type: \\\"sound\\\" is not",
            ),
            (
                image("https://x.org/a.png"),
                "messages[3].content[1].image_url.url: \\\"https://x.org/a.png\\\": pictures",
            ),
            (image("data:image/png,abc"), "none is fetched"),
        ] {
            let said = read(message).unwrap_err();
            assert!(said.contains(says), "{said} does not say {says}");
        }
        let mut description = description();
        let error = |url: &str, description: &Description| {
            let spoken = read(image(url)).unwrap();
            spoken.message(description).unwrap_err().to_string()
        };
        for (url, says) in [
            (
                "data:image/png;base64,?",
                "messages[3].content[1].image_url.url: no Base64: ",
            ),
            (
                "data:image/png;base64,AAAA",
                "neither a PNG nor a JPEG picture",
            ),
        ] {
            let said = error(url, &description);
            assert!(said.contains(says), "{said} does not say {says}");
        }
        description.vision = None;
        assert!(error("data:image/png;base64,AAAA", &description).contains("sees no pictures"));
    }
}
