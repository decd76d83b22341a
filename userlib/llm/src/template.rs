// SPDX-License-Identifier: MIT OR Apache-2.0

//! Chat templates: from messages to the text that the model continues.

use minijinja::{context, Environment, ErrorKind};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::vision::Picture;

/// Steps that a template may take: one that goes on for ever ends here.
const FUEL: u64 = 10_000_000;

/// Name of the template in its environment.
const NAME: &str = "chat";

/// What somebody has said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who: `system`, `user` or `assistant`.
    pub role: String,
    /// What.
    pub content: String,
    /// Pictures in front of that.
    #[serde(skip)]
    pub pictures: Vec<Picture>,
}

impl Message {
    /// Makes a message.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
            pictures: Vec::new(),
        }
    }
}

/// A chat template.
#[derive(Debug)]
pub struct Template {
    /// `None`: the text of the messages as it is.
    environment: Option<Environment<'static>>,
}

impl Template {
    /// Reads a template in Jinja.
    ///
    /// # Errors
    ///
    /// [`Error::Template`].
    pub fn new(source: Option<&str>) -> Result<Self> {
        let Some(source) = source else {
            return Ok(Self { environment: None });
        };
        let mut environment = Environment::new();
        // As the programs that templates are published for have it.
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(FUEL));
        environment.add_function(
            "raise_exception",
            |text: String| -> Result<String, minijinja::Error> {
                Err(minijinja::Error::new(ErrorKind::InvalidOperation, text))
            },
        );
        environment
            .add_template_owned(NAME, source.to_owned())
            .map_err(failed)?;
        Ok(Self {
            environment: Some(environment),
        })
    }

    /// Makes the text that ends where the model is to answer.
    ///
    /// # Errors
    ///
    /// [`Error::Template`], among others what the template itself has against the messages.
    pub fn render(&self, messages: &[Message]) -> Result<String> {
        let Some(environment) = &self.environment else {
            let texts: Vec<_> = messages.iter().map(|message| &*message.content).collect();
            return Ok(texts.join("\n"));
        };
        let template = environment.get_template(NAME).map_err(failed)?;
        let values = context! { messages, add_generation_prompt => true };
        template.render(values).map_err(failed)
    }
}

fn failed(error: minijinja::Error) -> Error {
    Error::Template(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As SmolLM2 has it.
    const CHATML: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}\
        {{ '<|im_start|>system\nBe nice<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + \
        message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}\
        {{ '<|im_start|>assistant\n' }}{% endif %}";

    #[test]
    fn messages_become_text() {
        let template = Template::new(Some(CHATML)).unwrap();
        let said = [Message::new("user", "Hi {{ there }}")];
        assert_eq!(
            template.render(&said).unwrap(),
            "<|im_start|>system\nBe nice<|im_end|>\n<|im_start|>user\nHi {{ there }}<|im_end|>\n<|im_start|>assistant\n"
        );
        let said = [Message::new("system", "S"), Message::new("user", "U")];
        let text = template.render(&said).unwrap();
        assert!(text.starts_with("<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU"));
        let plain = Template::new(None).unwrap();
        assert_eq!(plain.render(&said).unwrap(), "S\nU");
    }

    #[test]
    fn bad_templates_end_with_a_message() {
        let error = |source: &str| match Template::new(Some(source)) {
            Ok(template) => template.render(&[]).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        assert!(error("{% for %}").starts_with("chat template: syntax error"));
        assert!(error("{{ raise_exception('no system role') }}").contains("no system role"));
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}";
        assert!(error(endless).contains("fuel"), "{}", error(endless));
    }
}
