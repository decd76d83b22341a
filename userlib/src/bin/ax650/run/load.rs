// SPDX-License-Identifier: MIT OR Apache-2.0

//! The model: looked at, sent, loaded.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use ax650::{Error, Model, Session};

use crate::failure::{Failure, FAILURE, INTERRUPTED};
use crate::interrupt;
use crate::progress_line::Ticker;
use crate::text;

/// A model from standard input may have as many bytes: what a model's size is told with on the wire.
const MAX_SIZE: u64 = u32::MAX as u64;

/// Bytes that are enough to see what a file is.
const HEAD: usize = 512;

/// Finds out what cannot be a model before a card is bothered with it.
pub fn look_at_model(path: &Path) -> Result<(), Failure> {
    if path == Path::new("-") {
        return Ok(());
    }
    let failed = |error: io::Error| Failure::file(path, &error);
    let metadata = path.metadata().map_err(failed)?;
    let name = path.display();
    if !metadata.is_file() {
        return Err(Failure::of(format!("{name}: not a file")));
    }
    if metadata.len() == 0 {
        return Err(Failure::of(format!("{name}: a model cannot be empty")));
    }
    File::open(path).map_err(failed).map(drop)
}

/// Loads the model in a file, or from standard input.
pub fn load(session: &Session, path: &Path, quiet: bool) -> Result<Model, Failure> {
    look_at_model(path)?;
    let standard_input = path == Path::new("-");
    let name = if standard_input {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let failed = |error: io::Error| Failure::file(Path::new(&name), &error);
    let mut bytes = Vec::new();
    let (mut source, size): (Box<dyn Read>, u64) = if standard_input {
        let stdin = io::stdin().lock();
        stdin
            .take(MAX_SIZE + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.is_empty() {
            return Err(Failure::of(format!("{name}: a model cannot be empty")));
        }
        let size = bytes.len() as u64;
        (Box::new(io::Cursor::new(bytes)), size)
    } else {
        let file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        (Box::new(file), size)
    };
    let sent = Arc::new(AtomicU64::new(0));
    let mut head = Vec::new();
    let mut source = Source {
        inner: &mut *source,
        sent: sent.clone(),
        head: &mut head,
    };
    let shown = name.clone();
    let ticker = Ticker::new(quiet, move || {
        let sent = sent.load(Ordering::Relaxed);
        if sent >= size {
            return format!("{shown}: the card prepares the model");
        }
        let part = text::percent(sent as f64 / size as f64);
        format!(
            "{shown}: sent {} of {}, {part}",
            text::bytes(sent),
            text::bytes(size)
        )
    });
    let loaded = Model::load_from(session, &name, &mut source, size);
    drop(ticker);
    interrupt::check()?;
    loaded.map_err(|error| refused(&name, error, &head))
}

/// The model on its way: counted, and broken off by an interrupt.
struct Source<'a> {
    inner: &'a mut dyn Read,
    sent: Arc<AtomicU64>,
    /// The first bytes.
    head: &'a mut Vec<u8>,
}

impl Read for Source<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if interrupt::is_pending() {
            return Err(io::Error::other("interrupted"));
        }
        let count = self.inner.read(room)?;
        let wanted = HEAD.saturating_sub(self.head.len()).min(count);
        self.head.extend_from_slice(&room[..wanted]);
        self.sent.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// A card that does not take a model is none that has failed.
fn refused(name: &str, error: Error, head: &[u8]) -> Failure {
    let answered = error.card_code().is_some_and(|code| !code.is_no_memory());
    let failure = Failure::from(error);
    if !answered || failure.code == INTERRUPTED {
        return failure;
    }
    let why = failure.message.replacen(&format!("load {name}: "), "", 1);
    let hint = match guess(head) {
        Some(hint) => format!("; {hint}"),
        None => String::new(),
    };
    Failure::new(
        FAILURE,
        format!("{name}: the card refuses the model: {why}{hint}"),
    )
}

/// What a file is that is no model for a card, as far as its first bytes tell.
fn guess(head: &[u8]) -> Option<&'static str> {
    let is_text = |byte: &u8| (b' '..=b'~').contains(byte) || b"\t\r\n".contains(byte);
    Some(match head {
        // ModelProto of ONNX: field 1, the version of the format, is a small number; then mostly the producer's name.
        [0x08, 1..=20, 0x12 | 0x1a | 0x22 | 0x2a | 0x3a, ..] => {
            "it looks like ONNX: real cards want it compiled by Axera's Pulsar2, the emulated card with fixed shapes \
             (`ax650-emu-model pin`)"
        }
        [0x50, 0x4B, 3, 4, ..] => "it is a ZIP archive (PyTorch?), not a compiled model",
        [0x1F, 0x8B, ..] | [0xFD, b'7', b'z', ..] => "it is compressed",
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => "it is a TensorFlow Lite model, not a compiled one",
        _ if !head.is_empty() && head.iter().all(is_text) => "it is a text file",
        _ => return None,
    })
}

#[cfg(test)]
#[allow(non_snake_case)]
mod tests {
    use super::*;
    use ax650::CardCode;

    #[test]
    fn F10_refused_models_are_no_failure_of_the_card() {
        let card = |code| Error::Card {
            what: "load m.onnx".into(),
            code: CardCode(code),
        };
        let failure = refused("m.onnx", card(0x8030_0704), b"\x08\x08\x12\x00");
        assert_eq!(failure.code, FAILURE);
        assert!(
            failure
                .message
                .starts_with("m.onnx: the card refuses the model"),
            "{failure:?}"
        );
        assert!(failure.message.contains("fixed shapes"), "{failure:?}");
        let failure = refused("m.txt", card(0x8030_0709), b"hello\n");
        assert_eq!(failure.code, FAILURE);
        assert!(
            failure.message.ends_with("it is a text file"),
            "{failure:?}"
        );
        // Memory that is used up is the card's own trouble.
        assert_eq!(
            refused("m", card(0x8030_0507), b"x").code,
            crate::failure::CARD
        );
    }

    #[test]
    fn guesses() {
        assert!(guess(b"PK\x03\x04").unwrap().contains("ZIP"));
        assert!(guess(b"\0\0\0\0TFL3").unwrap().contains("TensorFlow"));
        assert_eq!(guess(b"\x10\x00\x00\x00AXM\xff"), None);
        assert_eq!(guess(b""), None);
    }
}
