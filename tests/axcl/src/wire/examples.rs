// SPDX-License-Identifier: MIT OR Apache-2.0

//! The worked examples of the RPC notes (section 9), as data.

use anyhow::{bail, ensure, Context, Result};

/// A message that was seen.
#[derive(Debug, Clone)]
pub struct Example {
    /// Heading that it stands under.
    pub section: &'static str,
    /// Port, 0 to 3.
    pub port: u32,
    /// Whether the host has sent it.
    pub to_card: bool,
    /// Its length; some are not printed to their end.
    pub length: usize,
    /// What is printed of it.
    pub bytes: Vec<u8>,
    /// What it is.
    pub what: &'static str,
}

const TEXT: &str = include_str!("../../../../vectors/worked-examples.txt");

/// All of them, in order.
pub fn all() -> Result<Vec<Example>> {
    let mut section = "";
    let mut examples = Vec::new();
    for line in TEXT.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("# ") {
            Some(heading) => section = heading,
            None => examples.push(one(section, line).with_context(|| line.to_owned())?),
        }
    }
    Ok(examples)
}

fn one(section: &'static str, line: &'static str) -> Result<Example> {
    let mut words = line.splitn(5, ' ');
    let mut next = || words.next().context("a short line");
    let port = next()?.strip_prefix('P').context("no port")?.parse()?;
    let to_card = match next()? {
        ">" => true,
        "<" => false,
        other => bail!("direction {other}"),
    };
    let length = next()?.parse()?;
    let digits = next()?;
    ensure!(digits.len() % 2 == 0, "half a byte");
    let bytes = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16))
        .collect::<Result<Vec<u8>, _>>()?;
    Ok(Example {
        section,
        port,
        to_card,
        length,
        bytes,
        what: next()?,
    })
}
