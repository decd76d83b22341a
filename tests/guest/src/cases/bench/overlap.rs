// SPDX-License-Identifier: MIT OR Apache-2.0

//! Requests of several streams are under way at the same time: from one thread, from many, and by the tools.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure, Context as _, Result};
use ax650::{Buffer, Card, CardMemory, Part, Pending, Session, Stream};
use serde_json::Value;

use crate::case::Context;
use crate::onnx;

/// How long the card takes for each call.
const DELAY: Duration = Duration::from_millis(400);
const SIZE: usize = 64 << 10;

/// A stream with room for a request: copy in, call, copy out.
struct Lane {
    stream: Stream,
    buffers: [Buffer; 2],
    memory: CardMemory,
}

impl Lane {
    fn new(session: &Session, number: u8) -> Result<Self> {
        let stream = session.stream().new_stream()?;
        let lane = Self {
            buffers: [session.buffer(SIZE)?, session.buffer(SIZE)?],
            memory: CardMemory::new(&stream, SIZE as u64)?,
            stream,
        };
        lane.buffers[0].write()?.fill(number);
        Ok(lane)
    }

    fn submit(&self) -> Result<Pending> {
        let [source, target] = &self.buffers;
        let job = self.stream.job();
        Ok(job
            .then(Part::to_card(source, 0..SIZE, &self.memory))
            .then(self.stream.echo_call(b"x"))
            .then(Part::from_card(target, 0..SIZE, &self.memory))
            .submit()?)
    }

    fn finish(&self, pending: Pending) -> Result<()> {
        ax650::check_echo(pending.wait()?.answer(1)?, b"x")?;
        let [source, target] = &self.buffers;
        ensure!(
            *source.read()? == *target.read()?,
            "another request's bytes"
        );
        Ok(())
    }
}

/// While one request's call is at work, the others are copied in, called and copied out.
pub(super) fn requests_overlap(context: &mut Context) -> Result<()> {
    let session = Card::open_first()?.session()?;
    let lanes = [1, 2, 3].map(|number| Lane::new(&session, number));
    let lanes: Vec<Lane> = lanes.into_iter().collect::<Result<_>>()?;
    context
        .host
        .switch(0, "rpc.delay_ms", DELAY.as_millis() as u64)?;
    let begin = Instant::now();
    for lane in &lanes {
        lane.finish(lane.submit()?)?;
    }
    let in_turn = begin.elapsed();
    let begin = Instant::now();
    let pending: Vec<Pending> = lanes.iter().map(Lane::submit).collect::<Result<_>>()?;
    for (lane, pending) in lanes.iter().zip(pending) {
        lane.finish(pending)?;
    }
    let one_thread = begin.elapsed();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = lanes
            .iter()
            .map(|lane| scope.spawn(|| lane.finish(lane.submit()?)))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| anyhow!("panic"))?)
    })?;
    let many_threads = begin.elapsed();
    context.host.clear(0)?;
    eprintln!("three requests: {in_turn:?} in turn, {one_thread:?} from one thread, {many_threads:?} from three");
    ensure!(
        in_turn >= 3 * DELAY,
        "the card does not take its time: {in_turn:?}"
    );
    for took in [one_thread, many_threads] {
        ensure!(took + DELAY < in_turn, "{took:?} instead of {in_turn:?}");
    }
    Ok(())
}

/// `ax650 run --parallel` and `ax650 bench --streams` do all they are asked for, and say so.
pub(super) fn programs_overlap(_: &mut Context) -> Result<()> {
    let json = |arguments: &str| -> Result<Value> {
        let output = Command::new("ax650")
            .args(arguments.split(' '))
            .output()
            .context("ax650")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "ax650 {arguments}: {said}");
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    let model = "/tmp/overlap.onnx";
    std::fs::write(model, onnx::binary("Add", &["x", "x"], &["y"], 1000))?;
    let run = json(&format!("run {model} --repeat 20 --parallel 3 --json"))?;
    std::fs::remove_file(model)?;
    ensure!(run["runs"] == 20 && run["parallel"] == 3, "{run}");
    let bench = json("bench --calls 1 --sizes 4k --volume 4k --streams 3 --json")?;
    let ways = bench["overlap"]["ways"].as_array().context("no ways")?;
    ensure!(ways.len() == 3, "{bench}");
    for way in ways {
        let doorbells = way["per_request"]["doorbells"].as_f64();
        eprintln!("{way}");
        // Two copies and a call.
        ensure!(doorbells.is_some_and(|n| (0.1..8.0).contains(&n)), "{way}");
    }
    let model = json("bench --model --json")?;
    let operations = model["operations"].as_array().context("no operations")?;
    ensure!(operations.len() == 3, "{model}");
    for operation in operations {
        eprintln!("{operation}");
        let count = |who: &str, name: &str| operation[who][name].as_f64().unwrap_or(f64::MAX);
        for name in ["doorbells", "interrupts", "mmio_reads", "mmio_writes"] {
            let (ours, axera) = (count("ours", name), count("axera", name));
            ensure!(ours <= axera, "{name} of {operation}");
        }
        ensure!(count("ours", "doorbells") > 0.0, "nothing was counted");
    }
    Ok(())
}
