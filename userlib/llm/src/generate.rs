// SPDX-License-Identifier: MIT OR Apache-2.0

//! Answers: from a prompt, token by token, to an end.

use std::time::{Duration, Instant};

use crate::chat::Chat;
use crate::error::{Error, Result};
use crate::prompt::Prompt;
use crate::sampling::{Sampler, Sampling};
use crate::text::TextStream;

/// How an answer is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Most tokens of the answer; `None`: until the model ends it, or the context is full.
    pub max_tokens: Option<usize>,
    /// How tokens are chosen.
    pub sampling: Sampling,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The model ended it.
    Stop,
    /// It has as many tokens as it may have.
    Length,
    /// The model has no room for more.
    ContextFull,
    /// The listener wants no more.
    Cancelled,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// All its text.
    pub text: String,
    /// Its tokens, with the one that ended it.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub end: End,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Those of the prompt that were in the caches already.
    pub reused_tokens: usize,
    /// From the beginning to the first token.
    pub first_token: Duration,
    /// From the first token to the end.
    pub rest: Duration,
}

impl Answer {
    /// Returns the tokens in a second behind the first; `None`: there was only that.
    pub fn tokens_per_second(&self) -> Option<f64> {
        let count = self.tokens.len().saturating_sub(1);
        (count > 0).then(|| count as f64 / self.rest.as_secs_f64())
    }
}

/// Lets the model answer `prompt`, the whole conversation so far; what of it is in the chat's caches already is not computed
/// again.  `listen` gets the text as it comes, "" where there is none yet, and returns whether to go on.
///
/// # Errors
///
/// [`Error::ContextFull`]: the prompt leaves no room for an answer; those of [`Chat::feed`] and [`Sampler::new`].
pub fn generate(
    chat: &mut Chat,
    prompt: &Prompt,
    options: &Options,
    listen: &mut dyn FnMut(&str) -> bool,
) -> Result<Answer> {
    let network = chat.network().clone();
    let context = network.description.context;
    let mut sampler = Sampler::new(options.sampling)?;
    let tokens = prompt.tokens();
    if tokens.is_empty() {
        return Err(Error::Invalid("the prompt has no tokens".into()));
    }
    if tokens.len() > context {
        let wanted = tokens.len();
        return Err(Error::ContextFull { wanted, context });
    }
    let begin = Instant::now();
    let reused = chat.begin(prompt)?;
    let mut answer = Answer {
        text: String::new(),
        tokens: Vec::new(),
        end: End::Cancelled,
        prompt_tokens: tokens.len(),
        reused_tokens: reused,
        first_token: Duration::ZERO,
        rest: Duration::ZERO,
    };
    let mut left = &tokens[reused..];
    let mut logits = loop {
        if !listen("") {
            return Ok(answer);
        }
        let (taken, logits) = chat.advance(left)?;
        left = &left[taken..];
        if let Some(logits) = logits {
            break logits;
        }
    };
    let mut stream = TextStream::new(&network.tokens);
    let mut first = None;
    answer.end = loop {
        if options
            .max_tokens
            .is_some_and(|most| answer.tokens.len() >= most)
        {
            break End::Length;
        }
        let token = sampler.choose(&logits)?;
        answer.tokens.push(token);
        first.get_or_insert_with(Instant::now);
        if network.description.end_tokens.contains(&token) {
            break End::Stop;
        }
        let text = stream.push(token)?;
        answer.text += &text;
        if !listen(&text) {
            break End::Cancelled;
        }
        if chat.tokens().len() == context {
            break End::ContextFull;
        }
        logits = chat.feed(&[token])?;
    };
    if answer.end != End::Cancelled {
        let text = stream.finish()?;
        answer.text += &text;
        if !text.is_empty() {
            listen(&text);
        }
    }
    let first = first.unwrap_or_else(Instant::now);
    answer.first_token = first - begin;
    answer.rest = first.elapsed();
    Ok(answer)
}
