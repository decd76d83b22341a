// SPDX-License-Identifier: MIT OR Apache-2.0

//! Language models that are loaded on a card.

use std::path::Path;

use ax650::{CardMemory, Session, Stream};

use crate::description::{Description, FILE};
use crate::embeddings::Embeddings;
use crate::error::{Error, Result};
use crate::layer::{Group, Head, Layer};
use crate::tables::{indices, masks, row, ALIGN};
use crate::template::Template;
use crate::text::Tokens;
use crate::vision::Encoder;

/// How many tokens of a prompt go through the layers at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefill {
    /// Tokens at a time.
    pub tokens: usize,
    /// Tokens that there may be before them.
    pub history: usize,
}

/// A language model that is loaded on a card.  Chats with it have the card in turn.
#[derive(Debug)]
pub struct Network {
    /// Its description.
    pub description: Description,
    /// Its tokenizer.
    pub tokens: Tokens,
    /// Its chat template.
    pub template: Template,
    pub(crate) stream: Stream,
    pub(crate) layers: Vec<Layer>,
    pub(crate) head: Head,
    /// The encoder of pictures.
    pub(crate) encoder: Option<Encoder>,
    pub(crate) embeddings: Embeddings,
    pub(crate) tables: Tables,
}

/// What a token needs besides the caches, for each that there can be: the job of a token copies nothing to the card.
#[derive(Debug)]
pub(crate) struct Tables {
    /// Embeddings of all tokens, unless they are too many.
    pub(crate) embeddings: Option<CardMemory>,
    indices: CardMemory,
    masks: CardMemory,
    mask_bytes: usize,
}

impl Network {
    /// Loads the model in `directory`; `progress` is told how many of how many layers are loaded.
    ///
    /// # Errors
    ///
    /// [`Error::File`], [`Error::Directory`], [`Error::Template`]: the directory; [`Error::Card`].  What `progress` returns
    /// ends the loading.
    pub fn load(
        session: &Session,
        directory: &Path,
        progress: &mut dyn FnMut(usize, usize) -> Result<()>,
    ) -> Result<Self> {
        let description = Description::read(directory)?;
        let at = |name: &str| directory.join(name);
        // What the host can find out comes first.
        let tokens = Tokens::read(&at(&description.tokenizer), description.vocabulary)?;
        let template = Template::new(description.chat_template.as_deref())?;
        if let Some(vision) = &description.vision {
            let problem = |error| format!("vision.image_token: {error}");
            tokens
                .added(vision.image_token)
                .map_err(|error| Error::directory(&at(FILE), problem(error)))?;
        }
        let embeddings = Embeddings::open(
            &at(&description.embeddings),
            description.vocabulary,
            description.hidden_size,
        )?;
        let count = description.layers;
        for number in 0..count {
            let path = description.layer_file(directory, number);
            std::fs::metadata(&path).map_err(|error| Error::file(&path, error))?;
        }
        let encoder = description.vision.as_ref();
        let encoder = encoder.map(|vision| (vision, at(&vision.encoder)));
        if let Some((_, path)) = &encoder {
            std::fs::metadata(path).map_err(|error| Error::file(path, error))?;
        }
        // All models have one stream: what goes to it is sent together.
        let stream = session.new_context()?;
        let mut layers: Vec<Layer> = Vec::with_capacity(count);
        for number in 0..count {
            progress(number, count)?;
            let path = description.layer_file(directory, number);
            let layer = Layer::load(&stream, &path, &description)?;
            if let Some(first) = layers.first().filter(|first| first.groups != layer.groups) {
                let (want, have) = (&first.groups, &layer.groups);
                let problem = format!("its shape groups are {have:?}, those of layer 0 {want:?}");
                return Err(Error::directory(&path, problem));
            }
            layers.push(layer);
        }
        progress(count, count)?;
        let head = Head::load(&stream, &at(&description.head), &description)?;
        let encoder = encoder
            .map(|(vision, path)| Encoder::load(&stream, &path, vision, description.hidden_size))
            .transpose()?;
        let tables = Tables::new(&stream, &description, &embeddings)?;
        Ok(Self {
            description,
            tokens,
            template,
            stream,
            layers,
            head,
            encoder,
            embeddings,
            tables,
        })
    }

    /// Returns the session that the model is loaded in.
    pub fn session(&self) -> &Session {
        self.stream.session()
    }

    /// Returns how many tokens of a prompt can go through the layers at a time, the fewest first.
    pub fn prefills(&self) -> Vec<Prefill> {
        let groups = self.groups().iter().filter(|group| group.tokens > 1);
        let mut prefills: Vec<_> = groups
            .map(|group| Prefill {
                tokens: group.tokens,
                history: group.history,
            })
            .collect();
        prefills.sort_by_key(|prefill| prefill.tokens);
        prefills
    }

    pub(crate) fn groups(&self) -> &[Group] {
        &self.layers[0].groups
    }

    /// Returns how many tokens go through the layers at a time at most.
    pub(crate) fn most_tokens(&self) -> usize {
        let most = self.groups().iter().map(|group| group.tokens).max();
        most.unwrap_or(1)
    }

    /// Returns the shape group for `left` tokens behind `length` others: the smallest that takes all, or else the largest.
    pub(crate) fn group_for(&self, length: usize, left: usize) -> Group {
        choose(self.groups(), length, left)
    }
}

fn choose(groups: &[Group], length: usize, left: usize) -> Group {
    if left == 1 {
        return groups[0];
    }
    let fits = || groups.iter().filter(|group| group.history >= length);
    let all = fits()
        .filter(|group| group.tokens >= left)
        .min_by_key(|group| group.tokens);
    all.or_else(|| fits().max_by_key(|group| group.tokens))
        .copied()
        .unwrap_or(groups[0])
}

impl Tables {
    fn new(stream: &Stream, description: &Description, embeddings: &Embeddings) -> Result<Self> {
        let context = description.context;
        let (masks, mask_bytes) = masks(stream, context)?;
        Ok(Self {
            embeddings: embeddings.to_card(stream)?,
            indices: indices(stream, context)?,
            masks,
            mask_bytes,
        })
    }

    /// Returns the mask of the token at `place`.
    pub(crate) fn mask(&self, place: usize) -> Result<CardMemory> {
        row(&self.masks, place, self.mask_bytes)
    }

    /// Returns the index of the token at `place`.
    pub(crate) fn index(&self, place: usize) -> Result<CardMemory> {
        row(&self.indices, place, ALIGN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_go_by_the_group_that_fits() {
        let group = |index, tokens, history| Group {
            index,
            tokens,
            history,
        };
        // As published models have them: the first piece of a prompt without a cache, later ones with some.
        let groups = [
            group(0, 1, 100),
            group(1, 16, 0),
            group(2, 16, 64),
            group(3, 8, 64),
        ];
        let chosen = |length, left| choose(&groups, length, left).index;
        assert_eq!(chosen(0, 1), 0);
        assert_eq!(chosen(0, 16), 1);
        assert_eq!(chosen(16, 16), 2);
        assert_eq!(chosen(16, 7), 3);
        assert_eq!(chosen(65, 16), 0);
        assert_eq!(choose(&groups, 16, 40).tokens, 16);
    }
}
