// SPDX-License-Identifier: MIT OR Apache-2.0

//! Inference, by way of the library, with models small enough to be known by heart.

use std::time::Duration;

use anyhow::{ensure, Result};
use ax650::{Card, Model};

use crate::case::{Context, NONCOHERENT, USUAL};
use crate::client::canary;
use crate::onnx;
use crate::process::{self, Pipe};

crate::cases!["engine":
    model_runs { machines: &[USUAL, NONCOHERENT] },
    model_with_two_inputs_and_outputs,
    many_runs_in_two_threads { timeout_s: 90 },
    broken_models_are_refused,
    inputs_of_wrong_size_are_refused,
    killed_in_a_run { timeout_s: 90 },
    models_leave_nothing_behind,
];

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]]))
        .collect()
}

fn bytes(floats: &[f32]) -> Vec<u8> {
    floats.iter().flat_map(|f| f.to_le_bytes()).collect()
}

fn ramp(len: usize, start: f32) -> Vec<f32> {
    (0..len).map(|i| start + i as f32).collect()
}

/// y = x + x.
fn model_runs(_: &mut Context) -> Result<()> {
    let session = Card::open_first()?.session()?;
    let model = Model::load_bytes(&session, &onnx::binary("Add", &["x", "x"], &["y"], 1000))?;
    ensure!(model.inputs().len() == 1 && model.outputs().len() == 1);
    ensure!(model.inputs()[0].name == "x" && model.outputs()[0].name == "y");
    let x = ramp(1000, -500.0);
    let y = floats(&model.run_bytes(&[&bytes(&x)])?[0]);
    let expected: Vec<f32> = x.iter().map(|v| v + v).collect();
    ensure!(y == expected);
    Ok(())
}

/// s = a + b, p = a * b: names, order and values.
fn model_with_two_inputs_and_outputs(_: &mut Context) -> Result<()> {
    let session = Card::open_first()?.session()?;
    let model = Model::load_bytes(&session, &onnx::sum_and_product(64))?;
    let names = |list: &[ax650::TensorInfo]| -> Vec<String> {
        list.iter().map(|t| t.name.clone()).collect()
    };
    ensure!(
        names(model.inputs()) == ["a", "b"],
        "{:?}",
        names(model.inputs())
    );
    ensure!(
        names(model.outputs()) == ["s", "p"],
        "{:?}",
        names(model.outputs())
    );
    let (a, b) = (ramp(64, 1.0), ramp(64, -7.0));
    let out = model.run_bytes(&[&bytes(&a), &bytes(&b)])?;
    ensure!(floats(&out[0]) == a.iter().zip(&b).map(|(a, b)| a + b).collect::<Vec<_>>());
    ensure!(floats(&out[1]) == a.iter().zip(&b).map(|(a, b)| a * b).collect::<Vec<_>>());
    Ok(())
}

/// Each thread has its own numbers.
fn many_runs_in_two_threads(_: &mut Context) -> Result<()> {
    let session = Card::open_first()?.session()?;
    let model = Model::load_bytes(&session, &onnx::binary("Mul", &["x", "x"], &["y"], 256))?;
    let work = |start: f32| -> Result<()> {
        let x = ramp(256, start);
        let expected: Vec<f32> = x.iter().map(|v| v * v).collect();
        for _ in 0..40 {
            ensure!(floats(&model.run_bytes(&[&bytes(&x)])?[0]) == expected);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads = [scope.spawn(|| work(1.0)), scope.spawn(|| work(1000.0))];
        threads
            .into_iter()
            .try_for_each(|t| t.join().map_err(|_| anyhow::anyhow!("panic"))?)
    })
}

/// Files that are no models: an error that says so, and the session goes on.
fn broken_models_are_refused(_: &mut Context) -> Result<()> {
    let session = Card::open_first()?.session()?;
    let good = onnx::binary("Add", &["x", "x"], &["y"], 16);
    let unknown = onnx::binary("NoSuchOperator", &["x", "x"], &["y"], 16);
    let bad: [(&str, &[u8]); 5] = [
        ("nothing", &[]),
        ("one byte", &[0]),
        ("rubbish", &[0xA5; 5000]),
        ("half a model", &good[..good.len() / 2]),
        ("unknown operator", &unknown),
    ];
    for (what, image) in bad {
        let Err(error) = Model::load_bytes(&session, image) else {
            anyhow::bail!("{what}: accepted");
        };
        ensure!(
            !error.to_string().is_empty() && !error.to_string().contains('\n'),
            "{error}"
        );
        eprintln!("{what}: {error}");
    }
    let model = Model::load_bytes(&session, &good)?;
    model.run_bytes(&[&bytes(&ramp(16, 0.0))])?;
    Ok(())
}

fn inputs_of_wrong_size_are_refused(_: &mut Context) -> Result<()> {
    let session = Card::open_first()?.session()?;
    let model = Model::load_bytes(&session, &onnx::binary("Add", &["x", "x"], &["y"], 16))?;
    for size in [0, 60, 68, 6400] {
        ensure!(
            model.run_bytes(&[&vec![0; size]]).is_err(),
            "{size} bytes accepted"
        );
    }
    ensure!(model.run_bytes(&[]).is_err());
    ensure!(model.run_bytes(&[&[0; 64], &[0; 64]]).is_err());
    model.run_bytes(&[&[0; 64]])?;
    Ok(())
}

/// A client dies with a model loaded and running; models of others run on.
fn killed_in_a_run(_: &mut Context) -> Result<()> {
    let session = Card::open_first()?.session()?;
    let model = Model::load_bytes(&session, &onnx::binary("Add", &["x", "x"], &["y"], 1000))?;
    for round in 0..10_u64 {
        let mut ready = Pipe::new()?;
        let child = process::fork(|| {
            let session = Card::open_first()?.session()?;
            let model = onnx::binary("Mul", &["x", "x"], &["y"], 100_000);
            let model = Model::load_bytes(&session, &model)?;
            ready.send()?;
            let x = vec![0; 400_000];
            loop {
                model.run_bytes(&[&x])?;
            }
        })?;
        ready.wait(Duration::from_secs(20))?;
        std::thread::sleep(Duration::from_millis(round * 13 % 60));
        child.kill(Duration::from_secs(10))?;
        model.run_bytes(&[&bytes(&ramp(1000, 1.0))])?;
    }
    canary(0)
}

/// Memory on the card is what it was.
fn models_leave_nothing_behind(context: &mut Context) -> Result<()> {
    let mut used = || -> Result<u64> {
        let state = context.host.card(0, "state", serde_json::json!({}))?;
        Ok(state["state"]["cmm"]["used"].as_u64().unwrap_or(u64::MAX))
    };
    let before = used()?;
    for _ in 0..5 {
        let session = Card::open_first()?.session()?;
        let model = Model::load_bytes(&session, &onnx::sum_and_product(1024))?;
        let x = bytes(&ramp(1024, 0.0));
        model.run_bytes(&[&x, &x])?;
    }
    crate::kernel::until(
        "the card's memory to come back",
        Duration::from_secs(10),
        || Ok(used()? <= before),
    )
}
