// SPDX-License-Identifier: MIT OR Apache-2.0

//! Voice activity: how likely it is that somebody speaks, by a compiled model of the Silero kind.
//!
//! The model hears 32 ms at a time and knows of what was before by its state, which stays on the card.

use std::path::Path;

use ax650::{CardMemory, DataType, Model, Part, Session, Stream};

use super::RATE;
use crate::error::{Error, Result};
use crate::tables::{row, ALIGN};
use crate::tensors::{bind, check_counts, check_size, elements, find, load, numbers, TIMEOUT};

/// New samples that the model hears at a time.
pub(crate) const WINDOW: usize = 512;

/// Samples before them that it hears again.
const BEFORE: usize = 64;

/// Samples of a run.
const HEARD: usize = BEFORE + WINDOW;

/// Bytes of a sample, of a number of the state and of a probability.
const NUMBER: usize = 4;

/// Runs of one job.  Even, so that each job finds the state where the first did.
const RUNS: usize = 100;

/// A model of voice activity that is loaded on a card.
#[derive(Debug)]
pub struct Voice {
    stream: Stream,
    model: Model,
    /// What a run finds and what it leaves, in turn.
    states: [CardMemory; 2],
    /// Samples in a second, for models that want to be told.
    rate: CardMemory,
    heard: CardMemory,
    found: CardMemory,
}

impl Voice {
    /// Loads a model.
    ///
    /// # Errors
    ///
    /// [`Error::File`]; [`Error::Directory`]: its tensors are others than those of `docs/llm.md`; [`Error::Card`].
    pub fn load(session: &Session, path: &Path) -> Result<Self> {
        let stream = session.new_context()?;
        let model = load(&stream, path)?;
        let state = check(path, &model)?;
        let memory = |bytes: usize| CardMemory::new(&stream, bytes as u64);
        let rate = memory(ALIGN)?;
        rate.send(0, &(RATE as u64).to_le_bytes())?;
        Ok(Self {
            states: [memory(state)?, memory(state)?],
            rate,
            heard: memory(RUNS * HEARD * NUMBER)?,
            found: memory(RUNS * ALIGN)?,
            model,
            stream,
        })
    }

    /// Returns for each 512 of the samples, [`RATE`] of them in a second, how likely it is that somebody speaks, from 0 to 1.
    /// `go_on` is asked now and then.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`]; [`Error::Card`].
    pub fn probabilities(
        &self,
        sound: &[f32],
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Vec<f32>> {
        let session = self.stream.session();
        let stage = session.buffer(RUNS * HEARD * NUMBER)?;
        let answer = session.buffer(RUNS * ALIGN)?;
        // Silence comes before the sound, and behind it.
        self.states[0].set(0)?;
        let count = sound.len().div_ceil(WINDOW);
        let mut all = Vec::with_capacity(count);
        while all.len() < count {
            if !go_on() {
                return Err(Error::Cancelled);
            }
            let runs = RUNS.min(count - all.len());
            let (given, taken) = (runs * HEARD * NUMBER, runs * ALIGN);
            for (run, bytes) in stage.write()?[..given]
                .chunks_exact_mut(HEARD * NUMBER)
                .enumerate()
            {
                fill(sound, (all.len() + run) * WINDOW, bytes);
            }
            let mut job = self.stream.job().timeout(TIMEOUT);
            job = job.then(Part::to_card(&stage, 0..given, &self.heard));
            let mut under_way = Vec::with_capacity(runs);
            for run in 0..runs {
                let heard = row(&self.heard, run, HEARD * NUMBER)?;
                let found = row(&self.found, run, ALIGN)?;
                let binding = bind(&self.model, 0, |name| match name {
                    "input" => Some(&heard),
                    "state" => Some(&self.states[run % 2]),
                    "sr" => Some(&self.rate),
                    "stateN" => Some(&self.states[(run + 1) % 2]),
                    _ => Some(&found),
                })?;
                let (longer, steps) = binding.add_to(job);
                job = longer;
                under_way.push(steps);
            }
            job = job.then(Part::from_card(&answer, 0..taken, &self.found));
            let mut done = job.run()?;
            for steps in under_way {
                steps.finish(&mut done)?;
            }
            let answers = answer.read()?;
            let each = answers[..taken].chunks_exact(ALIGN);
            all.extend(each.flat_map(|bytes| numbers(DataType::Fp32, &bytes[..NUMBER])));
        }
        Ok(all)
    }
}

/// Writes what is heard in the run whose new samples begin at `start`; outside of the sound it is silent.
fn fill(sound: &[f32], start: usize, bytes: &mut [u8]) {
    for (number, bytes) in bytes.chunks_exact_mut(NUMBER).enumerate() {
        let place = (start + number).checked_sub(BEFORE);
        let sample = place.and_then(|place| sound.get(place));
        bytes.copy_from_slice(&sample.unwrap_or(&0.0).to_le_bytes());
    }
}

/// Checks the tensors, and returns the bytes of the state.
fn check(path: &Path, model: &Model) -> Result<usize> {
    let (inputs, outputs) = (model.inputs(), model.outputs());
    let wants_rate = inputs.iter().any(|tensor| tensor.name == "sr");
    let count = if wants_rate { 3 } else { 2 };
    check_counts(path, model, "a model of voice activity", count, 2)?;
    let single = [DataType::Fp32];
    check_size(path, find(path, inputs, "input", &single)?, 0, HEARD)?;
    check_size(path, find(path, outputs, "output", &single)?, 0, 1)?;
    if wants_rate {
        check_size(path, find(path, inputs, "sr", &[DataType::Int64])?, 0, 1)?;
    }
    let (state, new) = (
        find(path, inputs, "state", &single)?,
        find(path, outputs, "stateN", &single)?,
    );
    let Some(count) = elements(state, 0) else {
        let shape = &state.shapes[0];
        return Err(Error::directory(path, format!("tensor `state` is {shape}")));
    };
    check_size(path, new, 0, count)?;
    Ok(count * NUMBER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_hears_the_end_of_the_last_one_again() {
        let sound: Vec<f32> = (1..=600).map(|sample| sample as f32).collect();
        let heard = |start| {
            let mut bytes = vec![7; HEARD * NUMBER];
            fill(&sound, start, &mut bytes);
            numbers(DataType::Fp32, &bytes)
        };
        let first = heard(0);
        assert_eq!((first[63], first[64], first[575]), (0.0, 1.0, 512.0));
        let second = heard(WINDOW);
        assert_eq!((second[0], second[64]), (449.0, 513.0));
        assert_eq!((second[151], second[152]), (600.0, 0.0));
    }
}
