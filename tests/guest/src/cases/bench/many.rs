// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 bench --decode N --encode N --infer N` on two cards: all channels give what one alone gives, and nothing grows.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use serde_json::Value;

use crate::card::Card;
use crate::case::{rounds, soaks, Context};
use crate::client::canary;
use crate::kernel;

/// Takes a picture and gives boxes: see tests/onnx/colours.py.
const MODEL: &[u8] = include_bytes!("../../../../../userlib/tests/data/colours.onnx");
const MODEL_FILE: &str = "/tmp/colours.onnx";
/// What may be added to memory while channels work: the system's own needs vary.
const GROWTH_KB: u64 = 8 << 10;
/// Channels that are the slowest have this share at least of what the one in the middle has, in the long form.
const FAIR: f64 = 0.25;

pub(super) fn many_streams(_: &mut Context) -> Result<()> {
    std::fs::write(MODEL_FILE, MODEL)?;
    let [decoders, encoders, threads] = if soaks() { [32, 16, 4] } else { [4, 2, 2] };
    let seconds = rounds(0, 600);
    let end = match seconds {
        0 => "--frames 24".to_owned(),
        seconds => format!("--seconds {seconds}"),
    };
    let line = format!(
        "bench --json --decode {decoders} --encode {encoders} --infer {threads} --infer-model {MODEL_FILE} --size 320x192 {end}"
    );
    let child = Command::new("/bin/ax650")
        .args(line.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    watch(&child, Duration::from_secs(seconds.into()))?;
    let output = child.wait_with_output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{line}: {told}");
    let report: Value = serde_json::from_slice(&output.stdout)?;
    eprintln!("{report}");
    ensure!(
        report["cards"].as_array().map(Vec::len) == Some(2),
        "{report}"
    );
    let kinds = report["kinds"].as_array().context("no kinds")?;
    for (kind, (name, channels)) in kinds.iter().zip([
        ("decode", decoders),
        ("encode", encoders),
        ("infer", threads),
    ]) {
        ensure!(
            kind["kind"] == name && kind["channels"] == channels,
            "{kind}"
        );
        ensure!(
            kind["failures"].as_array().is_some_and(Vec::is_empty),
            "{kind}"
        );
        ensure!(kind["done"].as_u64() >= Some(24 * channels), "{kind}");
        let rate = |which: &str| {
            kind["channel_per_second"][which]
                .as_f64()
                .context("no rate")
        };
        let (least, middle) = (rate("min")?, rate("median")?);
        ensure!(!soaks() || least >= FAIR * middle, "{kind}");
    }
    ensure!(kinds.len() == 3, "{report}");
    for index in 0..2 {
        let card = Card::open(index)?;
        kernel::until("sessions to end", Duration::from_secs(20), || {
            Ok(card.clients()?.is_empty() && card.counters()?.quarantined_bytes == 0)
        })?;
        canary(index)?;
    }
    Ok(())
}

/// Sees that neither the process nor the kernel takes more and more memory; what is made at the beginning does not count.
fn watch(child: &Child, time: Duration) -> Result<()> {
    let begin = Instant::now();
    let mut first = None;
    // It ends by itself, a while after this.
    while begin.elapsed() < time {
        std::thread::sleep(Duration::from_secs(5));
        let Ok(now) = Memory::now(child.id()) else {
            // It has ended early, and tells why.
            break;
        };
        if begin.elapsed() < time / 5 {
            continue;
        }
        let first = first.get_or_insert(now);
        eprintln!("{:.0} s: {now:?}", begin.elapsed().as_secs_f64());
        ensure!(
            now.process < first.process + GROWTH_KB && now.kernel < first.kernel + GROWTH_KB,
            "{now:?}, and {first:?} at the beginning"
        );
    }
    Ok(())
}

/// Memory in use, KiB.
#[derive(Debug, Clone, Copy)]
struct Memory {
    process: u64,
    /// What the kernel does not give back by itself, the driver's among it.
    kernel: u64,
}

impl Memory {
    fn now(pid: u32) -> Result<Self> {
        let status = kernel::read(format!("/proc/{pid}/status"))?;
        let all = kernel::read("/proc/meminfo")?;
        Ok(Self {
            process: kilobytes(&status, "VmRSS:")?,
            kernel: kilobytes(&all, "SUnreclaim:")? + kilobytes(&all, "VmallocUsed:")?,
        })
    }
}

fn kilobytes(text: &str, name: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    Ok(number.with_context(|| format!("no {name}"))?.parse()?)
}
