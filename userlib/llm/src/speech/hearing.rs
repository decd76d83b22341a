// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is heard of a window: the memory on the card, and the jobs.

use std::ops::Range;
use std::sync::Arc;

use ax650::{Buffer, CardBinding, CardMemory, Job, Part};

use super::mel::Spectrum;
use super::models::Speech;
use crate::error::Result;
use crate::tensors::{bind, numbers, TIMEOUT};

/// Bytes of a token for the decoder's first run.
const TOKEN: usize = 4;

/// Encoder and decoder at work on one sound.  Keys and values stay on the card.
#[derive(Debug)]
pub(crate) struct Hearing {
    speech: Arc<Speech>,
    mel: CardMemory,
    tokens: CardMemory,
    audio: CardMemory,
    cross: Cache,
    /// Rows of the tokens so far, and room for as many as the first run fills.
    rows: Cache,
    logits: CardMemory,
    /// What goes to the card: the spectrum, then tokens.
    stage: Buffer,
    /// What comes back: the logits of two tokens.
    answer: Buffer,
    /// Tokens whose keys and values are in the caches.
    length: usize,
}

/// Keys and values.
#[derive(Debug)]
struct Cache {
    keys: CardMemory,
    values: CardMemory,
}

/// What the decoder says to a prompt.
#[derive(Debug)]
pub(crate) struct First {
    /// Behind its first token: a number for each token.
    pub(crate) start: Vec<f32>,
    /// Behind its last.
    pub(crate) last: Vec<f32>,
}

impl Hearing {
    /// Makes the memory on the card.
    pub(crate) fn new(speech: Arc<Speech>) -> Result<Self> {
        let (stream, sizes) = (&speech.stream, speech.sizes);
        let memory = |bytes: usize| CardMemory::new(stream, bytes as u64);
        let cache = |bytes: usize| -> Result<Cache> {
            let [keys, values] = [memory(bytes)?, memory(bytes)?];
            // What a mask hides must be numbers all the same, and nothing of somebody else.
            keys.set(0)?;
            values.set(0)?;
            Ok(Cache { keys, values })
        };
        let (first, session) = (speech.first_tokens, stream.session());
        Ok(Self {
            mel: memory(sizes.mel)?,
            tokens: memory(first * TOKEN)?,
            audio: memory(sizes.audio)?,
            cross: cache(sizes.cross)?,
            rows: cache((speech.description.context + first) * sizes.row)?,
            logits: memory(first * sizes.logits)?,
            stage: session.buffer(sizes.mel + first * TOKEN)?,
            answer: session.buffer(2 * sizes.logits)?,
            length: 0,
            speech,
        })
    }

    /// Returns how many tokens are in the caches.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Hears the window of the spectrum that begins at a frame, and lets the decoder begin with a prompt: one job.
    pub(crate) fn listen(
        &mut self,
        spectrum: &Spectrum,
        frame: usize,
        prompt: &[u32],
    ) -> Result<First> {
        let speech = self.speech.clone();
        let mel = speech.sizes.mel;
        let frames = speech.description.frames();
        spectrum.write(frame, frames, &mut self.stage.write()?[..mel]);
        let encoder = bind(&speech.encoder, 0, |name| match name {
            "mel" => Some(&self.mel),
            _ => Some(&self.audio),
        })?;
        let job = speech.stream.job().timeout(TIMEOUT);
        let job = job.then(Part::to_card(&self.stage, 0..mel, &self.mel));
        self.start(job, Some(encoder), prompt)
    }

    /// Lets the decoder begin with another prompt.
    pub(crate) fn begin(&mut self, prompt: &[u32]) -> Result<First> {
        let speech = self.speech.clone();
        self.start(speech.stream.job().timeout(TIMEOUT), None, prompt)
    }

    /// Adds the decoder's first run to a job, behind the encoder's, and runs it; what is left of the prompt goes by later runs.
    fn start(
        &mut self,
        job: Job<'_>,
        encoder: Option<CardBinding>,
        prompt: &[u32],
    ) -> Result<First> {
        let speech = self.speech.clone();
        let first = speech.first_tokens;
        let taken = &prompt[..first.min(prompt.len())];
        let staged = self.stage_tokens(taken)?;
        let main = bind(&speech.main, 0, |name| match name {
            "tokens" => Some(&self.tokens),
            "audio" => Some(&self.audio),
            "cross_k" => Some(&self.cross.keys),
            "cross_v" => Some(&self.cross.values),
            "self_k_out" => Some(&self.rows.keys),
            "self_v_out" => Some(&self.rows.values),
            _ => Some(&self.logits),
        })?;
        let mut job = job.then(Part::to_card(&self.stage, staged, &self.tokens));
        let mut runs = Vec::with_capacity(2);
        for binding in encoder.into_iter().chain([main]) {
            let (longer, run) = binding.add_to(job);
            job = longer;
            runs.push(run);
        }
        let size = speech.sizes.logits;
        for (place, token) in [0, taken.len() - 1].into_iter().enumerate() {
            let logits = self.logits.part((token * size) as u64, size as u64)?;
            let range = place * size..(place + 1) * size;
            job = job.then(Part::from_card(&self.answer, range, &logits));
        }
        let mut done = job.run()?;
        for run in runs {
            run.finish(&mut done)?;
        }
        self.length = taken.len();
        let (start, mut last) = (self.read(0)?, self.read(1)?);
        for token in &prompt[taken.len()..] {
            last = self.next(*token)?;
        }
        Ok(First { start, last })
    }

    /// Writes the tokens of a first run, all of them, and returns where they are.
    fn stage_tokens(&self, prompt: &[u32]) -> Result<Range<usize>> {
        let description = &self.speech.description;
        let range = self.speech.sizes.mel..self.stage.len();
        let mut stage = self.stage.write()?;
        // Those behind the prompt are not seen by it, and their rows are overwritten.
        let tokens = prompt
            .iter()
            .chain(std::iter::repeat(&description.tokens.end));
        for (bytes, token) in stage[range.clone()].chunks_exact_mut(TOKEN).zip(tokens) {
            bytes.copy_from_slice(&token.to_le_bytes());
        }
        Ok(range)
    }

    /// Runs a token through the decoder, and returns what it says to that: one job, which copies nothing to the card.
    pub(crate) fn next(&mut self, token: u32) -> Result<Vec<f32>> {
        let speech = &*self.speech;
        let (size, row) = (speech.sizes.logits, speech.sizes.row as u64);
        let at = self.length as u64 * row;
        let logits = self.logits.part(0, size as u64)?;
        // The new rows go to where later tokens find them; this run has them hidden by its mask.
        let (keys, values) = (
            self.rows.keys.part(at, row)?,
            self.rows.values.part(at, row)?,
        );
        let number = speech.tables.number(token as usize)?;
        let (place, mask) = (
            speech.tables.number(self.length)?,
            speech.tables.mask(self.length)?,
        );
        let binding = bind(&speech.later, 0, |name| match name {
            "token" => Some(&number),
            "position" => Some(&place),
            "mask" => Some(&mask),
            "cross_k" => Some(&self.cross.keys),
            "cross_v" => Some(&self.cross.values),
            "self_k" => Some(&self.rows.keys),
            "self_v" => Some(&self.rows.values),
            "self_k_out" => Some(&keys),
            "self_v_out" => Some(&values),
            _ => Some(&logits),
        })?;
        let (job, run) = binding.add_to(speech.stream.job().timeout(TIMEOUT));
        let job = job.then(Part::from_card(&self.answer, 0..size, &logits));
        let mut done = job.run()?;
        run.finish(&mut done)?;
        self.length += 1;
        self.read(0)
    }

    /// Reads the logits of one of the two tokens.
    fn read(&self, place: usize) -> Result<Vec<f32>> {
        let sizes = &self.speech.sizes;
        let range = place * sizes.logits..(place + 1) * sizes.logits;
        Ok(numbers(sizes.logit, &self.answer.read()?[range]))
    }
}
