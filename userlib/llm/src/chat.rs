// SPDX-License-Identifier: MIT OR Apache-2.0

//! Conversations: the caches of keys and values, and the jobs that run tokens through a model.

mod pictures;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use ax650::{Buffer, CardMemory, Job, Part, RunSteps};

use crate::error::{Error, Result};
use crate::layer::{Group, Places, ELEMENT};
use crate::network::Network;
use crate::tables::fill_mask;
use crate::tensors::{numbers, TIMEOUT};

use pictures::Seen;

/// Parts of the memory for what a prompt brings begin at multiples of this.
const ALIGN: usize = 4096;

/// A conversation with a [`Network`].  Its caches stay on the card; several conversations do not know of each other.
#[derive(Debug)]
pub struct Chat {
    network: Arc<Network>,
    /// Tokens whose keys and values are in the caches.
    tokens: Vec<u32>,
    /// Pictures that some of them stand for, and some of those to come, in order.
    pictures: Vec<Seen>,
    caches: Vec<Cache>,
    /// What layers hand on, in turn.
    hidden: [CardMemory; 2],
    logits: CardMemory,
    answer: Buffer,
    /// What a prompt brings: embeddings, masks, indices.
    brought: CardMemory,
    stage: Buffer,
    timeout: Duration,
}

/// The cache of one layer: rows of keys, and rows of values.
#[derive(Debug)]
struct Cache {
    keys: CardMemory,
    values: CardMemory,
}

/// Where the parts of what a prompt brings begin.
struct Brought {
    input: usize,
    mask: usize,
    indices: usize,
    end: usize,
}

/// What the first layer needs of a piece, and what of the stage has to be copied to the card for it.
struct Needed {
    input: CardMemory,
    mask: CardMemory,
    indices: CardMemory,
    copied: Range<usize>,
}

impl Brought {
    fn of(group: Group, hidden_size: usize) -> Self {
        let Group {
            tokens, history, ..
        } = group;
        let mask = (tokens * hidden_size * ELEMENT).next_multiple_of(ALIGN);
        let indices = (mask + tokens * (history + tokens) * ELEMENT).next_multiple_of(ALIGN);
        Self {
            input: 0,
            mask,
            indices,
            end: indices + tokens * 4,
        }
    }
}

impl Chat {
    /// Begins a conversation: makes its caches on the card.
    ///
    /// # Errors
    ///
    /// [`Error::Card`]: the card has no memory left, or failed.
    pub fn new(network: Arc<Network>) -> Result<Self> {
        let (stream, session) = (&network.stream, network.session());
        let description = &network.description;
        let most = network.most_tokens();
        // A prompt's last piece fills all rows of its shape group, wanted or not.
        let rows = description.context + most;
        let half = (rows * description.kv_size * ELEMENT).next_multiple_of(ALIGN) as u64;
        let mut caches = Vec::with_capacity(description.layers);
        for _ in 0..description.layers {
            let both = CardMemory::new(stream, half * 2)?;
            // What is hidden by the mask must be numbers all the same, and nothing of somebody else.
            both.set(0)?;
            caches.push(Cache {
                keys: both.part(0, half)?,
                values: both.part(half, half)?,
            });
        }
        let state = (most * description.hidden_size * ELEMENT) as u64;
        let hidden = [
            CardMemory::new(stream, state)?,
            CardMemory::new(stream, state)?,
        ];
        let bytes = network.groups().iter();
        let bytes = bytes.map(|group| Brought::of(*group, description.hidden_size).end);
        let bytes = bytes.max().unwrap_or(ALIGN);
        Ok(Self {
            tokens: Vec::new(),
            pictures: Vec::new(),
            caches,
            hidden,
            logits: CardMemory::new(stream, network.head.bytes as u64)?,
            answer: session.buffer(network.head.bytes)?,
            brought: CardMemory::new(stream, bytes as u64)?,
            stage: session.buffer(bytes)?,
            timeout: TIMEOUT,
            network,
        })
    }

    /// Ends a job of the conversation with an error when it takes longer.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Returns the model.
    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// Returns the tokens whose keys and values are in the caches.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Goes back to the first `length` tokens.
    pub fn rewind(&mut self, length: usize) {
        self.tokens.truncate(length);
        let length = self.tokens.len();
        self.pictures.retain(|seen| seen.places.end <= length);
    }

    /// Runs tokens through the model, and returns what its head says to the last: a number for each token.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]: no tokens, or one that the model has not; [`Error::ContextFull`]; [`Error::Card`].  The
    /// conversation goes on behind the tokens that went well.
    pub fn feed(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        // Nothing but what these tokens are is behind those in the caches.
        self.rewind(self.tokens.len());
        let mut left = tokens;
        loop {
            let (taken, logits) = self.advance(left)?;
            left = &left[taken..];
            if let Some(logits) = logits {
                return Ok(logits);
            }
        }
    }

    /// Runs as many of the tokens as go with one job through the model, and returns how many; and if these were all, what its
    /// head says to the last.  Such a piece is of text or of a picture.
    ///
    /// # Errors
    ///
    /// Those of [`Chat::feed`].
    pub(crate) fn advance(&mut self, tokens: &[u32]) -> Result<(usize, Option<Vec<f32>>)> {
        let network = self.network.clone();
        let (length, context) = (self.tokens.len(), network.description.context);
        if tokens.is_empty() {
            return Err(Error::Invalid("no tokens".into()));
        }
        if length + tokens.len() > context {
            let wanted = length + tokens.len();
            return Err(Error::ContextFull { wanted, context });
        }
        let (seen, end) = self.seen_at(length);
        let alike = tokens.len().min(end - length);
        let group = network.group_for(length, alike);
        let taken = &tokens[..group.tokens.min(alike)];
        let rows = seen.map(|seen| self.rows(seen, length - seen.places.start, group));
        let is_last = taken.len() == tokens.len();
        let logits = self.run(group, taken, rows.transpose()?, is_last)?;
        self.tokens.extend_from_slice(taken);
        Ok((taken.len(), logits))
    }

    /// Runs `tokens` in a shape group, as one job; `rows` are their embeddings if they stand for a picture.
    fn run(
        &self,
        group: Group,
        tokens: &[u32],
        rows: Option<CardMemory>,
        with_head: bool,
    ) -> Result<Option<Vec<f32>>> {
        let network = &*self.network;
        let mut job = network.stream.job().timeout(self.timeout);
        let Needed {
            input,
            mask,
            indices,
            copied,
        } = self.bring(group, tokens, rows)?;
        if !copied.is_empty() {
            let (start, len) = (copied.start as u64, copied.len() as u64);
            let target = self.brought.part(start, len)?;
            job = job.then(Part::to_card(&self.stage, copied, &target));
        }
        let mut runs = Vec::with_capacity(network.layers.len() + 1);
        let row = (network.description.kv_size * ELEMENT) as u64;
        let (first, rows) = (self.tokens.len() as u64 * row, group.tokens as u64 * row);
        for (number, (layer, cache)) in network.layers.iter().zip(&self.caches).enumerate() {
            let places = Places {
                input: match number {
                    0 => input.clone(),
                    _ => self.hidden[(number - 1) % 2].clone(),
                },
                mask: mask.clone(),
                indices: indices.clone(),
                // The new rows go to where later tokens find them; this run has them hidden by its mask.
                new_keys: cache.keys.part(first, rows)?,
                new_values: cache.values.part(first, rows)?,
                keys: cache.keys.clone(),
                values: cache.values.clone(),
                output: self.hidden[number % 2].clone(),
            };
            job = add(job, &mut runs, layer.bind(group, &places)?);
        }
        if with_head {
            let state = (network.description.hidden_size * ELEMENT) as u64;
            let last = &self.hidden[(network.layers.len() - 1) % 2];
            let last = last.part((tokens.len() as u64 - 1) * state, state)?;
            job = add(
                job,
                &mut runs,
                network.head.bind(last, self.logits.clone())?,
            );
            job = job.then(Part::from_card(
                &self.answer,
                0..network.head.bytes,
                &self.logits,
            ));
        }
        let mut done = job.run()?;
        for run in runs {
            run.finish(&mut done)?;
        }
        with_head.then(|| self.read_logits()).transpose()
    }

    /// Puts together what the first layer needs: input, which is `rows` if there are any, mask and indices.
    fn bring(&self, group: Group, tokens: &[u32], rows: Option<CardMemory>) -> Result<Needed> {
        let network = &*self.network;
        let (length, hidden) = (self.tokens.len(), network.description.hidden_size);
        let row_bytes = hidden * ELEMENT;
        if group.index == 0 {
            let (input, copied) = match (rows, &network.tables.embeddings) {
                (Some(rows), _) => (rows, 0..0),
                (None, Some(table)) => {
                    let at = network.embeddings.offset(tokens[0])?;
                    (table.part(at, row_bytes as u64)?, 0..0)
                }
                (None, None) => {
                    let mut stage = self.stage.write()?;
                    let row = &mut stage[..row_bytes];
                    network.embeddings.read(tokens[0], row)?;
                    (self.brought.clone(), 0..row_bytes)
                }
            };
            return Ok(Needed {
                input,
                mask: network.tables.mask(length)?,
                indices: network.tables.index(length)?,
                copied,
            });
        }
        let at = Brought::of(group, hidden);
        let mut stage = self.stage.write()?;
        stage[..at.end].fill(0);
        if rows.is_none() {
            let places = stage[at.input..].chunks_exact_mut(row_bytes);
            for (row, token) in places.zip(tokens) {
                network.embeddings.read(*token, row)?;
            }
        }
        let mask_bytes = (group.history + group.tokens) * ELEMENT;
        let masks = stage[at.mask..at.indices].chunks_exact_mut(mask_bytes);
        for (own, row) in masks.take(group.tokens).enumerate() {
            fill_mask(row, length, group.history, own);
        }
        let indices = stage[at.indices..at.end].chunks_exact_mut(4);
        for (place, index) in (length..length + tokens.len()).zip(indices) {
            index.copy_from_slice(&(place as u32).to_le_bytes());
        }
        let part = |from: usize, to: usize| self.brought.part(from as u64, (to - from) as u64);
        let (input, copied) = match rows {
            Some(rows) => (rows, at.mask..at.end),
            None => (part(at.input, at.mask)?, at.input..at.end),
        };
        Ok(Needed {
            input,
            mask: part(at.mask, at.indices)?,
            indices: part(at.indices, at.end)?,
            copied,
        })
    }

    fn read_logits(&self) -> Result<Vec<f32>> {
        Ok(numbers(self.network.head.kind, &self.answer.read()?))
    }
}

/// Adds a run to a job and to the list of those to look at.
fn add<'a>(job: Job<'a>, runs: &mut Vec<RunSteps>, binding: ax650::CardBinding) -> Job<'a> {
    let (job, run) = binding.add_to(job);
    runs.push(run);
    job
}
