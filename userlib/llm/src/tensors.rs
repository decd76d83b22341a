// SPDX-License-Identifier: MIT OR Apache-2.0

//! Compiled models: loading, checks of their tensors, and runs with tensors in given places.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use ax650::{CardBinding, CardMemory, DataType, Model, Stream, TensorInfo};
use half::{bf16, f16};

use crate::error::{Error, Result};

/// How long a job may take, unless told otherwise.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(120);

/// Types that numbers out of a model may have.
pub(crate) const NUMBERS: [DataType; 3] = [DataType::Bf16, DataType::Fp16, DataType::Fp32];

/// Loads a compiled model.
pub(crate) fn load(stream: &Stream, path: &Path) -> Result<Model> {
    let failed = |error| Error::file(path, error);
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Error::directory(path, "not a file"));
    }
    let name = path.display().to_string();
    Ok(Model::load_on(stream, &name, &mut &file, metadata.len())?)
}

/// Elements of a tensor in a shape group, if there is nothing between and behind them.
pub(crate) fn elements(tensor: &TensorInfo, group: usize) -> Option<usize> {
    let shape = &tensor.shapes[group];
    let packed = shape.packed_size(tensor.data_type)?;
    (packed == shape.size).then(|| shape.elements()).flatten()
}

/// Finds a tensor by its name, and checks its type.
pub(crate) fn find<'a>(
    path: &Path,
    tensors: &'a [TensorInfo],
    name: &str,
    types: &[DataType],
) -> Result<&'a TensorInfo> {
    let Some(tensor) = tensors.iter().find(|tensor| tensor.name == name) else {
        let names: Vec<_> = tensors.iter().map(|tensor| &*tensor.name).collect();
        let problem = format!("no tensor `{name}`; there are: {}", names.join(", "));
        return Err(Error::directory(path, problem));
    };
    if !types.contains(&tensor.data_type) {
        let want: Vec<_> = types.iter().map(ToString::to_string).collect();
        let (have, want) = (tensor.data_type, want.join(" or "));
        let problem = format!("tensor `{name}` is of {have}, not {want}");
        return Err(Error::directory(path, problem));
    }
    Ok(tensor)
}

/// Checks how many elements a tensor has in a shape group.
pub(crate) fn check_size(
    path: &Path,
    tensor: &TensorInfo,
    group: usize,
    wanted: usize,
) -> Result<()> {
    if elements(tensor, group) == Some(wanted) {
        return Ok(());
    }
    let (name, shape) = (&tensor.name, &tensor.shapes[group]);
    let problem =
        format!("tensor `{name}` of shape group {group} is {shape}, wanted are {wanted} elements");
    Err(Error::directory(path, problem))
}

/// Checks how many inputs and outputs a model has; `what` says what it is.
pub(crate) fn check_counts(
    path: &Path,
    model: &Model,
    what: &str,
    inputs: usize,
    outputs: usize,
) -> Result<()> {
    for (kind, have, want) in [
        ("inputs", model.inputs().len(), inputs),
        ("outputs", model.outputs().len(), outputs),
    ] {
        if have != want {
            let problem = format!("{have} {kind}, {what} has {want}");
            return Err(Error::directory(path, problem));
        }
    }
    Ok(())
}

/// Makes a run of a model in a shape group, with its tensors in the places that `find` knows by their names.
pub(crate) fn bind<'a>(
    model: &Model,
    group: usize,
    find: impl Fn(&str) -> Option<&'a CardMemory>,
) -> Result<CardBinding> {
    let of = |tensors: &[TensorInfo]| {
        let places = tensors.iter().map(|tensor| find(&tensor.name));
        places.flatten().cloned().collect()
    };
    let (inputs, outputs) = (of(model.inputs()), of(model.outputs()));
    Ok(model.bind_to(group, inputs, outputs)?)
}

/// Reads numbers of one of [`NUMBERS`].
pub(crate) fn numbers(kind: DataType, bytes: &[u8]) -> Vec<f32> {
    let halves = bytes.chunks_exact(2).map(|half| [half[0], half[1]]);
    match kind {
        DataType::Fp16 => halves
            .map(|half| f16::from_le_bytes(half).to_f32())
            .collect(),
        DataType::Fp32 => bytes
            .chunks_exact(4)
            .map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]))
            .collect(),
        _ => halves
            .map(|half| bf16::from_le_bytes(half).to_f32())
            .collect(),
    }
}
