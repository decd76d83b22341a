// SPDX-License-Identifier: MIT OR Apache-2.0

//! What operations cost by way of the library: counts in `make test`, where none may become dearer, with time
//! and CPU besides in `make bench` (docs/performance.md).  `axcl_bench` does the same by the nodes of AXCL.

mod calls;
mod overlap;
mod video;

use std::time::Duration;

use anyhow::{ensure, Result};
use ax650::{Card, CardMemory, Part};
use ax650_test_kit::costs::Meter;
use ax650_uapi::AX650_STATE_RUNNING;

use crate::card::{self, BOOT};
use crate::case::{rounds, Context, Start, TWO_CARDS};
use crate::kernel;

use calls::{calls, chains_on_two_cards, inference};
use overlap::{programs_overlap, requests_overlap};
use video::decode_and_encode;

/// Times on a debug kernel say nothing, and its counts are not the users'.
const STOCK: &[&str] = &["trixie-backports", "forky"];

crate::cases!["bench":
    calls { kernels: STOCK, soak_s: 300 },
    chains_on_two_cards { kernels: STOCK, machines: &[TWO_CARDS], soak_s: 120 },
    inference { kernels: STOCK, soak_s: 120 },
    requests_overlap,
    programs_overlap { timeout_s: 90 },
    copies { kernels: STOCK, timeout_s: 90, soak_s: 600 },
    boot { kernels: STOCK, start: Start::Unloaded, soak_s: 300 },
    decode_and_encode { kernels: STOCK, timeout_s: 90, soak_s: 600 },
];

const NATIVE: &str = "native";

/// Sizes of copies, and how often each is done with a watch.
const SIZES: [(&str, usize, u32); 5] = [
    ("4 KiB", 4 << 10, 300),
    ("64 KiB", 64 << 10, 300),
    ("1 MiB", 1 << 20, 100),
    ("4 MiB", 4 << 20, 50),
    ("64 MiB", 64 << 20, 8),
];

fn copies(context: &mut Context) -> Result<()> {
    let mut meter = Meter::new(context, NATIVE);
    let session = Card::open_first()?.session()?;
    let stream = session.stream();
    for (name, size, times) in SIZES {
        let memory = CardMemory::new(&stream, size as u64)?;
        let (source, target) = (session.buffer(size)?, session.buffer(size)?);
        source
            .write()?
            .copy_from_slice(&crate::client::pattern(size, 1));
        let address = memory.address();
        meter.measure(&format!("copy of {name} to the card"), times, || {
            let part = Part::to_card(&source, 0..size, address);
            Ok(stream.job().then(part).run().map(drop)?)
        })?;
        meter.measure(&format!("copy of {name} from the card"), times, || {
            let part = Part::from_card(&target, 0..size, address);
            Ok(stream.job().then(part).run().map(drop)?)
        })?;
        ensure!(
            *source.read()? == *target.read()?,
            "{name} came back changed"
        );
    }
    Ok(())
}

/// How often the card's status is looked at depends on how fast it is: for the record.
fn boot(context: &mut Context) -> Result<()> {
    for _ in 0..rounds(1, 5) {
        if kernel::module_loaded() {
            kernel::unload_module()?;
        }
        Meter::new(context, NATIVE).record("load and boot", || {
            kernel::load_module("")?;
            card::Card::open(0)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
            Ok(())
        })?;
        // The driver's own session comes behind; it is not part of the boot.
        let file = card::Card::open(0)?;
        kernel::until("telemetry", Duration::from_secs(20), || {
            Ok(file.telemetry().is_ok())
        })?;
        let info = file.info()?;
        eprintln!(
            "boot of {} bytes: {:.3} s",
            info.boot_bytes_total,
            info.boot_time_ns as f64 / 1e9
        );
    }
    Ok(())
}
