// SPDX-License-Identifier: MIT OR Apache-2.0

//! Inferences: a model, again and again, with the same bytes.

use std::sync::atomic::{AtomicU64, Ordering};

use ax650::{Binding, DataType, Model};

use super::channel::{differs, Channel, Until};
use crate::failure::Failure;
use crate::interrupt;

/// Binds the model, with inputs that are not all alike.
fn bind(model: &Model) -> Result<Binding, Failure> {
    let binding = model.bind(0)?;
    for (number, input) in model.inputs().iter().enumerate() {
        let mut bytes = binding.input(number)?;
        // Other floats may be no numbers.
        match input.data_type {
            DataType::Fp32 => bytes
                .chunks_exact_mut(4)
                .enumerate()
                .for_each(|(at, four)| {
                    let value = (at % 251) as f32 / 251.0;
                    four.copy_from_slice(&value.to_le_bytes());
                }),
            DataType::Uint8 | DataType::Int8 => bytes
                .iter_mut()
                .enumerate()
                .for_each(|(at, byte)| *byte = (at % 251) as u8),
            _ => bytes.fill(0),
        }
    }
    Ok(binding)
}

fn outputs(binding: &Binding) -> Result<Vec<Vec<u8>>, Failure> {
    binding.run()?;
    let all = 0..binding.model().outputs().len();
    all.map(|number| Ok(binding.output(number)?.to_vec()))
        .collect()
}

/// Returns the outputs of one inference alone.
pub fn alone(model: &Model) -> Result<Vec<Vec<u8>>, Failure> {
    outputs(&bind(model)?)
}

/// A thread's inferences.
pub struct Inference<'a> {
    binding: Binding,
    /// What one alone has given.
    results: &'a [Vec<u8>],
}

impl<'a> Inference<'a> {
    /// Prepares inferences of a model.
    pub fn new(model: &Model, results: &'a [Vec<u8>]) -> Result<Self, Failure> {
        let binding = bind(model)?;
        Ok(Self { binding, results })
    }
}

impl Channel for Inference<'_> {
    fn work(&mut self, until: Until, done: &AtomicU64) -> Result<(), Failure> {
        loop {
            interrupt::check()?;
            let number = done.load(Ordering::Relaxed);
            if outputs(&self.binding)? != self.results {
                return Err(differs("inference", number));
            }
            done.store(number + 1, Ordering::Relaxed);
            if until.is_over(number + 1) {
                return Ok(());
            }
        }
    }
}
