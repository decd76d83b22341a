// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the driver shows without being opened: sysfs, hwmon, lines in the log.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650_uapi::*;

use super::boot::{digits, text};
use crate::card::{self, Card, BOOT};
use crate::case::Context;
use crate::client::{Client, PATIENCE};
use crate::{kernel, process};

crate::cases!["observe":
    P28_attributes,
    module_version,
    P28_every_change_of_state_is_logged_once { timeout_s: 90 },
    P29_temperature,
    K15_telemetry_of_a_mute_card,
    K27_names_stay_in_their_namespace,
    counters_agree_with_the_card,
    debug_files,
    programs_of_axcl_are_listed,
];

/// The attributes that docs/sysfs.md promises.
fn P28_attributes(_: &mut Context) -> Result<()> {
    let dir = card::sysfs(0)?;
    let attribute = |name: &str| kernel::read(dir.join(name));
    let info = Card::open(0)?.info()?;
    ensure!(attribute("state")? == "running");
    ensure!(attribute("generation")? == info.generation.to_string());
    ensure!(attribute("last_error")? == "0");
    ensure!(attribute("firmware_version")? == text(&info.firmware_version));
    ensure!(attribute("firmware_sha256")? == digits(&info.firmware_sha256));
    kernel::until("a heartbeat", Duration::from_secs(15), || {
        Ok((0..12_000).contains(&attribute("heartbeat_age_ms")?.parse::<i64>()?))
    })?;
    ensure!(attribute("sessions")? == "0", "{}", attribute("sessions")?);
    let client = Client::new(0)?;
    ensure!(attribute("sessions")? == "1", "{}", attribute("sessions")?);
    drop(client);
    Ok(())
}

/// The module says of which version it is: that of the packages.
fn module_version(_: &mut Context) -> Result<()> {
    let version = kernel::read("/sys/module/ax650/version")?;
    ensure!(version == env!("CARGO_PKG_VERSION"), "{version}");
    Ok(())
}

/// One line for each, no more.
fn P28_every_change_of_state_is_logged_once(_: &mut Context) -> Result<()> {
    let mark = kernel::mark()?;
    let card = Card::open(0)?;
    card.control(AX650_CONTROL_RESET, 0)?;
    card.wait_state(AX650_STATE_LOADER, BOOT)?;
    card.make_running()?;
    let lines = mark.lines()?;
    for state in [
        "loader -> booting",
        "booting -> handshake",
        "handshake -> running",
    ] {
        let count = lines.iter().filter(|line| line.contains(state)).count();
        ensure!(count == 1, "{count} lines with '{state}': {lines:?}");
    }
    Ok(())
}

/// One asks; who waits for that can be killed, and who comes later is told the same.
fn K15_telemetry_of_a_mute_card(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    // Older than anything that is kept.
    std::thread::sleep(Duration::from_millis(1200));
    context.host.switch(0, "rpc.drop", true)?;
    let first = card.duplicate()?;
    let first = std::thread::spawn(move || (first.telemetry().map(drop), Instant::now()));
    std::thread::sleep(Duration::from_millis(300));
    let second = process::fork(|| card.telemetry().map(drop).map_err(Into::into))?;
    std::thread::sleep(Duration::from_millis(300));
    let killed = Instant::now();
    second.kill(PATIENCE)?;
    let gone = killed.elapsed();
    ensure!(!first.is_finished(), "the first did not wait for the card");
    ensure!(gone < Duration::from_millis(700), "killed in {gone:?}");
    let (result, ended) = first.join().map_err(|_| anyhow::anyhow!("panic"))?;
    let timed_out = |result: std::io::Result<()>| {
        result.err().and_then(|e| e.raw_os_error()) == Some(libc::ETIMEDOUT)
    };
    ensure!(timed_out(result), "the first");
    ensure!(timed_out(card.telemetry().map(drop)), "the third");
    let took = ended.elapsed();
    ensure!(took < Duration::from_millis(700), "asked again: {took:?}");
    context.host.clear(0)?;
    kernel::until("telemetry", PATIENCE, || Ok(card.telemetry().is_ok()))
}

/// A container does not learn what runs outside.
fn K27_names_stay_in_their_namespace(_: &mut Context) -> Result<()> {
    let client = Client::new(0)?;
    let outside = process::fork(|| {
        // SAFETY: plain system call.
        ensure!(unsafe { libc::unshare(libc::CLONE_NEWPID) } == 0, "unshare");
        let inside = process::fork(|| {
            let list = client.card.clients()?;
            ensure!(list.len() == 1, "{list:?}");
            ensure!(list[0].pid == 0, "{list:?}");
            ensure!(list[0].command.iter().all(|&b| b == 0), "{list:?}");
            Ok(())
        })?;
        ensure!(
            inside.wait(PATIENCE)? == process::End::Exit(0),
            "see the console"
        );
        Ok(())
    })?;
    ensure!(
        outside.wait(PATIENCE * 2)? == process::End::Exit(0),
        "see the console"
    );
    let list = client.card.clients()?;
    ensure!(list[0].pid == std::process::id() as i32, "{list:?}");
    ensure!(list[0].command.iter().any(|&b| b != 0), "{list:?}");
    Ok(())
}

/// A sensor that is the card's own.
fn P29_temperature(_: &mut Context) -> Result<()> {
    let dir = card::sysfs(0)?.join("hwmon");
    let Ok(mut entries) = std::fs::read_dir(&dir) else {
        return crate::case::skip("this kernel has no hwmon");
    };
    let sensor = entries.next().context("no sensor")??.path();
    ensure!(kernel::read(sensor.join("name"))? == "ax650");
    let temperature: i32 = kernel::read(sensor.join("temp1_input"))?.parse()?;
    ensure!((1_000..120_000).contains(&temperature), "{temperature}");
    ensure!(kernel::read(sensor.join("temp1_crit"))? == "120000");
    let card = Card::open(0)?;
    card.control(AX650_CONTROL_RESET, 0)?;
    card.wait_state(AX650_STATE_LOADER, BOOT)?;
    ensure!(
        kernel::read(sensor.join("temp1_input")).is_err(),
        "a value from a card in its loader"
    );
    card.make_running().map(drop)
}

/// The driver counts what the card counts.
fn counters_agree_with_the_card(context: &mut Context) -> Result<()> {
    use serde_json::json;
    let mut client = Client::new(0)?;
    let before = client.card.counters()?;
    context.host.card(0, "counters", json!({"reset": true}))?;
    for round in 0..20 {
        client.echo(&crate::client::pattern(100, round))?;
    }
    client.round_trip(1 << 20, 1)?;
    let after = client.card.counters()?;
    let theirs = context.host.card(0, "counters", json!({}))?;
    let theirs = |name: &str| theirs["counters"][name].as_u64().unwrap_or(0);
    // The driver's own session may say something in between.
    let close = |ours: u64, theirs: u64| ours.abs_diff(theirs) <= 6;
    let sent = after.messages_sent - before.messages_sent;
    ensure!(
        close(sent, theirs("ring.h2c.messages")),
        "{sent} and {}",
        theirs("ring.h2c.messages")
    );
    let received = after.messages_received - before.messages_received;
    ensure!(
        close(received, theirs("ring.c2h.messages")),
        "{received} and {}",
        theirs("ring.c2h.messages")
    );
    let rung = after.doorbells - before.doorbells;
    ensure!(
        close(rung, theirs("doorbell.received")),
        "{rung} and {}",
        theirs("doorbell.received")
    );
    ensure!(
        sent >= 22 && rung >= 22,
        "{sent} messages, {rung} doorbells"
    );
    ensure!(after.bytes_to_card - before.bytes_to_card == 1 << 20);
    ensure!(after.bytes_from_card - before.bytes_from_card == 1 << 20);
    ensure!(after.jobs - before.jobs >= 23);
    Ok(())
}

/// A file of `docs/debugfs.md`.
fn debug_file(name: &str) -> Result<String> {
    kernel::read(format!("/sys/kernel/debug/ax650-0/{name}"))
}

/// The number behind a name.
fn number(text: &str, name: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line
        .and_then(|rest| rest.strip_prefix(' '))
        .with_context(|| format!("no {name}"))?;
    let digits = value.strip_prefix("0x");
    let number = digits.map_or_else(|| value.parse(), |hex| u64::from_str_radix(hex, 16));
    number.with_context(|| format!("{name} {value}"))
}

/// The files that docs/debugfs.md promises, for root only.
fn debug_files(_: &mut Context) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut client = Client::new(0)?;
    let before = debug_file("transport")?;
    for round in 0..20 {
        client.echo(&crate::client::pattern(100, round))?;
    }
    let after = debug_file("transport")?;
    ensure!(after.starts_with("state running\n"), "{after}");
    let grown = |name: &str| -> Result<u64> { Ok(number(&after, name)? - number(&before, name)?) };
    // The sizes of 4.3, and 20 calls of one message each way: 100 bytes, a header, and a body around them.
    for (name, value) in [
        ("region_bytes", 0x40_0000),
        ("send_ring_bytes", 2_096_832),
        ("receive_ring_bytes", 2_096_704),
    ] {
        ensure!(number(&after, name)? == value, "{name}: {after}");
    }
    for way in ["sent", "received"] {
        let messages = grown(&format!("{way}_messages"))?;
        let bytes = grown(&format!("{way}_bytes"))?;
        ensure!((20..40).contains(&messages), "{messages} {way}");
        ensure!((20 * 128..20 * 1024).contains(&bytes), "{bytes} {way}");
        ensure!(grown(&format!("{way}_ns"))? > 0);
        let largest = number(&after, &format!("{way}_largest_bytes"))?;
        let last = number(&after, &format!("{way}_last_bytes"))?;
        ensure!(last > 0 && last <= largest && largest < 0x6_0000, "{after}");
    }
    for pointer in ["send_wp", "send_rp", "receive_wp", "receive_rp"] {
        ensure!(grown(pointer)? >= 20 * 160, "{pointer}: {before}{after}");
    }
    ensure!(grown("doorbells_rung")? >= 20);
    let counters = debug_file("counters")?;
    let known = client.card.counters()?;
    for (name, value) in [
        ("boots", known.boots),
        ("jobs", known.jobs),
        ("resets", known.resets),
        ("buffer_bytes", known.buffer_bytes),
        ("quarantined_bytes", 0),
        ("leaked_bytes", 0),
    ] {
        ensure!(number(&counters, name)? == value, "{name}: {counters}");
    }
    ensure!(known.buffer_bytes == 0 || number(&counters, "buffer_pieces")? > 0);
    // Leaked bytes, pieces and known files are not in the structure.
    ensure!((counters.lines().count() - 3) * 8 == size_of::<ax650_counters>());
    let own = std::process::id();
    let ports = debug_file("ports")?;
    for role in ["host-bulk", "card-bulk", "calls", "answers"] {
        let what = format!(" native-{role} {own} - ");
        ensure!(ports.lines().any(|line| line.contains(&what)), "{ports}");
    }
    let clients = debug_file("clients")?;
    let count = |kind: &str| {
        clients
            .lines()
            .filter(|line| line.starts_with(kind))
            .count()
    };
    ensure!(count("native ") == 1 && count("driver ") == 1, "{clients}");
    for name in ["transport", "counters", "ports", "clients"] {
        let path = format!("/sys/kernel/debug/ax650-0/{name}");
        let mode = std::fs::metadata(&path)?.permissions().mode();
        ensure!(mode & 0o7777 == 0o400, "{path}: {mode:o}");
    }
    let mode = std::fs::metadata("/sys/kernel/debug")?.permissions().mode();
    ensure!(mode & 0o077 == 0, "anybody may look: {mode:o}");
    Ok(())
}

/// Programs of AXCL stand beside native clients, wherever these are shown.
fn programs_of_axcl_are_listed(_: &mut Context) -> Result<()> {
    use ax650_axcl_tests::client::{pattern, Device, Settings};
    ax650_axcl_tests::ready()?;
    let own = std::process::id() as i32;
    let native = Client::new(0)?;
    let device = Device::open()?;
    device.scope().echo(&pattern(70_000, 1))?;
    let list = native.card.clients()?;
    let of = |interface| list.iter().filter(move |c| c.interface == interface);
    let [me] = of(AX650_INTERFACE_AXCL).collect::<Vec<_>>()[..] else {
        anyhow::bail!("{list:?}");
    };
    ensure!(of(AX650_INTERFACE_NATIVE).count() == 1, "{list:?}");
    ensure!(me.pid == own && me.jobs == 0, "{me:?}");
    ensure!((21..128).contains(&me.session), "{me:?}");
    let bytes = 2 * u64::from(Settings::default().buffer_size);
    ensure!(me.buffer_bytes == bytes, "{me:?}");
    let moved = 70_000..80_000;
    ensure!(
        moved.contains(&me.bytes_to_card) && moved.contains(&me.bytes_from_card),
        "{me:?}"
    );
    let name = kernel::read("/proc/self/comm")?;
    ensure!(me.command.starts_with(name.as_bytes()), "{me:?}");
    ensure!(kernel::read(card::sysfs(0)?.join("sessions"))? == "2");
    let clients = kernel::read("/sys/kernel/debug/ax650-0/clients")?;
    let line = clients.lines().find(|line| line.starts_with("axcl "));
    let words: Vec<&str> = line.context("no line")?.split(' ').collect();
    ensure!(
        words[1].split(',').next() == Some(&me.session.to_string()),
        "{words:?}"
    );
    ensure!(
        words[2] == own.to_string() && words[6] == bytes.to_string(),
        "{words:?}"
    );
    let ports = kernel::read("/sys/kernel/debug/ax650-0/ports")?;
    let line = format!("{} axcl {own} 1 {name}", me.session);
    ensure!(
        ports.lines().any(|other| other == line),
        "no '{line}': {ports}"
    );
    let shown = std::process::Command::new("ax650").arg("info").output()?;
    let shown = String::from_utf8(shown.stdout)?;
    ensure!(
        shown
            .lines()
            .any(|line| line.contains("AXCL") && line.contains(&name)),
        "{shown}"
    );
    device.close()?;
    kernel::until("the list to be short again", PATIENCE, || {
        Ok(native.card.clients()?.len() == 1)
    })
}
