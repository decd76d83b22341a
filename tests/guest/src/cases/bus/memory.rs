// SPDX-License-Identifier: MIT OR Apache-2.0

//! Recovery and binding without memory.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650_uapi::*;

use super::events::{bind, unbind};
use super::moments::runs_again;
use crate::card::{self, Card, BOOT};
use crate::case::{soaks, Context};
use crate::client::{canary, Client, PATIENCE};
use crate::failures::{self, OnlyBelow, WithoutMemory};
use crate::{kernel, runner};

/// The thread of card 0.
const THREAD: &str = "ax650-0";

/// Bytes that were lost, as they could not be kept in any other way.
fn lost() -> Result<u64> {
    let text = kernel::read("/sys/kernel/debug/ax650-0/counters")?;
    let line = text.lines().find_map(|l| l.strip_prefix("leaked_bytes "));
    line.context("no leaked_bytes")?.parse().context("a number")
}

/// Memory that the card may still write to is nobody else's, even when there is no memory to note it down.
pub fn K3_no_memory_for_the_quarantine(context: &mut Context) -> Result<()> {
    const SIZE: usize = 256 << 10;
    // Afterwards the quarantine has no room from before.
    let card = Card::open(0)?;
    let generation = card.info()?.generation;
    card.control(AX650_CONTROL_BOOT, 0)?;
    runs_again(&card, generation)?;
    let mut client = Client::new(0)?;
    let address = client.malloc(SIZE as u32)?;
    let buffer = client.buffer(SIZE)?;
    let before = lost()?;
    // Longer than a transaction is waited for.
    context.host.switch(0, "dma.stall_ms", 12_000)?;
    let step = client.copy_step(AX650_STEP_COPY_FROM_CARD, &buffer, 0, address, SIZE);
    client.submit(&[step])?;
    std::thread::sleep(Duration::from_millis(300));
    let failing = WithoutMemory::new(&failures::thread(THREAD)?)?;
    drop((buffer, client));
    let given_up = kernel::until("the session to be given up", PATIENCE, || {
        Ok(card.clients()?.is_empty() && lost()? > before)
    });
    drop(failing);
    given_up?;
    ensure!(lost()? - before == SIZE as u64, "{} bytes", lost()?);
    // Now the card writes: what is not mapped for it any more would be found by the harness.
    context.host.clear(0)?;
    std::thread::sleep(Duration::from_secs(2));
    canary(0)
}

/// Sessions of a card that is reset end, though the thread that ends them gets no memory.
pub fn K26_sessions_end_without_memory(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    client.works()?;
    context.host.switch(0, "rpc.drop", true)?;
    let (_, frame) = client.echo_frame(b"never answered");
    let job = client.submit(&[client.call_step(&frame, 0, 4096)])?;
    let failing = WithoutMemory::new(&failures::thread(THREAD)?)?;
    let begin = Instant::now();
    let ended = client
        .card
        .control(AX650_CONTROL_RESET, 0)
        .context("RESET")
        .and_then(|_| client.wait(job, 1, PATIENCE));
    let took = begin.elapsed();
    drop(failing);
    let (wait, _) = ended?;
    ensure!(wait.status == -libc::ESTALE, "status {}", wait.status);
    let limit = Duration::from_secs(5) * runner::slowness();
    ensure!(took < limit, "{took:?}");
    drop(client);
    context.host.clear(0)?;
    Card::open(0)?.make_running()?;
    canary(0)
}

/// Each allocation of probe fails in turn: nothing is left of it, though somebody has the node open by then.
pub fn K22_probe_fails_anywhere(_: &mut Context) -> Result<()> {
    let enable = card::sysfs(0)?.join("enable");
    let address = card::address(0)?;
    unbind()?;
    ensure!(kernel::read(&enable)? == "0", "enabled without a driver");
    let stop = AtomicBool::new(false);
    let failed = std::thread::scope(|scope| -> Result<usize> {
        // Holds whatever node there is, with a buffer.
        scope.spawn(|| {
            let mut held = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let node = std::path::Path::new("/dev/ax650-0");
                if let Ok(card) = Card::open_path(node, 0) {
                    let buffer = card.buffer(1 << 16);
                    held.push((card, buffer));
                    held.truncate(50);
                } else {
                    held.clear();
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        let failed = fail_each(&address, &enable);
        stop.store(true, Ordering::Relaxed);
        failed
    })?;
    eprintln!("{failed} failures");
    // Of some 400 allocations probe can do without more than half, and which ones are met depends on the time.
    ensure!(failed > 2, "{failed} failures only");
    Card::open(0)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
    canary(0)?;
    // Once more, without anything that fails.
    unbind()?;
    bind()?;
    Card::open(0)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
    canary(0)
}

/// The first allocations of probe, of which each fails in any form of the case.
const EARLY: u32 = 8;

/// Binds the card again and again, with a later allocation failing each time, until none does.
fn fail_each(address: &str, enable: &std::path::Path) -> Result<usize> {
    failures::set_up()?;
    // The kernel's interpreter of ACPI methods, which finds the way of an interrupt there, loses count of references when
    // it gets no memory, and uses later what it has freed.
    let _filter = OnlyBelow::module("ax650", "pcibios_enable_device")?;
    // The first are those that probe cannot do without.
    let first = 1..=EARLY;
    let others = (EARLY + 1..5000).step_by(if soaks() { 1 } else { 29 });
    let mut failed = 0;
    for nth in first.chain(others) {
        let mut file = std::fs::File::options()
            .write(true)
            .open("/sys/bus/pci/drivers/ax650/bind")?;
        failures::arm(nth)?;
        let bound = file.write(address.as_bytes());
        let came = failures::disarm()?;
        let there = card::sysfs(0)?.join("driver").exists();
        ensure!(bound.is_ok() == there, "{nth}: {bound:?}, bound: {there}");
        if there && !came {
            return Ok(failed);
        }
        if there {
            // What has failed was not needed.
            unbind()?;
        }
        failed += usize::from(!there);
        let left = kernel::read(enable)?;
        ensure!(left == "0", "{nth}: still enabled after {bound:?}");
        let node = std::path::Path::new("/dev/ax650-0").exists();
        ensure!(!node, "{nth}: a node is left after {bound:?}");
    }
    anyhow::bail!("there is no end to it")
}
