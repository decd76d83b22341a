// SPDX-License-Identifier: MIT OR Apache-2.0

//! Runs a model on the first card and prints the first values of each output.
//!
//! ```text
//! infer MODEL [INPUT ...]      raw bytes for each input; an input without a file is left all zeros
//! ```

use std::io::Write;
use std::path::{Path, PathBuf};

use ax650::{Card, Model};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// Runs the model in the file `model` once.
pub fn infer(card: &Card, model: &Path, inputs: &[PathBuf], out: &mut dyn Write) -> Result<()> {
    // A session is a process of its own on the card: what others do there is out of its reach, and it ends when the last
    // thing made from it is dropped.
    let session = card.session()?;
    let model = Model::load_file(&session, model)?;
    // Buffers for one run, which the card reaches by DMA.  0 is the first shape group; most models have no other.
    let binding = model.bind(0)?;
    for (number, path) in inputs.iter().enumerate() {
        // Refuses what has another size than the tensor.
        binding.set_input(number, &std::fs::read(path)?)?;
    }
    let times = binding.run()?; // one request: inputs to the card, run, outputs back
    let (total, run) = (times.total, times.run);
    writeln!(out, "ran in {total:?}, {run:?} of it the model")?;
    for tensor in model.outputs() {
        let (name, shape) = (&tensor.name, &tensor.shapes[0]);
        write!(out, "{name} {} {shape}: ", tensor.data_type)?;
        // Elements where they are, without a copy; tensors of other types as bytes.
        match binding.output_as::<f32>(name) {
            Ok(values) => writeln!(out, "{:?}", &values[..values.len().min(8)])?,
            Err(_) => writeln!(out, "{:?}", binding.output(name)?.chunks(8).next())?,
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let mut files = std::env::args_os().skip(1).map(PathBuf::from);
    let model = files.next().ok_or("usage: infer MODEL [INPUT ...]")?;
    for listed in Card::list() {
        let state = listed.info.map(|info| info.state);
        eprintln!("{}: {state:?}", listed.path.display());
    }
    let inputs: Vec<_> = files.collect();
    // `Card::open("01:00.0")` takes a certain one.
    infer(
        &Card::open_first()?,
        &model,
        &inputs,
        &mut std::io::stdout(),
    )
}
