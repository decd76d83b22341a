// SPDX-License-Identifier: MIT OR Apache-2.0

//! Language and speech models on AX650N accelerator cards: one compiled model for each layer of a decoder, one for its head.
//!
//! A [`Network`] is a directory of such models, loaded on a card; a [`Chat`] is a conversation with it, whose caches of keys and
//! values stay on the card.  [`Chat::feed`] runs tokens through it, [`generate`] lets it answer.  A model may look at pictures:
//! a [`Picture`] of a [`Message`] goes through an encoder, whose rows do not leave the card.  The directory's layout is described
//! in `docs/llm.md`.
//!
//! The module `speech` turns sound into text.

mod chat;
mod description;
mod embeddings;
mod error;
mod fields;
mod generate;
mod layer;
mod network;
mod prompt;
mod sampling;
#[cfg(feature = "speech")]
pub mod speech;
mod tables;
mod template;
mod tensors;
mod text;
mod vision;

pub use chat::Chat;
pub use description::{Description, FILE};
pub use error::{Error, Result};
pub use generate::{generate, Answer, End, Options};
pub use network::{Network, Prefill};
pub use prompt::Prompt;
pub use sampling::{Sampler, Sampling};
pub use template::{Message, Template};
pub use text::{TextStream, Tokens};
pub use vision::{Picture, Vision};
