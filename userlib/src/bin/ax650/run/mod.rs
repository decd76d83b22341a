// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 run`

mod load;
pub mod npy;
mod tensors;

use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ax650::{Binding, Card, Model, RunTimes, TensorInfo};
use serde_json::{json, Value};

use crate::args::Run;
use crate::failure::Failure;
use crate::in_flight::in_turn;
use crate::progress_line::Ticker;
use crate::standard;
use crate::text::{self, Spread};

pub use load::look_at_model;

/// Runs a model.
pub fn run(card: &Card, options: &Run) -> Result<(), Failure> {
    tensors::one_standard_input(options)?;
    let session = card.session()?;
    let model = load::load(&session, &options.model, options.quiet)?;
    if options.npy {
        tensors::can_be_npy(&model)?;
    }
    tensors::check_outputs(&model, options)?;
    let bindings = bind(&model, options)?;
    if !options.json {
        write!(standard::output()?, "{}", describe(&model, options.group))?;
    }
    let (times, took) = repeat(&bindings, options)?;
    let per_second = times.len() as f64 / took.as_secs_f64().max(1e-9);
    if let Some(directory) = &options.output {
        tensors::write_outputs(&bindings[0], options, directory)?;
    }
    if options.json {
        writeln!(
            standard::output()?,
            "{}",
            to_json(&bindings, options.group, &times, per_second)
        )?;
    } else {
        let text = stages(&times);
        write!(
            standard::output()?,
            "\n{text}{per_second:.1} runs a second\n"
        )?;
    }
    Ok(())
}

/// Makes a binding for each run that is to be under way at a time, all with the same inputs.
fn bind(model: &Model, options: &Run) -> Result<Vec<Binding>, Failure> {
    let mut bindings: Vec<Binding> = Vec::new();
    for _ in 0..options.parallel.min(options.repeat) {
        let mut binding = model.bind(options.group)?;
        binding.set_timeout(options.timeout.map(Duration::from_secs_f64));
        match bindings.first() {
            None => tensors::fill_inputs(&binding, options)?,
            // Standard input can be read once.
            Some(first) => {
                for index in 0..model.inputs().len() {
                    binding.set_input(index, &first.input(index)?)?;
                }
            }
        }
        bindings.push(binding);
    }
    Ok(bindings)
}

/// Runs on the bindings in turn; a binding's next run begins when its last has ended.  Returns the times of each, and
/// how long all took.
fn repeat(bindings: &[Binding], options: &Run) -> Result<(Vec<RunTimes>, Duration), Failure> {
    let count = options.repeat;
    let done = Arc::new(AtomicU32::new(0));
    let seen = done.clone();
    let _ticker = Ticker::new(options.quiet, move || {
        format!("{} of {count} runs", seen.load(Ordering::Relaxed))
    });
    let mut times = Vec::with_capacity(count as usize);
    let begin = Instant::now();
    let start = |binding: &Binding| Ok(binding.start()?);
    in_turn(bindings, count as usize, start, |_, run| {
        times.push(run.wait()?);
        done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    })?;
    let took = begin.elapsed();
    Ok((times, took))
}

fn describe(model: &Model, group: usize) -> String {
    let title = ["TENSOR", "NAME", "TYPE", "SHAPE", "LAYOUT", "SIZE"]
        .map(String::from)
        .to_vec();
    let row = |kind: &str, tensor: &TensorInfo| {
        let shape = &tensor.shapes[group];
        vec![
            kind.into(),
            // A model's author may have put anything into a name.
            tensor.name.replace(char::is_control, "?"),
            tensor.data_type.to_string(),
            shape.to_string(),
            tensor.layout.to_string(),
            text::bytes(shape.size as u64),
        ]
    };
    let mut rows = vec![title];
    rows.extend(model.inputs().iter().map(|tensor| row("input", tensor)));
    rows.extend(model.outputs().iter().map(|tensor| row("output", tensor)));
    text::table(&rows)
}

type Stage = (&'static str, fn(&RunTimes) -> Duration);

const STAGES: [Stage; 6] = [
    ("total", |times| times.total),
    ("queue", |times| times.queue),
    ("copy in", |times| times.copy_in),
    ("run", |times| times.run),
    ("copy out", |times| times.copy_out),
    ("wake", |times| times.wake),
];

fn stages(times: &[RunTimes]) -> String {
    let title = format!("{} runs", times.len());
    let mut rows = vec![vec![title, "MIN".into(), "AVG".into(), "P99".into()]];
    for (name, stage) in STAGES {
        let mut row = vec![name.to_owned()];
        row.extend(Spread::of(times.iter().map(stage)).cells());
        rows.push(row);
    }
    text::table(&rows)
}

fn to_json(bindings: &[Binding], group: usize, times: &[RunTimes], per_second: f64) -> Value {
    let tensor = |tensor: &TensorInfo| {
        let shape = &tensor.shapes[group];
        json!({
            "name": tensor.name,
            "type": tensor.data_type.to_string(),
            "shape": shape.dims,
            "bytes": shape.size,
        })
    };
    let model = bindings[0].model();
    let mut stages = serde_json::Map::new();
    for (name, stage) in STAGES {
        stages.insert(
            name.replace(' ', "_"),
            Spread::of(times.iter().map(stage)).json(),
        );
    }
    json!({
        "runs": times.len(),
        "parallel": bindings.len(),
        "per_second": per_second,
        "inputs": model.inputs().iter().map(tensor).collect::<Vec<_>>(),
        "outputs": model.outputs().iter().map(tensor).collect::<Vec<_>>(),
        "times": stages,
    })
}
