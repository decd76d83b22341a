// SPDX-License-Identifier: MIT OR Apache-2.0

//! A whole sound, window by window.

use std::ops::Range;
use std::sync::Arc;

use super::hearing::{First, Hearing};
use super::mel::Spectrum;
use super::models::Speech;
use super::pieces::Cut;
use super::rules::{choose, probability};
use super::segments::split;
use super::{FRAMES_A_SECOND, FRAMES_A_STEP, HOP, RATE};
use crate::error::{Error, Result};

/// A window is silent if the token for that is likelier, and the model is less sure of what it says all the same.
const SILENCE: f64 = 0.6;
const SURE: f64 = -1.0;

/// What was said.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// The language, if the model knows several.
    pub language: Option<String>,
    /// Length of the sound in seconds.
    pub duration: f64,
    /// What was said when.
    pub segments: Vec<Segment>,
    /// How that was found out.
    pub windows: Vec<Window>,
}

impl Transcript {
    /// Makes that of no sound.
    fn empty(language: Option<&str>) -> Self {
        Self {
            language: language.map(str::to_owned),
            duration: 0.0,
            segments: Vec::new(),
            windows: Vec::new(),
        }
    }

    /// Returns all that was said.
    pub fn text(&self) -> String {
        let texts = self.segments.iter().map(|segment| &*segment.text);
        texts.collect::<String>().trim().to_owned()
    }
}

/// Something that was said without a break.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Its begin in seconds.
    pub start: f64,
    /// Its end in seconds.
    pub end: f64,
    /// Its text; it has the space to what comes before.
    pub text: String,
    /// Its tokens, with those for begin and end.
    pub tokens: Vec<u32>,
}

/// A piece of sound that was heard at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Its begin in seconds.
    pub start: f64,
    /// What the decoder said, without the prompt and the end.
    pub tokens: Vec<u32>,
    /// How likely it is that nothing was said.
    pub no_speech: f64,
    /// The mean of the tokens' logarithms of their probability.
    pub log_probability: f64,
}

/// Hears `sound`, [`RATE`] samples in a second, in a language, or in that which the first window seems to be in.  `listen` gets
/// each segment, and in between nothing, and returns whether to go on.
///
/// # Errors
///
/// [`Error::Invalid`]: less than a frame of sound, or a language that the model does not know; [`Error::Cancelled`];
/// [`Error::Card`] and [`Error::Answer`].
pub fn transcribe(
    speech: &Arc<Speech>,
    sound: &[f32],
    language: Option<&str>,
    listen: &mut dyn FnMut(Option<&Segment>) -> bool,
) -> Result<Transcript> {
    hear(speech, sound, language, &|begin, end| (begin, end), listen)
}

/// Hears `sound`; what begins and ends at so many seconds of it does so in the transcript where `times` says.
fn hear(
    speech: &Arc<Speech>,
    sound: &[f32],
    language: Option<&str>,
    times: &dyn Fn(f64, f64) -> (f64, f64),
    listen: &mut dyn FnMut(Option<&Segment>) -> bool,
) -> Result<Transcript> {
    let description = &speech.description;
    let named = language.map(|name| description.language(name));
    let mut token = named.transpose()?;
    let frames = sound.len() / HOP;
    if frames == 0 {
        let least = HOP * 1000 / RATE;
        return Err(Error::Invalid(format!("less than {least} ms of sound")));
    }
    let whole = description.frames();
    let spectrum = Spectrum::new(sound, description.mels);
    let mut hearing = Hearing::new(speech.clone())?;
    let mut transcript = Transcript::empty(language);
    transcript.duration = duration(sound);
    let mut at = 0;
    while at < frames {
        if !listen(None) {
            return Err(Error::Cancelled);
        }
        let first = match (token, description.tokens.languages.is_empty()) {
            (None, false) => {
                let start = [description.tokens.start];
                let heard = hearing.listen(&spectrum, at, &start)?;
                let (name, found) = likeliest_language(speech, &heard.start);
                (transcript.language, token) = (Some(name), Some(found));
                hearing.begin(&description.prompt(token))?
            }
            _ => hearing.listen(&spectrum, at, &description.prompt(token))?,
        };
        let mut window = say(speech, &mut hearing, first, at, listen)?;
        let here = whole.min(frames - at);
        let mut forward = here;
        if window.no_speech <= SILENCE || window.log_probability >= SURE {
            let (pieces, next) = split(&window.tokens, description.tokens.timestamps, here);
            // Whatever the model says, the sound comes to its end.
            forward = next.max(FRAMES_A_STEP);
            for piece in pieces {
                let text = text(speech, &piece.tokens)?;
                if text.trim().is_empty() || piece.begin == piece.end {
                    continue;
                }
                let (start, end) = times(seconds(at + piece.begin), seconds(at + piece.end));
                let segment = Segment {
                    start,
                    end,
                    text,
                    tokens: piece.tokens,
                };
                if !listen(Some(&segment)) {
                    return Err(Error::Cancelled);
                }
                transcript.segments.push(segment);
            }
        }
        (window.start, _) = times(window.start, window.start);
        transcript.windows.push(window);
        at += forward;
    }
    Ok(transcript)
}

/// Hears the pieces of `sound`, one behind the other as if nothing had been in between; else as [`transcribe`].  Times are those
/// of the whole sound.
///
/// # Errors
///
/// Those of [`transcribe`], but no sound at all is no error.
pub fn transcribe_pieces(
    speech: &Arc<Speech>,
    sound: &[f32],
    pieces: &[Range<usize>],
    language: Option<&str>,
    listen: &mut dyn FnMut(Option<&Segment>) -> bool,
) -> Result<Transcript> {
    let cut = Cut::new(pieces);
    let left = cut.samples(sound);
    let mut found = match left.len() < HOP {
        true => Transcript::empty(language),
        false => {
            let restore = |begin, end| cut.restore(begin, end);
            hear(speech, &left, language, &restore, listen)?
        }
    };
    found.duration = duration(sound);
    Ok(found)
}

/// Lets the decoder say what it has heard in a window, until it ends or its caches are full.
fn say(
    speech: &Speech,
    hearing: &mut Hearing,
    first: First,
    at: usize,
    listen: &mut dyn FnMut(Option<&Segment>) -> bool,
) -> Result<Window> {
    let description = &speech.description;
    let no_speech = probability(&first.start, description.tokens.no_speech);
    let (mut tokens, mut sum) = (Vec::new(), 0.0);
    let mut logits = first.last;
    loop {
        let choice = choose(description, &mut logits, &tokens)?;
        sum += choice.log_probability;
        if choice.token == description.tokens.end {
            break;
        }
        tokens.push(choice.token);
        if hearing.length() == description.context {
            break;
        }
        if !listen(None) {
            return Err(Error::Cancelled);
        }
        logits = hearing.next(choice.token)?;
    }
    Ok(Window {
        start: seconds(at),
        log_probability: sum / (tokens.len() + 1) as f64,
        tokens,
        no_speech,
    })
}

/// Returns the language whose token is the likeliest; of equals the first by name.
fn likeliest_language(speech: &Speech, logits: &[f32]) -> (String, u32) {
    let mut best = (String::new(), 0, f32::NEG_INFINITY);
    for (name, token) in &speech.description.tokens.languages {
        let logit = logits[*token as usize];
        if logit > best.2 || best.0.is_empty() {
            best = (name.clone(), *token, logit);
        }
    }
    (best.0, best.1)
}

/// Returns the text of tokens, without times and the like.
fn text(speech: &Speech, tokens: &[u32]) -> Result<String> {
    let end = speech.description.tokens.end;
    let text = tokens.iter().copied().filter(|token| *token < end);
    speech.text.decode(&text.collect::<Vec<_>>())
}

fn seconds(frame: usize) -> f64 {
    frame as f64 / FRAMES_A_SECOND as f64
}

/// Returns the length of a sound in seconds.
fn duration(sound: &[f32]) -> f64 {
    sound.len() as f64 / RATE as f64
}
