// SPDX-License-Identifier: MIT OR Apache-2.0

//! Speech to text by models of the Whisper kind: an encoder that hears a window of sound, and a decoder that says what was said,
//! with times.
//!
//! A [`Speech`] is a directory of three compiled models, loaded on a card; [`transcribe`] hears sound with it, as [`read_wav`]
//! gets it out of a file; [`transcribe_pieces`] hears only where a [`Voice`] has found that somebody speaks.  What a window left
//! in the decoder stays on the card.  The directory's layout is described in `docs/llm.md`.

mod description;
mod hearing;
mod mel;
mod models;
mod pieces;
mod rules;
mod segments;
mod transcribe;
mod voice;
mod wav;

pub use description::{Description, Special, FILE};
pub use models::Speech;
pub use pieces::{pieces, Rules};
pub use transcribe::{transcribe, transcribe_pieces, Segment, Transcript, Window};
pub use voice::Voice;
pub use wav::read_wav;

/// Samples in a second, of each channel.
pub const RATE: usize = 16_000;

/// Samples from one frame of the spectrum to the next.
const HOP: usize = 160;

/// Frames in a second.
const FRAMES_A_SECOND: usize = RATE / HOP;

/// Frames for one place of the encoder's output, and for one step of time that the decoder tells: 20 ms.
const FRAMES_A_STEP: usize = 2;
