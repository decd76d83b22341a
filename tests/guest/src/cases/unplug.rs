// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cards that go: pulled by the user, torn off, taken from the driver.

use std::io;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650_uapi::*;
use serde_json::json;

use super::boot::load_and_reach;
use crate::card::{self, Card, BOOT};
use crate::case::{Context, Start, TWO_CARDS};
use crate::client::{canary, pattern, Client};
use crate::kernel::{self, until};
use crate::process;

crate::cases!["unplug":
    P9_unbind_with_open_files_and_mappings,
    P9_unbind_with_jobs_in_flight { timeout_s: 120 },
    P9_open_debug_files { timeout_s: 90 },
    P9_rmmod_with_open_file_is_refused,
    R05_rebind { timeout_s: 90 },
    R06_unplug_idle { timeout_s: 90 },
    R06_unplug_during_boot { start: Start::Unloaded, timeout_s: 90 },
    R06_unplug_during_session_create { timeout_s: 90 },
    R06_unplug_during_jobs { timeout_s: 90 },
    R06_unplug_with_100_open_files { timeout_s: 90 },
    R47_unplug_with_mapped_buffers { timeout_s: 90 },
    R06_replug_again_and_again { timeout_s: 150 },
    R07_registers_read_as_ones { timeout_s: 90 },
    R07_ones_during_boot { start: Start::Unloaded, timeout_s: 120 },
    C2_ones_for_6_s { timeout_s: 120 },
    C2_ones_for_6_s_during_boot { timeout_s: 120 },
    P3_card_torn_off { timeout_s: 90 },
    P9_card_torn_off_then_rmmod { timeout_s: 90 },
    R10_remove_one_of_two { timeout_s: 90, machines: &[TWO_CARDS] },
    P4_card_that_runs_other_firmware { start: Start::Unloaded },
];

/// The error of an ioctl that must fail.
fn errno<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|e| e.raw_os_error())
}

/// A file of a card that has gone: requests answer ENODEV, pollers hang up.
fn is_gone(card: &Card) -> Result<()> {
    ensure!(
        errno(card.session()) == Some(libc::ENODEV),
        "SESSION_CREATE"
    );
    ensure!(
        errno(card.buffer(4096)) == Some(libc::ENODEV),
        "BUFFER_CREATE"
    );
    let events = kernel::poll(card.fd(), libc::POLLIN, Duration::from_secs(2))?;
    ensure!(events & libc::POLLHUP != 0, "poll gives {events:#x}");
    Ok(())
}

/// Plugs card 0 in and waits until it runs.
fn plug(context: &mut Context) -> Result<()> {
    context.host.plug(0)?;
    until("the card", Duration::from_secs(20), || {
        Ok(card::present()?.contains(&0))
    })?;
    Card::open(0)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
    canary(0)
}

/// An open file of a pulled card is told so; the card works when it is plugged in again.
fn R06_unplug_idle(context: &mut Context) -> Result<()> {
    let client = Client::new(0)?;
    context.host.unplug(0)?;
    is_gone(&client.card)?;
    ensure!(card::nodes()?.is_empty(), "{:?}", card::nodes()?);
    plug(context)?;
    // The file is still that of the card that has gone.
    is_gone(&client.card)
}

/// Pulled while the firmware is being sent, and in the handshake.
fn R06_unplug_during_boot(context: &mut Context) -> Result<()> {
    for switch in ["boot.status_never", "step0.no_ack", "step1.no_ack"] {
        context.host.switch(0, switch, true)?;
        if kernel::module_loaded() {
            context.host.plug(0)?;
        } else {
            kernel::load_module("")?;
        }
        let open = Card::open(0)?;
        let state = if switch == "boot.status_never" {
            AX650_STATE_BOOTING
        } else {
            AX650_STATE_HANDSHAKE
        };
        open.wait_state(state, BOOT)?;
        context.host.unplug(0).context(switch)?;
        is_gone(&open).context(switch)?;
        context.host.clear(0)?;
    }
    plug(context)
}

/// Pulled while a session is being made that the card does not answer.
fn R06_unplug_during_session_create(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    context.host.switch(0, "port11.no_reply", true)?;
    let other = card.duplicate()?;
    let waiter = std::thread::spawn(move || {
        let result = other.session_until(kernel::now_ns() + 60_000_000_000);
        (errno(result), Instant::now())
    });
    std::thread::sleep(Duration::from_millis(500));
    ensure!(!waiter.is_finished());
    context.host.unplug(0)?;
    let (error, _) = waiter.join().map_err(|_| anyhow::anyhow!("panic"))?;
    ensure!(error == Some(libc::ENODEV), "{error:?}");
    is_gone(&card)?;
    context.host.clear(0)?;
    plug(context)
}

/// Pulled while copies and long frames are under way: what is not done fails, nothing hangs.
fn R06_unplug_during_jobs(context: &mut Context) -> Result<()> {
    let worker = std::thread::spawn(|| -> Result<Option<i32>> {
        let mut client = Client::new(0)?;
        let address = client.malloc(8 << 20)?;
        let buffer = client.buffer(8 << 20)?;
        loop {
            let (_, long) = client.echo_frame(&pattern(16 << 10, 3));
            let steps = [
                client.copy_step(AX650_STEP_COPY_TO_CARD, &buffer, 0, address, buffer.size),
                client.call_step(&long, 0, 32 << 10),
                client.copy_step(AX650_STEP_COPY_FROM_CARD, &buffer, 0, address, buffer.size),
            ];
            let job = match client.submit(&steps) {
                Ok(job) => job,
                Err(e) => return Ok(e.raw_os_error()),
            };
            let (wait, _) = client.wait(job, steps.len(), Duration::from_secs(30))?;
            if wait.status != 0 {
                return Ok(Some(-wait.status));
            }
        }
    });
    std::thread::sleep(Duration::from_millis(500));
    context.host.unplug(0)?;
    let error = worker.join().map_err(|_| anyhow::anyhow!("panic"))??;
    ensure!(error == Some(libc::ENODEV), "{error:?}");
    plug(context)
}

/// Pulled with many open files, some with sessions.
fn R06_unplug_with_100_open_files(context: &mut Context) -> Result<()> {
    let files = (0..100)
        .map(|_| Card::open(0))
        .collect::<Result<Vec<_>>>()?;
    for file in &files[..10] {
        file.session()?;
    }
    context.host.unplug(0)?;
    for file in &files {
        is_gone(file)?;
    }
    drop(files);
    plug(context)
}

/// Mappings of buffers of a card that has gone can be touched: the memory, or a clean SIGBUS.
fn R47_unplug_with_mapped_buffers(context: &mut Context) -> Result<()> {
    let (mut ready, mut go) = (process::Pipe::new()?, process::Pipe::new()?);
    let child = process::fork(|| {
        let client = Client::new(0)?;
        let buffer = client.buffer(64 << 10)?;
        buffer.map.write(0, &[7; 64 << 10]);
        ready.send()?;
        go.wait(Duration::from_secs(60))?;
        let bytes = buffer.map.read(0, 64 << 10);
        ensure!(
            bytes.iter().all(|&b| b == 7 || b == 0),
            "not what was there"
        );
        Ok(())
    })?;
    ready.wait(Duration::from_secs(20))?;
    context.host.unplug(0)?;
    go.send()?;
    match child.wait(Duration::from_secs(20))? {
        process::End::Exit(0) | process::End::Signal(libc::SIGBUS) => {}
        other => anyhow::bail!("{other:?}"),
    }
    plug(context)
}

/// Nothing adds up over several rounds.
fn R06_replug_again_and_again(context: &mut Context) -> Result<()> {
    for _ in 0..4 {
        let mut client = Client::new(0)?;
        client.works()?;
        context.host.unplug(0)?;
        is_gone(&client.card)?;
        plug(context)?;
    }
    Ok(())
}

/// All registers read as ones from one moment on: the card is gone within seconds, whoever waits
/// for it is told, and nobody touches it any more.
fn R07_registers_read_as_ones(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    context.host.switch(0, "rpc.drop", true)?;
    let (_, frame) = client.echo_frame(b"never answered");
    let job = client.submit(&[client.call_step(&frame, 0, 4096)])?;
    std::thread::sleep(Duration::from_millis(200));
    let begin = Instant::now();
    context.host.switch(0, "all_ones", true)?;
    let (wait, _) = client.wait(job, 1, Duration::from_secs(20))?;
    let took = begin.elapsed();
    ensure!(wait.status == -libc::ENODEV, "status {}", wait.status);
    let limit = Duration::from_millis(1500) * crate::runner::slowness();
    ensure!(took < limit, "{took:?}");
    client
        .card
        .wait_state(AX650_STATE_GONE, Duration::from_secs(5))?;
    is_gone(&client.card)?;
    let before = client.card.counters()?;
    std::thread::sleep(Duration::from_secs(3));
    let after = client.card.counters()?;
    ensure!(
        before.mmio_reads == after.mmio_reads,
        "it is still being read"
    );
    ensure!(
        before.mmio_writes == after.mmio_writes,
        "it is still being written to"
    );
    context.host.clear(0)?;
    context.host.unplug(0)?;
    plug(context)
}

/// The same while the firmware is being sent: all ones are no success.
fn R07_ones_during_boot(context: &mut Context) -> Result<()> {
    context.host.switch(0, "boot.status_never", true)?;
    kernel::load_module("")?;
    let card = Card::open(0)?;
    card.wait_state(AX650_STATE_BOOTING, BOOT)?;
    context.host.switch(0, "all_ones", true)?;
    card.wait_state(AX650_STATE_GONE, Duration::from_secs(10))?;
    is_gone(&card)?;
    context.host.clear(0)?;
    context.host.unplug(0)?;
    plug(context)
}

/// All ones for some seconds, and then the card is there as if nothing had been: it is reset and booted,
/// without a rebind, and what clients held is over.
fn C2_ones_for_6_s(context: &mut Context) -> Result<()> {
    for round in 0..2 {
        let mut client = Client::new(0)?;
        client.works()?;
        let before = client.card.info()?.generation;
        context.host.switch(0, "all_ones", true)?;
        client
            .card
            .wait_state(AX650_STATE_GONE, Duration::from_secs(10))?;
        is_gone(&client.card)?;
        std::thread::sleep(Duration::from_secs(6));
        context.host.clear(0)?;
        until("the card to run again", BOOT, || {
            let info = client.card.info()?;
            Ok(info.state == AX650_STATE_RUNNING && info.generation > before)
        })
        .with_context(|| format!("round {round}"))?;
        let (_, frame) = client.echo_frame(b"too late");
        let late = client.submit(&[client.call_step(&frame, 0, 4096)]);
        let late = late.err().and_then(|e| e.raw_os_error());
        ensure!(
            matches!(late, Some(libc::ESTALE | libc::ENODEV)),
            "SUBMIT: {late:?}"
        );
        // The file is as good as before.
        client.card.end_session(client.session.session)?;
        let file = client.card.duplicate()?;
        drop(client);
        Client::on(file)?.works()?;
        canary(0)?;
    }
    Ok(())
}

/// The same while the firmware is being sent.
fn C2_ones_for_6_s_during_boot(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    context.host.switch(0, "boot.status_never", true)?;
    card.control(AX650_CONTROL_BOOT, 0)?;
    card.wait_state(AX650_STATE_BOOTING, BOOT)?;
    context.host.switch(0, "all_ones", true)?;
    card.wait_state(AX650_STATE_GONE, Duration::from_secs(10))?;
    std::thread::sleep(Duration::from_secs(6));
    context.host.clear(0)?;
    until("the card to run", BOOT, || {
        Ok(card.info()?.state == AX650_STATE_RUNNING)
    })?;
    canary(0)
}

/// The card is torn off without a word, in the middle of work.
fn P3_card_torn_off(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    client.works()?;
    context.host.harness("kill", json!({"card": 0}))?;
    let (_, frame) = client.echo_frame(b"anybody?");
    let ended = match client.submit(&[client.call_step(&frame, 0, 4096)]) {
        Ok(job) => -client.wait(job, 1, Duration::from_secs(30))?.0.status,
        Err(e) => e.raw_os_error().unwrap_or(0),
    };
    ensure!(ended == libc::ENODEV, "errno {ended}");
    is_gone(&client.card)?;
    context.host.unplug(0)?;
    context.host.harness("restart", json!({"card": 0}))?;
    plug(context)
}

/// The module unloads, quickly and quietly, although the card has gone without a word.
fn P9_card_torn_off_then_rmmod(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    client.works()?;
    context.host.harness("kill", json!({"card": 0}))?;
    drop(client);
    let mark = kernel::mark()?;
    let begin = Instant::now();
    until("the module to unload", Duration::from_secs(10), || {
        Ok(kernel::unload_module().is_ok())
    })?;
    let took = begin.elapsed();
    let limit = Duration::from_secs(8) * crate::runner::slowness();
    ensure!(took < limit, "{took:?}");
    let lines = mark.lines()?.len();
    ensure!(lines < 30, "{lines} lines in the log");
    context.host.unplug(0)?;
    context.host.harness("restart", json!({"card": 0}))?;
    kernel::load_module("")?;
    plug(context)
}

/// The other card does not notice.
fn R10_remove_one_of_two(context: &mut Context) -> Result<()> {
    let mut other = Client::new(1)?;
    context.host.unplug(0)?;
    other.works()?;
    context.host.plug(0)?;
    for _ in 0..10 {
        other.works()?;
    }
    Card::open(0)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
    canary(0)?;
    other.works()
}

fn unbind(card: u32) -> Result<()> {
    kernel::write("/sys/bus/pci/drivers/ax650/unbind", &card::address(card)?)
}

fn bind(card: u32) -> Result<()> {
    kernel::write("/sys/bus/pci/drivers/ax650/bind", &card::address(card)?)
}

fn rebind_and_run(card: u32) -> Result<()> {
    bind(card)?;
    Card::open(card)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
    canary(card)
}

/// The driver lets go of the card although files, sessions and mappings are open.
fn P9_unbind_with_open_files_and_mappings(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    client.works()?;
    let buffer = client.buffer(1 << 20)?;
    buffer.map.write(0, &[1; 4096]);
    let begin = Instant::now();
    unbind(0)?;
    let took = begin.elapsed();
    ensure!(
        took < Duration::from_secs(5) * crate::runner::slowness(),
        "{took:?}"
    );
    is_gone(&client.card)?;
    drop(buffer);
    drop(client);
    rebind_and_run(0)
}

/// The same with a job that the card never answers, over and over.
fn P9_unbind_with_jobs_in_flight(context: &mut Context) -> Result<()> {
    for round in 0..5 {
        let mut client = Client::new(0)?;
        let address = client.malloc(4 << 20)?;
        let buffer = client.buffer(4 << 20)?;
        if round % 2 == 0 {
            context.host.switch(0, "rpc.drop", true)?;
        } else {
            context.host.switch(0, "dma.stall_ms", 2000)?;
        }
        let (_, frame) = client.echo_frame(b"never answered");
        let steps = [
            client.copy_step(AX650_STEP_COPY_TO_CARD, &buffer, 0, address, buffer.size),
            client.call_step(&frame, 0, 4096),
        ];
        let job = client.submit(&steps)?;
        std::thread::sleep(Duration::from_millis(100 * round));
        unbind(0)?;
        // The result can still be fetched, or the file says that the card has gone.
        match client.wait(job, 2, Duration::from_secs(10)) {
            Ok((wait, _)) => ensure!(wait.status != 0, "the job ended well"),
            Err(e) => ensure!(format!("{e:#}").contains("No such device"), "{e:#}"),
        }
        is_gone(&client.card)?;
        context.host.clear(0)?;
        rebind_and_run(0)?;
    }
    Ok(())
}

/// Open files hold the module, so that their operations cannot vanish.
fn P9_rmmod_with_open_file_is_refused(_: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let refused = kernel::unload_module().err().and_then(|e| e.raw_os_error());
    ensure!(refused == Some(libc::EWOULDBLOCK), "{refused:?}");
    client.works()?;
    let buffer = client.buffer(1 << 20)?;
    let Client { card, reply, .. } = client;
    drop((card, reply));
    // The mapping holds the file, as its close has not happened.
    let refused = kernel::unload_module().err().and_then(|e| e.raw_os_error());
    ensure!(
        refused == Some(libc::EWOULDBLOCK),
        "with a mapping: {refused:?}"
    );
    buffer.map.write(0, &[1; 4096]);
    drop(buffer);
    kernel::unload_module()?;
    kernel::load_module("")?;
    Card::open(0)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
    canary(0)
}

/// Open files in debugfs hold the module, and are empty shells when the card has gone.
fn P9_open_debug_files(context: &mut Context) -> Result<()> {
    use std::io::Read;
    const NAMES: [&str; 4] = ["transport", "counters", "ports", "clients"];
    let path = |name: &str| format!("/sys/kernel/debug/ax650-0/{name}");
    let open = || -> Result<Vec<std::fs::File>> {
        let files = NAMES.map(|name| std::fs::File::open(path(name)).context(path(name)));
        files.into_iter().collect()
    };
    let gone = |files: Vec<std::fs::File>| -> Result<()> {
        for mut file in files {
            let read = file.read(&mut [0; 100]);
            ensure!(
                errno(read) == Some(libc::EIO),
                "a file of a card that has gone"
            );
        }
        ensure!(!NAMES
            .iter()
            .any(|name| std::path::Path::new(&path(name)).exists()));
        Ok(())
    };
    let mut files = open()?;
    ensure!(files[0].read(&mut [0; 100])? > 0);
    let refused = kernel::unload_module().err().and_then(|e| e.raw_os_error());
    ensure!(refused == Some(libc::EWOULDBLOCK), "{refused:?}");
    // Somebody reads all the time.
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        let reader = scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for name in NAMES {
                    let _ = std::fs::read(path(name));
                }
            }
        });
        let done = unbind(0).and_then(|()| gone(files));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        ensure!(reader.join().is_ok(), "panic");
        done
    })?;
    rebind_and_run(0)?;
    // A card that is down shows what there is.
    let files = open()?;
    Card::open(0)?.control(AX650_CONTROL_RESET, 0)?;
    Card::open(0)?.wait_state(AX650_STATE_LOADER, BOOT)?;
    let text = kernel::read(path("transport"))?;
    ensure!(text.starts_with("state loader\n"), "{text}");
    ensure!(kernel::read(path("clients"))?.lines().count() == 1);
    context.host.unplug(0)?;
    gone(files)?;
    plug(context)?;
    canary(0)
}

/// Unbind and bind in all states.
fn R05_rebind(context: &mut Context) -> Result<()> {
    for switch in ["loader.stuck", "boot.status_never", "step0.no_ack"] {
        unbind(0)?;
        context.host.switch(0, switch, true)?;
        bind(0)?;
        std::thread::sleep(Duration::from_secs(2));
        let begin = Instant::now();
        unbind(0)?;
        let took = begin.elapsed();
        ensure!(
            took < Duration::from_secs(4) * crate::runner::slowness(),
            "{switch}: {took:?}"
        );
        context.host.clear(0)?;
        rebind_and_run(0)?;
    }
    Ok(())
}

/// A card that was left running by somebody else is reset before it can reach memory.
fn P4_card_that_runs_other_firmware(context: &mut Context) -> Result<()> {
    load_and_reach(AX650_STATE_RUNNING, BOOT)?;
    // Unloading resets the card; a crash would not.  So take the card away from the driver by
    // pulling its bus connection only: the chip behind it goes on.
    context.host.unplug(0)?;
    context.host.plug(0)?;
    let card = Card::open(0)?;
    card.wait_state(AX650_STATE_RUNNING, BOOT)?;
    canary(0)
}
