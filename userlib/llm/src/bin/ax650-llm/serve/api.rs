// SPDX-License-Identifier: MIT OR Apache-2.0

//! The requests and answers of OpenAI's interface, as far as they are known here.

use ax650_llm::{End, Options, Sampling};
use serde::Deserialize;
use serde_json::{json, Value};

use super::said::{Said, Spoken};

/// Most messages of a request.
const MAX_MESSAGES: usize = 1024;

/// A request to answer a conversation.  Fields that are not known are passed over, as clients send many.
#[derive(Debug, Deserialize)]
pub struct Request {
    /// The model; there is only the one.
    pub model: Option<String>,
    messages: Vec<Said>,
    #[serde(default)]
    pub stream: bool,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<usize>,
    seed: Option<i64>,
    n: Option<u32>,
    stop: Option<Value>,
    tools: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

/// An error as OpenAI's clients read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// Status of HTTP.
    pub status: u16,
    message: String,
    kind: &'static str,
    param: Option<&'static str>,
}

impl ApiError {
    /// A request that cannot be carried out, because of one of its fields.
    pub fn invalid(param: Option<&'static str>, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            message: message.into(),
            kind: "invalid_request_error",
            param,
        }
    }

    /// An error of another kind.
    pub fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            kind,
            param: None,
        }
    }

    /// Makes the answer's body.
    pub fn body(&self) -> Value {
        json!({"error": {
            "message": self.message, "type": self.kind, "param": self.param, "code": Value::Null,
        }})
    }
}

impl From<ax650_llm::Error> for ApiError {
    fn from(error: ax650_llm::Error) -> Self {
        match error {
            ax650_llm::Error::ContextFull { .. } | ax650_llm::Error::Picture { .. } => {
                Self::invalid(Some("messages"), error.to_string())
            }
            ax650_llm::Error::Invalid(_) | ax650_llm::Error::Template(_) => {
                Self::invalid(None, error.to_string())
            }
            _ => Self::new(500, "server_error", error.to_string()),
        }
    }
}

impl Request {
    /// Reads a request and checks what can be checked without the model.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let request: Self = serde_json::from_slice(body)
            .map_err(|error| ApiError::invalid(None, format!("the body: {error}")))?;
        if request.messages.is_empty() || request.messages.len() > MAX_MESSAGES {
            let count = request.messages.len();
            let text = format!("messages: {count}, it must be 1 to {MAX_MESSAGES}");
            return Err(ApiError::invalid(Some("messages"), text));
        }
        if let Some(n) = request.n.filter(|n| *n != 1) {
            return Err(ApiError::invalid(
                Some("n"),
                format!("n: {n}, only 1 is made"),
            ));
        }
        let is_given = |value: &Option<Value>| {
            value.as_ref().is_some_and(|value| {
                !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty())
            })
        };
        for (param, value) in [("stop", &request.stop), ("tools", &request.tools)] {
            if is_given(value) {
                return Err(ApiError::invalid(
                    Some(param),
                    format!("{param}: not supported"),
                ));
            }
        }
        let options = request.options(0);
        options
            .sampling
            .check()
            .map_err(|error| ApiError::invalid(None, error.to_string()))?;
        if options.max_tokens == Some(0) {
            return Err(ApiError::invalid(
                Some("max_tokens"),
                "max_tokens: 0, it must be 1 or more",
            ));
        }
        request.messages()?;
        Ok(request)
    }

    /// Returns how the answer is to be made; `chance` is the seed where none is given.
    pub fn options(&self, chance: u64) -> Options {
        Options {
            max_tokens: self.max_completion_tokens.or(self.max_tokens),
            sampling: Sampling {
                temperature: self.temperature.unwrap_or(1.0),
                top_p: self.top_p.unwrap_or(1.0),
                top_k: self.top_k.unwrap_or(0),
                seed: self.seed.map_or(chance, |seed| seed as u64),
            },
        }
    }

    /// Returns the conversation.
    pub fn messages(&self) -> Result<Vec<Spoken>, ApiError> {
        let messages = self.messages.iter().enumerate();
        messages.map(|(at, said)| said.read(at)).collect()
    }

    /// Says whether a stream is to end with the number of its tokens.
    pub fn wants_usage(&self) -> bool {
        self.stream_options
            .as_ref()
            .is_some_and(|options| options.include_usage)
    }
}

/// Names of the ends of an answer.
pub fn finish_reason(end: End) -> &'static str {
    match end {
        End::Stop | End::Cancelled => "stop",
        End::Length | End::ContextFull => "length",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> String {
        let error = Request::parse(body.as_bytes()).unwrap_err();
        assert_eq!(error.status, 400);
        error.body()["error"]["message"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    #[test]
    fn requests_are_read() {
        let body = r#"{"model":"x","messages":[{"role":"developer","content":"D"},
            {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}],
            "temperature":0.5,"top_p":0.9,"seed":-1,"max_tokens":5,"max_completion_tokens":7,"stop":null,"tools":[],
            "stream":true,"stream_options":{"include_usage":true},"user":"u"}"#;
        let request = Request::parse(body.as_bytes()).unwrap();
        let said = request.messages().unwrap();
        let said: Vec<_> = said.iter().map(|said| (&*said.role, &*said.text)).collect();
        assert_eq!(said, [("system", "D"), ("user", "ab")]);
        let options = request.options(3);
        assert_eq!(options.max_tokens, Some(7));
        assert_eq!(options.sampling.seed, u64::MAX);
        assert_eq!(
            (options.sampling.temperature, options.sampling.top_p),
            (0.5, 0.9)
        );
        assert!(request.stream && request.wants_usage());
        let plain = Request::parse(br#"{"messages":[{"role":"user","content":"a"}]}"#).unwrap();
        assert_eq!(plain.options(3).sampling.seed, 3);
        assert!(!plain.stream && !plain.wants_usage());
    }

    #[test]
    fn bad_requests_are_told_which_field() {
        let with =
            |more: &str| format!(r#"{{"messages":[{{"role":"user","content":"a"}}],{more}}}"#);
        for (body, says) in [
            ("{".to_owned(), "the body: "),
            (r#"{"messages":[]}"#.into(), "messages: 0,"),
            (with(r#""n":2"#), "n: 2,"),
            (with(r#""stop":["x"]"#), "stop: not supported"),
            (with(r#""tools":[{}]"#), "tools: not supported"),
            (with(r#""temperature":-1"#), "temperature -1"),
            (with(r#""top_p":0"#), "top_p 0"),
            (with(r#""max_tokens":0"#), "max_tokens: 0"),
            (with(r#""max_tokens":"many""#), "the body: "),
        ] {
            let said = error(&body);
            assert!(said.starts_with(says), "{body}: {said}");
        }
    }
}
