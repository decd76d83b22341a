// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures of conversations: what of a prompt is known already, and rows in place of embeddings.

use std::ops::Range;

use ax650::CardMemory;

use super::Chat;
use crate::error::{Error, Result};
use crate::layer::{Group, ELEMENT};
use crate::prompt::Prompt;
use crate::vision::Picture;

/// A picture of the conversation.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// Places of the tokens that stand for it.
    pub(super) places: Range<usize>,
    picture: Picture,
    /// What the encoder makes of it, a row for each token, and as many more as go through the layers at a time.
    rows: CardMemory,
}

impl Chat {
    /// Goes back to what the conversation has in common with `prompt`, and looks at those of its pictures that are not in the
    /// caches; returns how many of its tokens are.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: pictures of another size than the model's; [`Error::Card`].
    pub(crate) fn begin(&mut self, prompt: &Prompt) -> Result<usize> {
        let network = self.network.clone();
        // The last one always goes through: the answer begins with what the head says to it.
        let reused = self.common(prompt).min(prompt.tokens().len() - 1);
        let known = self.pictures.clone();
        self.rewind(reused);
        for placed in &prompt.pictures()[self.pictures.len()..] {
            let encoder = network.encoder.as_ref();
            let encoder = encoder.ok_or_else(|| Error::Invalid("no encoder".into()))?;
            let mut all = known.iter().chain(&self.pictures);
            let rows = match all.find(|seen| seen.picture == placed.picture) {
                Some(seen) => seen.rows.clone(),
                None => {
                    let (stream, spare) = (&network.stream, network.most_tokens());
                    encoder.encode(stream, &placed.picture, spare, self.timeout)?
                }
            };
            self.pictures.push(Seen {
                places: placed.first..placed.first + encoder.tokens(),
                picture: placed.picture.clone(),
                rows,
            });
        }
        Ok(reused)
    }

    /// Counts the tokens of the caches that `prompt` begins with; tokens of pictures are equal if these are.
    fn common(&self, prompt: &Prompt) -> usize {
        let pairs = self.tokens.iter().zip(prompt.tokens());
        let same = pairs.take_while(|(a, b)| a == b).count();
        let mut ours = self
            .pictures
            .iter()
            .map(|seen| (seen.places.start, &seen.picture));
        let theirs = prompt.pictures().iter();
        let mut theirs = theirs.map(|placed| (placed.first, &placed.picture));
        loop {
            match (ours.next(), theirs.next()) {
                (Some(our), Some(their)) if our == their => {}
                (None, None) => return same,
                (our, their) => {
                    let other = our.iter().chain(&their).map(|(first, _)| *first).min();
                    return other.map_or(same, |first| first.min(same));
                }
            }
        }
    }

    /// Returns the picture that `place` is in, if it is in one, and where that ends, or text does.
    pub(super) fn seen_at(&self, place: usize) -> (Option<&Seen>, usize) {
        let next = self.pictures.iter().find(|seen| seen.places.end > place);
        match next {
            None => (None, usize::MAX),
            Some(seen) if seen.places.start > place => (None, seen.places.start),
            Some(seen) => (Some(seen), seen.places.end),
        }
    }

    /// Returns the rows of a picture from `first` on, as many as the shape group takes.
    pub(super) fn rows(&self, seen: &Seen, first: usize, group: Group) -> Result<CardMemory> {
        let row = self.network.description.hidden_size * ELEMENT;
        let part = seen
            .rows
            .part((first * row) as u64, (group.tokens * row) as u64);
        Ok(part?)
    }
}
