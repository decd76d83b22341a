// SPDX-License-Identifier: MIT OR Apache-2.0

//! Boots: of the small container of `make test`, and of one as large as Axera's.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{ensure, Result};
use ax650_test_kit::case::soaks;
use ax650_test_kit::costs::Meter;
use ax650_uapi::*;
use serde_json::json;

use super::NATIVE;
use crate::card::{Card, BOOT};
use crate::case::{rounds, Context};
use crate::cases::firmware::searching;
use crate::client::canary;
use crate::kernel;

/// How often the card's status is looked at depends on how fast it is: for the record.
pub(super) fn boot(context: &mut Context) -> Result<()> {
    for _ in 0..rounds(1, 5) {
        if kernel::module_loaded() {
            kernel::unload_module()?;
        }
        Meter::new(context, NATIVE).record("load and boot", || {
            kernel::load_module("")?;
            Card::open(0)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
            Ok(())
        })?;
        // The driver's own session comes behind; it is not part of the boot.
        let file = Card::open(0)?;
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

/// A container as large as real ones in the long form, twice: the second time its check is known.
pub(super) fn boot_of_real_size(context: &mut Context) -> Result<()> {
    let (sample, size) = match soaks() {
        true => ("real", "155 MB"),
        false => ("small", "8 MB"),
    };
    let dir = Path::new("/tmp/real");
    let file = dir.join("axcl/ax650_card.pac");
    fs::create_dir_all(dir.join("axcl"))?;
    let packed = Command::new("/bin/ax650-fw")
        .args(["--quiet", "pack", "--sample", sample, "--force", "--output"])
        .arg(&file)
        .status()?;
    ensure!(packed.success(), "ax650-fw pack: {packed}");
    let bytes = fs::metadata(&file)?.len();
    let booted = searching(dir, || {
        for again in [false, true] {
            let name = format!("boot of {size}{}", if again { " again" } else { "" });
            Meter::new(context, NATIVE).record(&name, || {
                match again {
                    false => kernel::load_module("")?,
                    true => {
                        let card = Card::open(0)?;
                        card.control(AX650_CONTROL_BOOT, 0)?;
                        card.wait_state(AX650_STATE_BOOTING, BOOT)?;
                    }
                }
                Card::open(0)?.wait_state(AX650_STATE_RUNNING, 2 * BOOT)?;
                Ok(())
            })?;
            let info = Card::open(0)?.info()?;
            ensure!(info.boot_bytes_total < bytes && info.boot_bytes_done == info.boot_bytes_total);
            let counters = context.host.card(0, "counters", json!({}))?;
            let counter = |name: &str| counters["counters"][name].as_u64().unwrap_or(0);
            eprintln!(
                "{name}: {bytes} bytes, {:.3} s by the driver; the card's DMA {:.3} s, {} commands, {} reads of BAR0",
                info.boot_time_ns as f64 / 1e9,
                counter("boot.dma_us") as f64 / 1e6,
                counter("boot.commands"),
                counter("mmio.bar0.read"),
            );
            let images = context.host.card(0, "images", json!({}))?;
            let read: u64 = images["images"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|image| image["size"].as_u64())
                .sum();
            ensure!(read == info.boot_bytes_total, "the card has {read} bytes");
        }
        canary(0)
    });
    fs::remove_dir_all(dir)?;
    booted
}
