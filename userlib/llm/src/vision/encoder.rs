// SPDX-License-Identifier: MIT OR Apache-2.0

//! The encoder on the card: what its tensors have to be, and how a picture becomes rows.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use ax650::{CardMemory, DataType, Model, Stream, TensorInfo};
use half::bf16;

use super::description::{Normal, Vision};
use super::picture::Picture;
use crate::error::{Error, Result};
use crate::layer::ELEMENT;
use crate::tensors::{check_counts, check_size, find, load, numbers, NUMBERS};

/// How the encoder takes pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    /// Bytes: red, green and blue side by side.
    Bytes,
    /// Normalised float32; colour by colour, or side by side.
    Floats { normal: Normal, by_colour: bool },
}

/// An encoder that is loaded.
#[derive(Debug)]
pub(crate) struct Encoder {
    model: Model,
    form: Form,
    size: (usize, usize),
    tokens: usize,
    /// Type of the rows that come out.
    kind: DataType,
    /// Bytes of them.
    bytes: usize,
    /// Bytes of a row of bfloat16.
    row: usize,
}

impl Encoder {
    /// Loads an encoder and checks its tensors; `hidden_size` is that of the language model.
    pub(crate) fn load(
        stream: &Stream,
        path: &Path,
        vision: &Vision,
        hidden_size: usize,
    ) -> Result<Self> {
        let model = load(stream, path)?;
        check_counts(path, &model, "an encoder", 1, 1)?;
        let (inputs, outputs) = (model.inputs(), model.outputs());
        let kinds = [DataType::Uint8, DataType::Fp32];
        let input = find(path, inputs, &inputs[0].name, &kinds)?;
        let output = find(path, outputs, &outputs[0].name, &NUMBERS)?;
        let form = form(input, vision).map_err(|problem| Error::directory(path, problem))?;
        check_size(path, input, 0, vision.width * vision.height * 3)?;
        check_size(path, output, 0, vision.tokens * hidden_size)?;
        let (kind, bytes) = (output.data_type, output.shapes[0].size);
        Ok(Self {
            model,
            form,
            size: (vision.width, vision.height),
            tokens: vision.tokens,
            kind,
            bytes,
            row: hidden_size * ELEMENT,
        })
    }

    /// Returns how many rows a picture becomes.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Makes the rows of a picture, in bfloat16; behind them are `spare` more, of zeroes.  Rows that the encoder makes in
    /// bfloat16 do not leave the card.
    pub(crate) fn encode(
        &self,
        stream: &Stream,
        picture: &Picture,
        spare: usize,
        timeout: Duration,
    ) -> Result<CardMemory> {
        if picture.size() != self.size {
            let ((width, height), (w, h)) = (picture.size(), self.size);
            let problem = format!("a picture of {width}x{height} pixels, the model takes {w}x{h}");
            return Err(Error::Invalid(problem));
        }
        let pixels = match self.form {
            Form::Bytes => Cow::Borrowed(picture.pixels()),
            Form::Floats { normal, by_colour } => Cow::Owned(picture.normalised(normal, by_colour)),
        };
        let input = CardMemory::new(stream, pixels.len() as u64)?;
        input.send(0, &pixels)?;
        let rows = CardMemory::new(stream, ((self.tokens + spare) * self.row) as u64)?;
        rows.set(0)?;
        let output = match self.kind {
            DataType::Bf16 => rows.clone(),
            _ => CardMemory::new(stream, self.bytes as u64)?,
        };
        let mut binding = self.model.bind_to(0, vec![input], vec![output.clone()])?;
        binding.set_timeout(Some(timeout));
        binding.run()?;
        if self.kind != DataType::Bf16 {
            let buffer = stream.session().buffer(self.bytes)?;
            output.fetch(0, &buffer, 0..self.bytes)?;
            let values = numbers(self.kind, &buffer.read()?).into_iter();
            let bytes = values.flat_map(|value| bf16::from_f32(value).to_le_bytes());
            rows.send(0, &bytes.collect::<Vec<_>>())?;
        }
        Ok(rows)
    }
}

/// Returns how the encoder takes pixels, by type and shape of its input.
fn form(input: &TensorInfo, vision: &Vision) -> Result<Form, String> {
    let (name, kind, shape) = (&input.name, input.data_type, &input.shapes[0]);
    let (height, width) = (vision.height as u32, vision.width as u32);
    let rest = shape.dims.iter().skip_while(|dim| **dim == 1);
    // Sides of 1 are no reason to see less than three dimensions.
    let count = rest.count().max(3).min(shape.dims.len());
    let dims = &shape.dims[shape.dims.len() - count..];
    let by_colour = kind != DataType::Uint8 && dims == [3, height, width];
    if !by_colour && dims != [height, width, 3] {
        let pixels = format!("1x{height}x{width}x3");
        let wanted = match kind {
            DataType::Uint8 => pixels,
            _ => format!("1x3x{height}x{width} or {pixels}"),
        };
        return Err(format!(
            "tensor `{name}` of {kind} is {shape}, not {wanted}"
        ));
    }
    match (kind, vision.normal()) {
        (DataType::Uint8, None) => Ok(Form::Bytes),
        (DataType::Uint8, Some(_)) => Err(format!(
            "tensor `{name}` is of uint8, which vision.mean and vision.std are not for"
        )),
        (_, Some(normal)) => Ok(Form::Floats { normal, by_colour }),
        (_, None) => Err(format!(
            "tensor `{name}` is of {kind}, which wants vision.mean and vision.std"
        )),
    }
}
