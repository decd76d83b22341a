// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures for language models: an encoder on the card makes rows of them, which stand where tokens' embeddings do.

mod description;
mod encoder;
mod picture;
#[cfg(feature = "pictures")]
mod read;

#[cfg(test)]
pub(crate) use description::tests;
pub use description::Vision;
pub(crate) use encoder::Encoder;
pub use picture::Picture;
