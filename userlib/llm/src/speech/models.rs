// SPDX-License-Identifier: MIT OR Apache-2.0

//! The three compiled models: what their tensors have to be.

use std::path::Path;

use ax650::{CardMemory, DataType, Model, Session, Stream, TensorInfo};

use super::description::Description;
use crate::error::{Error, Result};
use crate::tables::{indices, masks, row, ALIGN};
use crate::tensors::{check_counts, check_size, elements, find, load, NUMBERS};
use crate::text::Tokens;

/// A model of speech that is loaded on a card.
#[derive(Debug)]
pub struct Speech {
    /// Its description.
    pub description: Description,
    pub(crate) text: Tokens,
    pub(crate) stream: Stream,
    pub(crate) encoder: Model,
    pub(crate) main: Model,
    pub(crate) later: Model,
    /// Tokens that the decoder's first run takes.
    pub(crate) first_tokens: usize,
    pub(crate) sizes: Sizes,
    pub(crate) tables: Tables,
}

/// Bytes of what goes from model to model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) mel: usize,
    pub(crate) audio: usize,
    /// Keys of all places of the audio; values have as many.
    pub(crate) cross: usize,
    /// Keys of one token in all layers; values have as many.
    pub(crate) row: usize,
    /// Type of the logits of a token.
    pub(crate) logit: DataType,
    pub(crate) logits: usize,
}

/// What a token needs besides the caches, for each that there can be: the job of a token copies nothing to the card.
#[derive(Debug)]
pub(crate) struct Tables {
    numbers: CardMemory,
    masks: CardMemory,
    mask_bytes: usize,
}

impl Tables {
    /// Returns a token or a place as the card takes it.
    pub(crate) fn number(&self, number: usize) -> Result<CardMemory> {
        row(&self.numbers, number, ALIGN)
    }

    /// Returns the mask of the token at `place`.
    pub(crate) fn mask(&self, place: usize) -> Result<CardMemory> {
        row(&self.masks, place, self.mask_bytes)
    }
}

impl Speech {
    /// Loads the models in `directory`; `progress` is told how many of how many are loaded.
    ///
    /// # Errors
    ///
    /// [`Error::File`], [`Error::Directory`]: the directory; [`Error::Card`].  What `progress` returns ends the loading.
    pub fn load(
        session: &Session,
        directory: &Path,
        progress: &mut dyn FnMut(usize, usize) -> Result<()>,
    ) -> Result<Self> {
        let description = Description::read(directory)?;
        let tokenizer = directory.join(&description.tokenizer);
        let text = Tokens::read(&tokenizer, description.vocabulary)?;
        let names = [&description.encoder, &description.main, &description.later];
        let paths = names.map(|name| directory.join(name));
        for path in &paths {
            std::fs::metadata(path).map_err(|error| Error::file(path, error))?;
        }
        // All models have one stream: what goes to it is sent together.
        let stream = session.new_context()?;
        let mut models = Vec::with_capacity(paths.len());
        for (number, path) in paths.iter().enumerate() {
            progress(number, paths.len())?;
            models.push(load(&stream, path)?);
        }
        progress(paths.len(), paths.len())?;
        let (Some(later), Some(main), Some(encoder)) = (models.pop(), models.pop(), models.pop())
        else {
            return Err(Error::Invalid("three models".into()));
        };
        let [encoder_path, main_path, later_path] = &paths;
        let (mel, audio) = check_encoder(encoder_path, &encoder, &description)?;
        let (first_tokens, state) = check_main(main_path, &main, &description, audio)?;
        check_later(later_path, &later, &description, &state)?;
        let (masks, mask_bytes) = masks(&stream, description.context)?;
        let count = description.vocabulary.max(description.context);
        Ok(Self {
            first_tokens,
            sizes: Sizes {
                mel: mel.shapes[0].size,
                audio: audio.shapes[0].size,
                cross: state.cross.shapes[0].size,
                row: state.rows.shapes[0].size / first_tokens,
                logit: state.logits.data_type,
                logits: state.logits.shapes[0].size / first_tokens,
            },
            tables: Tables {
                numbers: indices(&stream, count)?,
                masks,
                mask_bytes,
            },
            description,
            text,
            stream,
            encoder,
            main,
            later,
        })
    }
}

/// Checks tensors that all have one type, and returns the first.
fn check_alike<'a>(
    path: &Path,
    tensors: &'a [TensorInfo],
    kind: DataType,
    wanted: &[(&str, usize)],
) -> Result<Vec<&'a TensorInfo>> {
    let check = |(name, count): &(&str, usize)| {
        let tensor = find(path, tensors, name, &[kind])?;
        check_size(path, tensor, 0, *count)?;
        Ok(tensor)
    };
    wanted.iter().map(check).collect()
}

/// Returns the encoder's input and output.
fn check_encoder<'a>(
    path: &Path,
    model: &'a Model,
    description: &Description,
) -> Result<(&'a TensorInfo, &'a TensorInfo)> {
    check_counts(path, model, "an encoder", 1, 1)?;
    let mel = find(path, model.inputs(), "mel", &[DataType::Fp32])?;
    let audio = find(path, model.outputs(), "audio", &NUMBERS)?;
    check_size(path, mel, 0, description.mels * description.frames())?;
    check_size(
        path,
        audio,
        0,
        description.audio_context * description.state,
    )?;
    Ok((mel, audio))
}

/// What the decoder's first run leaves to later ones.
struct State<'a> {
    logits: &'a TensorInfo,
    cross: &'a TensorInfo,
    rows: &'a TensorInfo,
}

/// Returns how many tokens the decoder's first run takes, and what it leaves.
fn check_main<'a>(
    path: &Path,
    model: &'a Model,
    description: &Description,
    audio: &TensorInfo,
) -> Result<(usize, State<'a>)> {
    check_counts(path, model, "the decoder's first run", 2, 5)?;
    let (inputs, outputs) = (model.inputs(), model.outputs());
    let tokens = find(path, inputs, "tokens", &[DataType::Uint32])?;
    let count = elements(tokens, 0).unwrap_or(0);
    if !(1..=description.context).contains(&count) {
        let (shape, most) = (&tokens.shapes[0], description.context);
        let problem = format!("tensor `tokens` is {shape}, wanted are 1 to {most} elements");
        return Err(Error::directory(path, problem));
    }
    let heard = description.audio_context * description.state;
    check_alike(path, inputs, audio.data_type, &[("audio", heard)])?;
    let logits = find(path, outputs, "logits", &NUMBERS)?;
    check_size(path, logits, 0, count * description.vocabulary)?;
    let kind = find(path, outputs, "cross_k", &NUMBERS)?.data_type;
    let row = description.layers * description.state;
    let cross = description.audio_context * row;
    let wanted = [
        ("cross_k", cross),
        ("cross_v", cross),
        ("self_k_out", count * row),
        ("self_v_out", count * row),
    ];
    let tensors = check_alike(path, outputs, kind, &wanted)?;
    let (cross, rows) = (tensors[0], tensors[2]);
    Ok((
        count,
        State {
            logits,
            cross,
            rows,
        },
    ))
}

/// Checks that the decoder's later runs take what the first leaves.
fn check_later(
    path: &Path,
    model: &Model,
    description: &Description,
    state: &State<'_>,
) -> Result<()> {
    check_counts(path, model, "a later run of the decoder", 7, 3)?;
    let (inputs, outputs) = (model.inputs(), model.outputs());
    let (kind, logit) = (state.cross.data_type, state.logits.data_type);
    let (context, row) = (description.context, description.layers * description.state);
    let cross = description.audio_context * row;
    let wanted = [
        ("cross_k", cross),
        ("cross_v", cross),
        ("self_k", context * row),
        ("self_v", context * row),
    ];
    check_alike(
        path,
        inputs,
        DataType::Uint32,
        &[("token", 1), ("position", 1)],
    )?;
    check_alike(path, inputs, DataType::Bf16, &[("mask", context + 1)])?;
    check_alike(path, inputs, kind, &wanted)?;
    check_alike(path, outputs, logit, &[("logits", description.vocabulary)])?;
    check_alike(
        path,
        outputs,
        kind,
        &[("self_k_out", row), ("self_v_out", row)],
    )?;
    Ok(())
}
