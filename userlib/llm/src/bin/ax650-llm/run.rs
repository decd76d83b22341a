// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650-llm run`: a conversation.

use std::io::{self, stderr, BufRead, IsTerminal, Write};

use ax650_command::failure::Failure;
use ax650_command::{interrupt, standard};
use ax650_llm::{generate, Answer, Chat, Description, End, Message, Network, Picture};
use serde_json::json;

use crate::args::{Arguments, Run};
use crate::load;

/// Longest line of a prompt.
const MAX_LINE: u64 = 1 << 20;

/// Chats until the input ends.
pub fn run(arguments: &Arguments, options: &Run) -> Result<(), Failure> {
    let answer_options = options.answer.options();
    answer_options.sampling.check()?;
    let mut pictures = pictures(options)?;
    let (_card, network) = load(arguments, &options.model)?;
    let mut chat = Chat::new(network.clone())?;
    let mut messages = Vec::new();
    if let Some(text) = &options.system {
        messages.push(Message::new("system", text));
    }
    let mut ask = |text: &str, quiet: bool| -> Result<Answer, Failure> {
        let mut message = Message::new("user", text);
        // They belong to the first one.
        message.pictures = std::mem::take(&mut pictures);
        messages.push(message);
        let prompt = network.prompt(&messages)?;
        let mut failed = None;
        let answer = generate(&mut chat, &prompt, &answer_options, &mut |text| {
            if !quiet {
                failed = write(text).err();
            }
            failed.is_none() && !interrupt::is_pending()
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        if !quiet {
            write("\n")?;
        }
        messages.push(Message::new("assistant", &answer.text));
        Ok(answer)
    };
    if let Some(text) = &options.prompt {
        let answer = ask(text, options.json)?;
        interrupt::check()?;
        if options.json {
            write(&format!("{:#}\n", report(&network, &answer)))?;
        }
        tell_end(&answer, &network);
        return Ok(());
    }
    let is_terminal = io::stdin().is_terminal() && !arguments.quiet;
    loop {
        if is_terminal {
            let _ = write!(stderr(), "> ").and_then(|()| stderr().flush());
        }
        let Some(line) = next_line()? else {
            return Ok(());
        };
        if line.trim().is_empty() {
            continue;
        }
        let answer = ask(&line, false)?;
        interrupt::check()?;
        tell_end(&answer, &network);
    }
}

/// Reads the pictures, for which no card is needed.
fn pictures(options: &Run) -> Result<Vec<Picture>, Failure> {
    if options.images.is_empty() {
        return Ok(Vec::new());
    }
    let description = Description::read(&options.model)?;
    let vision = description.vision()?;
    let images = options.images.iter();
    Ok(images
        .map(|image| Picture::open(image, vision))
        .collect::<Result<_, _>>()?)
}

/// Writes text to standard output, at once.
fn write(text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut output = standard::output()?;
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// Returns the next line of standard input; `None`: it has ended.
fn next_line() -> Result<Option<String>, Failure> {
    let mut line = Vec::new();
    let mut input = io::Read::take(io::stdin().lock(), MAX_LINE);
    let count = input
        .read_until(b'\n', &mut line)
        .map_err(|error| Failure::of(format!("standard input: {error}")))?;
    if count as u64 == MAX_LINE {
        let text = format!("standard input: a line of {MAX_LINE} bytes or more");
        return Err(Failure::of(text));
    }
    let line = String::from_utf8(line)
        .map_err(|_| Failure::of("standard input: a line that is no UTF-8"))?;
    Ok((count > 0).then_some(line))
}

/// Says why an answer is not whole.
fn tell_end(answer: &Answer, network: &Network) {
    let context = network.description.context;
    if answer.end == End::ContextFull {
        let text = "the answer ends here: the context is full";
        let _ = writeln!(stderr(), "ax650-llm: {text} ({context} tokens)");
    }
}

/// Describes an answer.
fn report(network: &Network, answer: &Answer) -> serde_json::Value {
    json!({
        "model": network.description.name,
        "text": answer.text,
        "tokens": answer.tokens,
        "end": match answer.end {
            End::Stop => "stop",
            End::Length => "length",
            End::ContextFull => "context_full",
            End::Cancelled => "cancelled",
        },
        "prompt_tokens": answer.prompt_tokens,
        "first_token_ms": answer.first_token.as_secs_f64() * 1000.0,
        "tokens_per_second": answer.tokens_per_second(),
    })
}
