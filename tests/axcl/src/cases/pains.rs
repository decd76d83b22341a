// SPDX-License-Identifier: MIT OR Apache-2.0

//! What breaks Axera's driver, by way of the legacy nodes: a case for each row of what was
//! seen in a rig with it, named after the requirement, or the users' pain, behind it.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650_test_kit::case::{Context, Start};
use ax650_test_kit::kernel;
use ax650_test_kit::process::{self, End, Pipe};
use serde_json::json;

use super::support::{
    all_gone, attribute, canary, card, counted, driver_counter, inject, load, ready, recovers,
    refused, wait_alive, within, CLEAN, MINUS_ONE,
};
use crate::client::{pattern, Device, Settings};
use crate::node::host::{HostNode, Packet, ALIVE};
use crate::node::message::MessageNode;
use crate::rpc::system;

/// Cases that wait for minutes run on one kernel, the one that sees most.
const WAITS: &[&str] = &["debug"];

ax650_test_kit::cases!["axcl_pains":
    P6_create_on_card_99,
    P6_reboot_of_card_99,
    P6_stop_of_a_file_without_a_connection,
    R03_reset_of_card_0x20000000,
    R03_create_on_card_0x10000000,
    R34_two_files_on_one_port,
    R03_connect_with_port_minus_5,
    R04_status_tool_after_a_failed_boot {
        kernels: WAITS, start: Start::Unloaded, timeout_s: 150,
    },
    R26_legacy_header_that_announces_1_mib { timeout_s: 120 },
    R02_card_that_calls_itself_3 { start: Start::Unloaded, timeout_s: 90 },
    R15_legacy_reset_and_reboot { timeout_s: 150 },
    R31_nine_ignored_doorbells { timeout_s: 120 },
    P2_silent_and_back { timeout_s: 150 },
    P2_create_without_an_answer {
        kernels: WAITS, timeout_s: 150,
    },
    R37_hundred_creates_without_an_answer { timeout_s: 240 },
    R36_reply_of_41_bytes {
        kernels: WAITS, timeout_s: 240,
    },
    R36_late_reply { timeout_s: 150 },
    R07_legacy_all_ones { timeout_s: 120 },
    R11_handshake_never_answered {
        kernels: WAITS, start: Start::Unloaded, timeout_s: 420,
    },
    P9_card_killed_then_unload { timeout_s: 150 },
    P1_killed_while_copying { timeout_s: 180 },
    P22_many_killed_clients { timeout_s: 180 },
    P3_unplug_with_legacy_files { timeout_s: 120 },
];

/// By root and by a user: something else works before and after, and nothing takes long.
fn unharmed(f: impl Fn(&HostNode, u32) -> Result<()>) -> Result<()> {
    let (host, id) = card()?;
    let user = process::fork(|| {
        process::become_user(0)?;
        f(&HostNode::open()?, id)
    })?;
    let end = user.wait(Duration::from_secs(10) * kernel::slowness())?;
    ensure!(end == End::Exit(0), "as a user: {end:?}, see the console");
    let device = Device::connect(HostNode::open()?, id, Settings::default())?;
    let begin = Instant::now();
    f(&host, id)?;
    within(begin, Duration::from_secs(3), "a refusal")?;
    device
        .scope()
        .works()
        .context("another client, afterwards")?;
    device.close()?;
    ensure!(host.status()?[id as usize] == ALIVE);
    canary()
}

/// Axera's driver: NULL dereference, by any user.
fn P6_create_on_card_99(_: &mut Context) -> Result<()> {
    unharmed(|host, _| {
        let asked = Packet::new(1, 99);
        let mut packet = asked;
        refused(host.manage(&mut packet), MINUS_ONE, "create on card 99")?;
        ensure!(packet == asked, "written back: {packet:?}");
        Ok(())
    })
}

/// Axera's driver: NULL dereference.
fn P6_reboot_of_card_99(_: &mut Context) -> Result<()> {
    unharmed(|host, _| refused(host.reboot(99), CLEAN, "reboot of card 99"))
}

/// Axera's driver: NULL dereference.
fn P6_stop_of_a_file_without_a_connection(_: &mut Context) -> Result<()> {
    unharmed(|_, _| {
        for _ in 0..20 {
            let file = MessageNode::open()?;
            // An error or no effect.
            let result = file.stop();
            ensure!(
                result.as_ref().is_ok() || refused(result, CLEAN, "stop").is_ok(),
                "stop of a file without a connection"
            );
        }
        Ok(())
    })
}

/// Axera's driver: a zero written at a kernel address of the caller's choice.
fn R03_reset_of_card_0x20000000(_: &mut Context) -> Result<()> {
    unharmed(|host, _| refused(host.reset(0x2000_0000), CLEAN, "reset of card 0x20000000"))
}

/// Axera's driver: port numbers written out of bounds.
fn R03_create_on_card_0x10000000(_: &mut Context) -> Result<()> {
    unharmed(|host, _| refused(host.create(0x1000_0000), CLEAN, "create on card 0x10000000"))
}

/// Axera's driver: both free the same handle.
fn R34_two_files_on_one_port(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    host.create(id)?;
    let port = host.extra(id, 1)?.ports[0];
    for round in 0..20 {
        let one = MessageNode::connected(id, port)?;
        let two = MessageNode::open()?;
        let second = two.connect(id as i32, port as i32);
        if round == 0 {
            eprintln!("the second connect: {second:?}");
        }
        if let Err(e) = &second {
            let clean = [libc::EBUSY, libc::EPERM];
            ensure!(clean.contains(&e.raw_os_error().unwrap_or(0)), "{e}");
            // The first is not robbed of its messages.
            inject(context, port, b"for the first")?;
            let message = one.receive(100, Duration::from_secs(10))?;
            ensure!(
                message.as_deref() == Some(&b"for the first"[..]),
                "{message:x?}"
            );
        }
        one.send(b"traffic")?;
        if round % 2 == 0 {
            drop(one);
            inject(context, port, b"late")?;
            drop(two);
        } else {
            drop(two);
            inject(context, port, b"late")?;
            drop(one);
        }
    }
    // Both files of many threads at once.
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for _ in 0..100 {
                    // Refused or not, it must not harm.
                    if let Ok(file) = MessageNode::connected(id, port) {
                        let _ = file.send(b"x");
                    }
                }
            });
        }
    });
    canary()
}

/// Axera's driver: accepted, and the message goes out.
fn R03_connect_with_port_minus_5(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let before = counted(context, |name| name.starts_with("refused"))?;
    for port in [-5, -1, -21, i32::MIN, i32::MIN + 21] {
        let file = MessageNode::open()?;
        refused(
            file.connect(id as i32, port),
            MINUS_ONE,
            &format!("port {port}"),
        )?;
        ensure!(
            file.send(b"out of bounds").is_err(),
            "sent through port {port}"
        );
    }
    let after = counted(context, |name| name.starts_with("refused"))?;
    ensure!(after == before, "something arrived at the card");
    ensure!(host.status()?[id as usize] == ALIVE);
    canary()
}

/// What Axera's status tool asks, on a card that is not up: a clean answer to each.  Ports of a card
/// that is `booting` are another matter: it may well come up.
fn status_tool(booting: bool, limit: Duration) -> Result<()> {
    let host = HostNode::open().context("axcl_host")?;
    let begin = Instant::now();
    let ids = host.devices()?;
    ensure!(ids.len() == 1, "{ids:?}: the card is not listed");
    let id = ids[0];
    ensure!(
        host.status()?[id as usize] != ALIVE,
        "it is said to be alive"
    );
    host.bus_info(id, 0)?;
    ensure!(host.pid_count(id)? == 0);
    if !booting {
        let created = host.create(id);
        ensure!(
            created.is_err(),
            "ports of a card that is not up: {created:?}"
        );
        let message = MessageNode::open()?;
        let connected = message.connect(id as i32, 30);
        ensure!(connected.is_err(), "a port of a card that is not up");
        ensure!(message.send(b"nobody").is_err(), "a message to nobody");
    }
    within(begin, limit, "the status tool")
}

/// Waits until the driver has given the card up, for this reason.
fn wait_dead(reason: i32) -> Result<()> {
    let limit = Duration::from_secs(160);
    kernel::until("the card to be given up", limit, || {
        Ok(attribute("state")? == "dead")
    })?;
    let shown = attribute("last_error")?;
    ensure!(shown == (-reason).to_string(), "the reason is {shown}");
    Ok(())
}

/// Axera's driver: the module loads, then the tool crashes the kernel.
fn R04_status_tool_after_a_failed_boot(context: &mut Context) -> Result<()> {
    for (switch, value, reason, code) in [
        ("boot.status_fail", json!(2), libc::EREMOTEIO, libc::EFAULT),
        (
            "boot.status_never",
            json!(true),
            libc::ETIMEDOUT,
            libc::ENOENT,
        ),
    ] {
        context.host.switch(0, switch, value)?;
        let begin = Instant::now();
        load()?;
        within(begin, Duration::from_secs(2), "loading")?;
        let host = HostNode::open()?;
        // While it tries, and when it has given up.
        status_tool(true, Duration::from_secs(3)).with_context(|| format!("{switch}, at once"))?;
        wait_dead(reason)?;
        status_tool(false, Duration::from_secs(3)).with_context(|| format!("{switch}, later"))?;
        let id = host.devices()?[0];
        refused(host.reboot(id), &[code], switch)?;
        context.host.clear(0)?;
        host.reboot(id)
            .with_context(|| format!("reboot after {switch}"))?;
        wait_alive(&host)?;
        canary()?;
        drop(host);
        kernel::unload_module()?;
    }
    Ok(())
}

/// Axera's driver: an endless loop.
fn R26_legacy_header_that_announces_1_mib(context: &mut Context) -> Result<()> {
    let (host, _) = card()?;
    let device = Device::open()?;
    device.scope().works()?;
    let before = driver_counter("bad_messages")?;
    context.host.switch(0, "header.length", 1 << 20)?;
    // This answer gets lost; those that come later do not.
    let pending = device.scope().begin(&system::latency(b"lost"))?;
    let lost = device.scope().finish_in(pending, Duration::from_secs(3));
    eprintln!("the answer with the header: {lost:?}");
    context.host.clear(0)?;
    ensure!(driver_counter("bad_messages")? > before, "not counted");
    let later = device.scope().works();
    later.context("the same client, afterwards")?;
    drop(device);
    recovers("a header of 1 MiB")?;
    wait_alive(&host)?;
    Ok(())
}

/// Axera's driver: every create times out.
fn R02_card_that_calls_itself_3(context: &mut Context) -> Result<()> {
    context.host.switch(0, "card_id", 3)?;
    load()?;
    let host = HostNode::open()?;
    let id = wait_alive(&host)?;
    ensure!(id != 3, "the test needs a card that is not on bus 3");
    let begin = Instant::now();
    let device = Device::open()?;
    within(begin, Duration::from_secs(10), "opening")?;
    // Answers repeat what the request says (1.2), so the client sees the host's id.
    for round in 0..5 {
        device
            .scope()
            .works()
            .with_context(|| format!("round {round}"))?;
    }
    device.close()?;
    host.reboot(id)?;
    wait_alive(&host)?;
    canary()?;
    context.host.clear(0)
}

/// Axera's driver: its interrupt is masked from then on.
fn R15_legacy_reset_and_reboot(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    for round in 0..3 {
        host.reset(id)?;
        host.reboot(id).with_context(|| format!("round {round}"))?;
        wait_alive(&host)?;
        let before = counted(context, |name| name == "msi.sent")?;
        canary().with_context(|| format!("round {round}"))?;
        let after = counted(context, |name| name == "msi.sent")?;
        ensure!(after > before, "round {round}: no interrupts");
    }
    Ok(())
}

/// Axera's driver: never rings again, and its writes still "succeed".
fn R31_nine_ignored_doorbells(context: &mut Context) -> Result<()> {
    ready()?;
    let device = Device::open()?;
    for round in 0..3 {
        context.host.switch(0, "doorbell.ignore", 9)?;
        for at in 0..12 {
            device
                .scope()
                .echo(&pattern(50, at))
                .with_context(|| format!("round {round}, echo {at}"))?;
        }
        context.host.clear(0)?;
        device.scope().works()?;
    }
    device.close()
}

/// Axera's driver: dead for ever.
fn P2_silent_and_back(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let device = Device::open()?;
    device.scope().works()?;
    let counted = || -> Result<(u64, u64)> {
        let pings = driver_counter("pings")?;
        Ok((driver_counter("heartbeats_missed")?, pings))
    };
    let before = counted()?;
    context.host.switch(0, "silent", true)?;
    // Longer than the deadline of the heartbeat, 9 s.
    std::thread::sleep(Duration::from_secs(14));
    let after = counted()?;
    ensure!(
        after.0 > before.0 && after.1 > before.1,
        "{before:?} heartbeats missed and pings, then {after:?}"
    );
    context.host.clear(0)?;
    drop(device);
    wait_alive(&host)?;
    recovers("silence")?;
    ensure!(host.status()?[id as usize] == ALIVE);
    Ok(())
}

/// Axera's driver: 50 s with a lock that all need.
fn P2_create_without_an_answer(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let device = Device::open()?;
    all_gone_but(&host, id, 1)?;
    context.host.switch(0, "port11.no_reply", true)?;
    let waiter = std::thread::spawn({
        let host = HostNode::open()?;
        move || {
            let begin = Instant::now();
            (host.create(id), begin.elapsed())
        }
    });
    std::thread::sleep(Duration::from_millis(300));
    // Meanwhile everybody else is served at once.
    for _ in 0..10 {
        let begin = Instant::now();
        device.scope().works()?;
        host.status()?;
        host.devices()?;
        host.pid_count(id)?;
        drop(HostNode::open()?);
        within(begin, Duration::from_secs(2), "the others")?;
    }
    let (result, took) = waiter.join().map_err(|_| anyhow::anyhow!("panic"))?;
    let clean = [libc::EPERM, libc::ETIMEDOUT];
    refused(result, &clean, "create without an answer")?;
    eprintln!("create gave up after {took:?}");
    ensure!(took < Duration::from_secs(60), "{took:?}");
    context.host.clear(0)?;
    device.scope().works()?;
    drop(device);
    // The ports of the failed one are free (R37).
    all_gone(&host, id)?;
    recovers("a create without an answer")
}

fn all_gone_but(host: &HostNode, id: u32, count: u32) -> Result<()> {
    kernel::until(
        "other processes to be gone",
        Duration::from_secs(10),
        || Ok(host.pid_count(id)? == count),
    )
}

/// R12, R37: killed while it waits, a hundred times; no port is lost.
fn R37_hundred_creates_without_an_answer(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    all_gone(&host, id)?;
    let before = groups_at_once(id)?;
    all_gone(&host, id)?;
    context.host.switch(0, "port11.no_reply", true)?;
    for round in 0..100 {
        let mut ready = Pipe::new()?;
        let child = process::fork(|| {
            let host = HostNode::open()?;
            ready.send()?;
            host.create(id)?;
            Ok(())
        })?;
        ready.wait(Duration::from_secs(10))?;
        std::thread::sleep(Duration::from_millis(5 + 7 * (round % 5)));
        let begin = Instant::now();
        let end = child.kill(Duration::from_secs(10))?;
        ensure!(end == End::Signal(libc::SIGKILL), "round {round}: {end:?}");
        within(begin, Duration::from_secs(1), "killing a waiting process")?;
    }
    context.host.clear(0)?;
    all_gone(&host, id)?;
    recovers("a hundred creates without an answer")?;
    all_gone(&host, id)?;
    let after = groups_at_once(id)?;
    ensure!(
        after == before,
        "ports for {before} groups, then for {after}"
    );
    all_gone(&host, id)
}

/// How many groups of ports can be had at a time.
fn groups_at_once(id: u32) -> Result<usize> {
    let mut held = Vec::new();
    loop {
        let host = HostNode::open()?;
        if let Err(e) = host.create(id) {
            ensure!(held.len() > 10, "{} groups only: {e}", held.len());
            return Ok(held.len());
        }
        held.push(host);
    }
}

/// Axera's driver: taken for success; 20 bytes as well.
fn R36_reply_of_41_bytes(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    for switch in ["port11.long", "port11.short"] {
        context.host.switch(0, switch, true)?;
        let begin = Instant::now();
        let file = HostNode::open()?;
        let result = file.create(id);
        eprintln!("{switch}: {result:?} after {:?}", begin.elapsed());
        let clean = [
            libc::EPERM,
            libc::EIO,
            libc::EPROTO,
            libc::ETIMEDOUT,
            libc::EBADMSG,
        ];
        refused(result, &clean, switch)?;
        context.host.clear(0)?;
        all_gone(&host, id)?;
        recovers(switch)?;
    }
    // Command 5, as well.
    context.host.switch(0, "port11.fail", true)?;
    refused(
        HostNode::open()?.create(id),
        MINUS_ONE,
        "a create that the card refuses",
    )?;
    context.host.clear(0)?;
    all_gone(&host, id)?;
    canary()
}

/// Axera's driver: the next one to ask gets it.
fn R36_late_reply(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    all_gone(&host, id)?;
    // The first one is killed while it waits; its reply comes when the second one waits for its own.
    context.host.switch(0, "port11.late_ms", 1500)?;
    for round in 0..5 {
        let mut ready = Pipe::new()?;
        let first = process::fork(|| {
            let host = HostNode::open()?;
            ready.send()?;
            host.create(id)?;
            Ok(())
        })?;
        ready.wait(Duration::from_secs(10))?;
        std::thread::sleep(Duration::from_millis(100));
        first.kill(Duration::from_secs(10))?;
        let begin = Instant::now();
        let file = HostNode::open()?;
        let packet = file.create(id).with_context(|| format!("round {round}"))?;
        ensure!(packet.command == 3 && packet.count == 4, "{packet:?}");
        // Its own reply cannot have come earlier than this.
        let took = begin.elapsed();
        ensure!(
            took >= Duration::from_millis(1400),
            "round {round}: a reply after {took:?}, which is not its own"
        );
        drop(file);
    }
    context.host.clear(0)?;
    all_gone(&host, id)?;
    recovers("late replies")
}

/// Axera's driver: 50 s waits, and a card that is still alive.
fn R07_legacy_all_ones(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let watcher = HostNode::open()?;
    watcher.create(id)?;
    let device = Device::open()?;
    device.scope().works()?;
    context.host.switch(0, "all_ones", true)?;
    // Whoever uses it is told at once: the heartbeat's deadline is not waited for.
    let begin = Instant::now();
    let limit = Duration::from_millis(1500) * kernel::slowness();
    kernel::until("the card to be gone", limit, || {
        Ok(host.status()?.get(id as usize) != Some(&ALIVE))
    })?;
    eprintln!("gone after {:?}", begin.elapsed());
    let work = device.scope().works();
    ensure!(work.is_err(), "a card of all ones works");
    let events = watcher.node.poll(libc::POLLIN, Duration::from_secs(5))?;
    ensure!(events != 0, "the watcher was not woken");
    let begin = Instant::now();
    for result in [
        watcher.create(id).map(drop),
        HostNode::open()?.create(id).map(drop),
    ] {
        ensure!(result.is_err(), "ports of a card that has gone");
    }
    for port in device.ports() {
        ensure!(port.send(b"x").is_err(), "sent to a card that has gone");
        let events = port.node.poll(libc::POLLIN, Duration::from_secs(2))?;
        ensure!(
            events & (libc::POLLHUP | libc::POLLERR) != 0,
            "pollers of its ports see {events:#x}"
        );
    }
    within(begin, Duration::from_secs(5), "refusals")?;
    drop(device);
    drop(watcher);
    context.host.clear(0)?;
    context.host.unplug(0)?;
    context.host.plug(0)?;
    wait_alive(&host)?;
    recovers("all ones")
}

/// Axera's driver: loading blocks for 966 s, and the card counts as alive.
fn R11_handshake_never_answered(context: &mut Context) -> Result<()> {
    context.host.switch(0, "step0.no_ack", true)?;
    let begin = Instant::now();
    load()?;
    within(begin, Duration::from_secs(2), "loading")?;
    status_tool(true, Duration::from_secs(3))?;
    // Until the stated limit is over, at 120 s.
    wait_dead(libc::ETIMEDOUT)?;
    ensure!(
        begin.elapsed() > Duration::from_secs(110),
        "{:?}",
        begin.elapsed()
    );
    status_tool(false, Duration::from_secs(3))?;
    context.host.clear(0)?;
    let host = HostNode::open()?;
    host.reboot(host.devices()?[0])?;
    wait_alive(&host)?;
    canary()
}

/// Axera's driver: the watcher spins while the module unloads.
fn P9_card_killed_then_unload(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let device = Device::open()?;
    device.scope().works()?;
    context.host.harness("kill", json!({"card": 0}))?;
    ensure!(device.scope().works().is_err(), "a dead card works");
    kernel::until("the death to be seen", Duration::from_secs(70), || {
        Ok(host.status()?.get(id as usize) != Some(&ALIVE))
    })?;
    drop(device);
    drop(host);
    let mark = kernel::mark()?;
    let begin = Instant::now();
    // Files close in their own time.
    kernel::until("the module to unload", Duration::from_secs(10), || {
        Ok(kernel::unload_module().is_ok())
    })?;
    within(begin, Duration::from_secs(10), "unloading")?;
    let lines = mark.lines()?.len();
    ensure!(lines < 50, "{lines} lines in the log");
    context.host.unplug(0)?;
    context.host.harness("restart", json!({"card": 0}))?;
    context.host.plug(0)?;
    load()?;
    wait_alive(&HostNode::open()?)?;
    canary()
}

/// The card may still write to the memory of a process that was killed; nobody else's is hurt.
fn P1_killed_while_copying(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    for round in 0..20_u64 {
        if round % 4 == 3 {
            context.host.switch(0, "dma.stall_ms", 300)?;
        }
        let mut ready = Pipe::new()?;
        let child = process::fork(|| {
            let device = Device::open()?;
            let scope = device.scope();
            let at = scope.malloc(8 << 20)?;
            let data = pattern(8 << 20, 1);
            ready.send()?;
            loop {
                scope.write(at, &data)?;
                scope.read(at, data.len())?;
                scope.echo(&data[..50_000])?;
            }
        })?;
        ready.wait(Duration::from_secs(20))?;
        std::thread::sleep(Duration::from_millis(round * 17 % 250));
        child.kill(Duration::from_secs(20))?;
        context.host.clear(0)?;
        let begin = Instant::now();
        recovers(&format!("kill {round}"))?;
        eprintln!("kill {round}: works again after {:?}", begin.elapsed());
    }
    all_gone(&host, id)
}

/// No port, no session, no memory is left over.
fn P22_many_killed_clients(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    all_gone(&host, id)?;
    let first = host.create(id)?.ports;
    let host = {
        drop(host);
        HostNode::open()?
    };
    for round in 0..8_u64 {
        let children = (0..6)
            .map(|number| {
                process::fork(move || {
                    let device = Device::open()?;
                    for seed in 0.. {
                        let data = pattern(2000, (number << 32) | (round << 16) | seed);
                        // Another client's answer would not be this.
                        device.scope().echo(&data)?;
                    }
                    Ok(())
                })
            })
            .collect::<Result<Vec<_>>>()?;
        std::thread::sleep(Duration::from_millis(100 + round * 53));
        for child in children {
            let end = child.kill(Duration::from_secs(20))?;
            ensure!(end == End::Signal(libc::SIGKILL), "round {round}: {end:?}");
        }
    }
    all_gone(&host, id)?;
    recovers("many kills")?;
    // Lower ones may have become free: those of creates that were never answered, in cases before.
    let again = host.create(id)?.ports;
    ensure!(again[0] <= first[0], "ports {first:?} were lost: {again:?}");
    let report = super::support::service(context)?;
    eprintln!("the card's report: {report}");
    Ok(())
}

/// Pulled with everything open: errors, hang-ups, and all works when it is back.
fn P3_unplug_with_legacy_files(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let device = Device::open()?;
    let buffer = crate::node::buffer::BufferNode::open()?;
    buffer.scatter(id, 1 << 20)?;
    let map = buffer.map(0, 1 << 20)?;
    map.write(0, &[1; 4096]);
    context.host.unplug(0)?;
    ensure!(
        device.scope().works().is_err(),
        "a card that was pulled works"
    );
    ensure!(host.devices()?.is_empty(), "{:?}", host.devices()?);
    ensure!(host.status()?[id as usize] != ALIVE);
    ensure!(host.create(id).is_err());
    refused(
        crate::node::buffer::BufferNode::open()?.allocate(id, 4096, true),
        &[libc::ENODEV],
        "a buffer for a card that was pulled",
    )?;
    for port in device.ports() {
        ensure!(port.send(b"x").is_err());
        let events = port.node.poll(libc::POLLIN, Duration::from_secs(5))?;
        ensure!(events & (libc::POLLHUP | libc::POLLERR) != 0, "{events:#x}");
    }
    context.host.plug(0)?;
    wait_alive(&host)?;
    canary()?;
    drop(device);
    drop(buffer);
    drop(map);
    canary()
}
