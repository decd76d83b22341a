// SPDX-License-Identifier: MIT OR Apache-2.0

//! Decoder layers and the head: what their tensors have to be, and where they lie.

use std::path::Path;

use ax650::{CardBinding, CardMemory, DataType, Model, Stream};

use crate::description::Description;
use crate::error::{Error, Result};
use crate::tensors::{bind, check_counts, check_size, elements, find, load, NUMBERS};

/// Bytes of an element of bfloat16.
pub(crate) const ELEMENT: usize = 2;

/// How many tokens a shape group of the layers takes, and of how many before them it sees the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) index: usize,
    pub(crate) tokens: usize,
    pub(crate) history: usize,
}

/// A decoder layer that is loaded.
#[derive(Debug)]
pub(crate) struct Layer {
    model: Model,
    pub(crate) groups: Vec<Group>,
}

/// Card memory for all tensors of a layer.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) keys: CardMemory,
    pub(crate) values: CardMemory,
    pub(crate) indices: CardMemory,
    pub(crate) mask: CardMemory,
    pub(crate) input: CardMemory,
    pub(crate) new_keys: CardMemory,
    pub(crate) new_values: CardMemory,
    pub(crate) output: CardMemory,
}

impl Places {
    fn find(&self, name: &str) -> Option<&CardMemory> {
        Some(match name {
            "K_cache" => &self.keys,
            "V_cache" => &self.values,
            "indices" => &self.indices,
            "mask" => &self.mask,
            "input" => &self.input,
            "K_cache_out" => &self.new_keys,
            "V_cache_out" => &self.new_values,
            "output" => &self.output,
            _ => return None,
        })
    }
}

impl Layer {
    /// Loads a layer and checks its tensors.
    pub(crate) fn load(stream: &Stream, path: &Path, description: &Description) -> Result<Self> {
        let model = load(stream, path)?;
        let groups = check(path, &model, description)?;
        Ok(Self { model, groups })
    }

    /// Makes a run of the layer in a shape group, with its tensors in `places`.
    pub(crate) fn bind(&self, group: Group, places: &Places) -> Result<CardBinding> {
        bind(&self.model, group.index, |name| places.find(name))
    }
}

/// Returns the shape groups of a layer whose tensors are as they have to be.
fn check(path: &Path, model: &Model, description: &Description) -> Result<Vec<Group>> {
    let (hidden, kv) = (description.hidden_size, description.kv_size);
    let (inputs, outputs) = (model.inputs(), model.outputs());
    check_counts(path, model, "a layer", 5, 3)?;
    let bf16 = &[DataType::Bf16];
    let input = |name| find(path, inputs, name, bf16);
    let output = |name| find(path, outputs, name, bf16);
    let (keys, values) = (input("K_cache")?, input("V_cache")?);
    let indices = find(path, inputs, "indices", &[DataType::Uint32])?;
    let (mask, state) = (input("mask")?, input("input")?);
    let (new_keys, new_values) = (output("K_cache_out")?, output("V_cache_out")?);
    let next = output("output")?;
    let mut groups = Vec::with_capacity(model.groups());
    for index in 0..model.groups() {
        let tokens = elements(indices, index).filter(|tokens| *tokens > 0);
        let history = elements(keys, index).filter(|elements| elements % kv == 0);
        let (Some(tokens), Some(history)) = (tokens, history.map(|elements| elements / kv)) else {
            let (indices, keys) = (&indices.shapes[index], &keys.shapes[index]);
            return Err(Error::directory(
                path,
                format!(
                    "shape group {index}: indices {indices}, K_cache {keys}, with kv_size {kv}"
                ),
            ));
        };
        for (tensor, wanted) in [
            (values, history * kv),
            (mask, tokens * (history + tokens)),
            (state, tokens * hidden),
            (new_keys, tokens * kv),
            (new_values, tokens * kv),
            (next, tokens * hidden),
        ] {
            check_size(path, tensor, index, wanted)?;
        }
        groups.push(Group {
            index,
            tokens,
            history,
        });
    }
    let first = groups.first().copied();
    match first {
        Some(Group {
            tokens: 1, history, ..
        }) if history == description.context => Ok(groups),
        _ => Err(Error::directory(
            path,
            format!(
                "shape group 0 must be for one token with a cache of `context` {}, not {first:?}",
                description.context
            ),
        )),
    }
}

/// The head of a model.
#[derive(Debug)]
pub(crate) struct Head {
    model: Model,
    /// Type of the logits.
    pub(crate) kind: DataType,
    /// Bytes of the logits.
    pub(crate) bytes: usize,
}

impl Head {
    /// Loads the head and checks its tensors.
    pub(crate) fn load(stream: &Stream, path: &Path, description: &Description) -> Result<Self> {
        let model = load(stream, path)?;
        let (inputs, outputs) = (model.inputs(), model.outputs());
        if (inputs.len(), outputs.len()) != (1, 1) {
            let (inputs, outputs) = (inputs.len(), outputs.len());
            let problem = format!("{inputs} inputs and {outputs} outputs, a head has one of each");
            return Err(Error::directory(path, problem));
        }
        let input = find(path, inputs, "input", &[DataType::Bf16])?;
        let output = find(path, outputs, "output", &NUMBERS)?;
        check_size(path, input, 0, description.hidden_size)?;
        check_size(path, output, 0, description.vocabulary)?;
        let (kind, bytes) = (output.data_type, output.shapes[0].size);
        Ok(Self { model, kind, bytes })
    }

    /// Makes a run of the head.
    pub(crate) fn bind(&self, input: CardMemory, logits: CardMemory) -> Result<CardBinding> {
        Ok(self.model.bind_to(0, vec![input], vec![logits])?)
    }
}
