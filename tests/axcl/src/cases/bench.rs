// SPDX-License-Identifier: MIT OR Apache-2.0

//! The figures of `ax650 bench`, and the same by the legacy nodes, side by side.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650_test_kit::case::Context;
use ax650_test_kit::kernel;
use serde_json::Value;

use super::support::ready;
use crate::client::{pattern, Device};

ax650_test_kit::cases!["axcl_runtime":
    bench_of_both_doors { kernels: &["trixie-backports"], timeout_s: 120 },
];

const CALLS: u32 = 300;
const SIZES: [(&str, usize); 4] = [
    ("64k", 1 << 16),
    ("1M", 1 << 20),
    ("4M", 4 << 20),
    ("16M", 16 << 20),
];
const VOLUME: usize = 32 << 20;

/// What one operation takes, on average.
struct Figures {
    time: Duration,
    doorbells: f64,
    interrupts: f64,
    registers: f64,
}

/// The driver's counters.
fn counters() -> Result<BTreeMap<String, u64>> {
    let text = kernel::read("/sys/kernel/debug/ax650-0/counters")?;
    text.lines()
        .map(|line| {
            let (name, value) = line.split_once(' ').context("no value")?;
            Ok((name.to_owned(), value.parse()?))
        })
        .collect()
}

/// Does `f` so often.
fn measure(times: u32, mut f: impl FnMut() -> Result<()>) -> Result<Figures> {
    f()?;
    let before = counters()?;
    let begin = Instant::now();
    for _ in 0..times {
        f()?;
    }
    let time = begin.elapsed() / times;
    let after = counters()?;
    let per = |names: &[&str]| {
        let of =
            |all: &BTreeMap<String, u64>| -> u64 { names.iter().filter_map(|&n| all.get(n)).sum() };
        (of(&after) - of(&before)) as f64 / f64::from(times)
    };
    Ok(Figures {
        time,
        doorbells: per(&["doorbells"]),
        interrupts: per(&["interrupts"]),
        registers: per(&["mmio_reads", "mmio_writes"]),
    })
}

/// The same of what `ax650 bench` has printed.
fn native(seconds: f64, cost: &Value) -> Result<Figures> {
    let number = |name: &str| {
        cost[name]
            .as_f64()
            .with_context(|| format!("no {name}: {cost}"))
    };
    Ok(Figures {
        time: Duration::from_secs_f64(seconds),
        doorbells: number("doorbells")?,
        interrupts: number("interrupts")?,
        registers: number("mmio_reads")? + number("mmio_writes")?,
    })
}

fn show(what: &str, bytes: usize, native: &Figures, axcl: &Figures) {
    let cells = |f: &Figures| {
        let rate = bytes as f64 / 1e6 / f.time.as_secs_f64();
        let counts = format!("{:.2}/{:.2}/{:.2}", f.doorbells, f.interrupts, f.registers);
        format!(
            "{:>8.2} ms {rate:>7.1} MB/s {counts:>15}",
            f.time.as_secs_f64() * 1e3
        )
    };
    eprintln!("{what:>14} | {} | {}", cells(native), cells(axcl));
}

fn bench_of_both_doors(_: &mut Context) -> Result<()> {
    ready()?;
    let sizes: Vec<&str> = SIZES.iter().map(|(name, _)| *name).collect();
    let output = std::process::Command::new("ax650")
        .args(["bench", "--json", "--calls", &CALLS.to_string()])
        .args(["--sizes", &sizes.join(","), "--volume", &VOLUME.to_string()])
        .output()
        .context("ax650 bench")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let theirs: Value = serde_json::from_slice(&output.stdout)?;

    eprintln!("               | native, then AXCL: time, rate, doorbells/interrupts/registers");
    let device = Device::open()?;
    let scope = device.scope();
    let axcl = measure(CALLS, || scope.echo(&[0x5a; 8]))?;
    let latency = &theirs["latency"];
    let average = latency["avg_us"]
        .as_f64()
        .with_context(|| format!("{latency}"))?;
    let echo = native(average / 1e6, &latency["per_call"])?;
    show("echo", 8, &echo, &axcl);
    // Both at the protocol's minimum, but for what the driver does by itself.
    for figures in [&echo, &axcl] {
        ensure!(
            // A bell may serve for a message of another's.
            figures.doorbells > 0.5 && figures.registers > 2.0,
            "nothing was counted"
        );
        ensure!(
            figures.doorbells < 1.3 && figures.registers < 5.2,
            "{}",
            figures.registers
        );
    }
    for (at, (name, size)) in SIZES.into_iter().enumerate() {
        let copy = &theirs["copies"][at];
        ensure!(copy["bytes"] == size, "{copy}");
        let there = |way: &str| -> Result<Figures> {
            let time = copy[way]["us_per_copy"].as_f64().context("no time")?;
            native(time / 1e6, &copy[way]["per_copy"])
        };
        let times = (VOLUME / size).min(100) as u32;
        let address = scope.malloc(size as u32)?;
        let data = pattern(size, 1);
        let to = measure(times, || scope.write(address, &data))?;
        let from = measure(times, || scope.read(address, size).map(drop))?;
        ensure!(
            scope.read(address, size)? == data,
            "{size} bytes came back changed"
        );
        scope.free(address)?;
        show(&format!("{name} to card"), size, &there("to_card")?, &to);
        show(
            &format!("{name} from card"),
            size,
            &there("from_card")?,
            &from,
        );
    }
    device.close()
}
