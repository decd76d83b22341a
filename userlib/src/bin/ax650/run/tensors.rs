// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tensors from and to files.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use ax650::{Binding, DataType, Model, TensorInfo};

use super::npy;
use crate::args::{Fill, Run};
use crate::failure::Failure;
use crate::output::{refuse_existing, Output};

/// Fills all inputs, from files as far as there are some.
pub fn fill_inputs(binding: &Binding, options: &Run) -> Result<(), Failure> {
    let inputs = binding.model().inputs();
    let mut files: Vec<Option<&str>> = vec![None; inputs.len()];
    for argument in &options.input {
        let named = named(inputs, argument)?;
        let (index, file) = match named {
            Some((index, _)) if files[index].is_some() => {
                let name = &inputs[index].name;
                return Err(Failure::usage(format!("two files for input `{name}`")));
            }
            Some(named) => named,
            None => match files.iter().position(Option::is_none) {
                Some(free) => (free, argument.as_str()),
                None => {
                    let (files, count) = (options.input.len(), inputs.len());
                    return Err(Failure::usage(format!(
                        "{files} files for a model with {count} inputs"
                    )));
                }
            },
        };
        files[index] = Some(file);
    }
    for (index, (tensor, file)) in inputs.iter().zip(files).enumerate() {
        let shape = &tensor.shapes[options.group];
        let mut input = binding.input(index)?;
        match file {
            Some(file) => read_tensor(Path::new(file), tensor, options.group, &mut input)?,
            None => {
                let packed = shape.packed_size(tensor.data_type).unwrap_or(shape.size);
                let end = packed.min(shape.size);
                fill(
                    &mut input[..end],
                    tensor.data_type,
                    options.fill,
                    index as u64,
                );
            }
        }
    }
    Ok(())
}

/// Input and file of `NAME=FILE`; `None` if it is a file alone.
fn named<'a>(
    inputs: &[TensorInfo],
    argument: &'a str,
) -> Result<Option<(usize, &'a str)>, Failure> {
    // Names may have the character in them, and so may files.
    let splits = argument.match_indices('=').map(|(at, _)| at);
    let mut found = splits.filter_map(|at| {
        let name = &argument[..at];
        let index = inputs.iter().position(|input| input.name == name)?;
        Some((index, &argument[at + 1..]))
    });
    if let Some(found) = found.next() {
        return Ok(Some(found));
    }
    match argument.split_once('=') {
        Some((name, _)) if !Path::new(argument).exists() => {
            let names: Vec<_> = inputs
                .iter()
                .map(|input| format!("`{}`", input.name))
                .collect();
            let names = if names.is_empty() {
                "none".into()
            } else {
                names.join(", ")
            };
            Err(Failure::of(format!(
                "{argument}: there is no input `{name}`, and no such file; inputs: {names}"
            )))
        }
        _ => Ok(None),
    }
}

/// Refuses standard input that is named twice: it can be read once.
pub fn one_standard_input(options: &Run) -> Result<(), Failure> {
    let inputs = options.input.iter();
    let dashes = inputs
        .filter(|input| *input == "-" || input.ends_with("=-"))
        .count();
    if dashes + usize::from(options.model == Path::new("-")) > 1 {
        return Err(Failure::usage("standard input (-) is given more than once"));
    }
    Ok(())
}

/// A file, or standard input, of `most` bytes and a bit.
fn read_file(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One more than can be right is enough to know; nobody wants the whole of /dev/zero.
    if path == Path::new("-") {
        io::stdin().lock().take(most + 1).read_to_end(&mut bytes)?;
    } else {
        fs::File::open(path)?
            .take(most + 1)
            .read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn read_tensor(
    path: &Path,
    tensor: &TensorInfo,
    group: usize,
    input: &mut [u8],
) -> Result<(), Failure> {
    let shape = &tensor.shapes[group];
    // An .npy file has a header besides.
    let most = input.len() as u64 + npy::MAX_HEADER as u64;
    let file = read_file(path, most).map_err(|error| Failure::file(path, &error))?;
    let bad = |problem: String| {
        let (path, name) = (path.display(), &tensor.name);
        Err(Failure::of(format!(
            "{path}: {problem}, but input `{name}` is {} {shape}",
            tensor.data_type
        )))
    };
    let data = if npy::is_npy(&file) {
        let array = match npy::parse(&file) {
            Ok(array) => array,
            Err(problem) => return Err(Failure::of(format!("{}: {problem}", path.display()))),
        };
        if !npy::fits(tensor.data_type, array.descr) {
            return bad(format!("elements of type {}", array.descr));
        }
        if array.shape != shape.dims {
            return bad(format!("an array of shape {:?}", array.shape));
        }
        array.data
    } else {
        &file
    };
    let packed = shape.packed_size(tensor.data_type);
    if (data.len() != input.len() && Some(data.len()) != packed) || data.len() > input.len() {
        let more = if file.len() as u64 > most {
            "more than "
        } else {
            ""
        };
        return bad(format!("{more}{} bytes", data.len()));
    }
    // What the card wants behind the elements is 0, as the buffer is.
    input[..data.len()].copy_from_slice(data);
    Ok(())
}

fn fill(bytes: &mut [u8], data_type: DataType, fill: Fill, seed: u64) {
    if fill == Fill::Zero {
        return bytes.fill(0);
    }
    // xorshift64*, from a start that is never 0.
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32
    };
    match data_type {
        DataType::Fp32 => {
            for element in bytes.chunks_exact_mut(4) {
                let value = (next() >> 8) as f32 / (1 << 24) as f32;
                element.copy_from_slice(&value.to_le_bytes());
            }
        }
        DataType::Fp64 => {
            for element in bytes.chunks_exact_mut(8) {
                let value = f64::from(next()) / f64::from(u32::MAX);
                element.copy_from_slice(&value.to_le_bytes());
            }
        }
        // 0.5 to 1: a fixed exponent and any fraction.
        DataType::Fp16 => {
            for element in bytes.chunks_exact_mut(2) {
                element.copy_from_slice(&(0x3800 | (next() as u16 & 0x3FF)).to_le_bytes());
            }
        }
        DataType::Bf16 => {
            for element in bytes.chunks_exact_mut(2) {
                element.copy_from_slice(&(0x3F00 | (next() as u16 & 0x7F)).to_le_bytes());
            }
        }
        _ => bytes.iter_mut().for_each(|byte| *byte = next() as u8),
    }
}

/// Refuses outputs that cannot be written before the first run, as it cannot be helped after the last.
pub fn can_be_npy(model: &Model) -> Result<(), Failure> {
    let without = |tensor: &&TensorInfo| npy::descr(tensor.data_type).is_none();
    match model.outputs().iter().find(without) {
        Some(TensorInfo {
            name, data_type, ..
        }) => Err(Failure::of(format!(
            "output `{name}`: .npy files have no type {data_type}; leave out --npy"
        ))),
        None => Ok(()),
    }
}

/// Name of the file of an output.
fn output_name(index: usize, tensor: &TensorInfo, as_npy: bool) -> String {
    let extension = if as_npy { "npy" } else { "bin" };
    format!("{index}_{}.{extension}", file_name(&tensor.name))
}

/// Refuses outputs that are there, without `--force`, before the first run.
pub fn check_outputs(model: &Model, options: &Run) -> Result<(), Failure> {
    let Some(directory) = options.output.as_deref().filter(|_| !options.force) else {
        return Ok(());
    };
    let mut outputs = model.outputs().iter().enumerate();
    outputs.try_for_each(|(index, tensor)| {
        refuse_existing(&directory.join(output_name(index, tensor, options.npy)))
    })
}

/// Writes all outputs, each to a file `INDEX_NAME.bin` or `.npy`.
pub fn write_outputs(binding: &Binding, options: &Run, directory: &Path) -> Result<(), Failure> {
    let (group, as_npy) = (options.group, options.npy);
    fs::create_dir_all(directory).map_err(|error| Failure::file(directory, &error))?;
    let mut files = Vec::new();
    for (index, tensor) in binding.model().outputs().iter().enumerate() {
        let shape = &tensor.shapes[group];
        let data = binding.output(index)?;
        let packed = shape
            .packed_size(tensor.data_type)
            .unwrap_or(data.len())
            .min(data.len());
        let descr = npy::descr(tensor.data_type).filter(|_| as_npy);
        let name = output_name(index, tensor, descr.is_some());
        let mut file = Output::create(&directory.join(name), options.force)?;
        let header = descr
            .map(|descr| npy::header(descr, &shape.dims))
            .unwrap_or_default();
        let written = file
            .write_all(&header)
            .and_then(|()| file.write_all(&data[..packed]));
        written.map_err(|error| file.failure(&error))?;
        files.push(file);
    }
    files.into_iter().try_for_each(Output::commit)
}

/// A tensor's name without what is no good in a file's name.
fn file_name(name: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    name.chars()
        .take(100)
        .map(|c| if good(c) { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_directory() {
        assert_eq!(file_name("../a b/c:0"), ".._a_b_c_0");
        assert_eq!(file_name(&"x".repeat(300)).len(), 100);
    }

    #[test]
    fn random_numbers() {
        let mut bytes = [0; 4000];
        fill(&mut bytes, DataType::Fp32, Fill::Random, 0);
        let numbers: Vec<_> = bytes
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        let mean = numbers.iter().sum::<f32>() / 1000.0;
        assert!((0.4..0.6).contains(&mean), "{mean}");
        let mut same = [0; 4000];
        fill(&mut same, DataType::Fp32, Fill::Random, 0);
        assert_eq!(bytes, same);
        fill(&mut same, DataType::Fp32, Fill::Random, 1);
        assert_ne!(bytes, same);
    }
}
