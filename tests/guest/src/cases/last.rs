// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is looked at when all other cases of a boot are through.

use anyhow::{ensure, Context as _, Result};

use crate::case::{Context, Start, TWO_CARDS, USUAL};
use crate::{card, kernel};

crate::cases!["last":
    R19_unload { start: Start::Any, machines: &[] },
    no_leaks { start: Start::Unloaded, machines: &[USUAL, TWO_CARDS], kernels: &["debug"], timeout_s: 120 },
];

/// Whatever happened before, the module unloads, in bounded time, and takes its nodes along.  The
/// debug kernel complains about DMA memory that is still mapped then.
fn R19_unload(_: &mut Context) -> Result<()> {
    let begin = std::time::Instant::now();
    if kernel::module_loaded() {
        kernel::unload_module().context("unloading the module")?;
    }
    ensure!(
        begin.elapsed().as_secs() < 10 * u64::from(crate::runner::slowness()),
        "{:?}",
        begin.elapsed()
    );
    ensure!(card::nodes()?.is_empty(), "{:?}", card::nodes()?);
    Ok(())
}

/// kmemleak finds no memory that nobody knows of.
fn no_leaks(_: &mut Context) -> Result<()> {
    const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";
    // What is in a register or on a stack at the time of one scan is not at that of all.
    for _ in 0..2 {
        kernel::write(KMEMLEAK, "scan")?;
        std::thread::sleep(std::time::Duration::from_secs(6));
    }
    kernel::write(KMEMLEAK, "scan")?;
    let found = kernel::read(KMEMLEAK)?;
    // The stack of an object that the module has allocated names the module.
    let ours: Vec<&str> = found
        .split("unreferenced object")
        .filter(|object| object.contains("[ax650]"))
        .collect();
    ensure!(
        ours.is_empty(),
        "{} objects, the first: {}",
        ours.len(),
        ours[0]
    );
    Ok(())
}
