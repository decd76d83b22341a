// SPDX-License-Identifier: MIT OR Apache-2.0

//! Resets on demand, cards that fall silent, heartbeats of all kinds, sleep and errors on the bus.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context as _, Result};
use ax650_uapi::*;
use serde_json::json;

use crate::card::{self, Card, BOOT};
use crate::case::{skip, Context, HIGH_MEMORY, USUAL};
use crate::client::{canary, Client, PATIENCE};
use crate::errors::{errno, expect, expect_any};
use crate::process::{self, End};
use crate::{kernel, runner};

crate::cases!["reset":
    R15_a_message_goes_through_after_every_reboot { timeout_s: 120 },
    R15_slow_reset { timeout_s: 90 },
    C2_reset_of_15_s { timeout_s: 120 },
    C2_reset_that_is_given_up_first { timeout_s: 180 },
    C2_card_that_resets_itself { timeout_s: 120 },
    C6_heart_beats_while_the_service_is_silent { timeout_s: 120 },
    R15_configuration_is_restored,
    R15_waiting_is_not_spinning,
    R16_one_resets_the_other_works,
    R17_only_root_resets,
    reset_to_the_loader_and_boot,
    R18_first_heartbeat_late { timeout_s: 120 },
    R18_odd_intervals { timeout_s: 240 },
    R18_heartbeat_stops_but_the_card_answers { timeout_s: 180 },
    silent_card_comes_back { timeout_s: 180 },
    silent_card_is_reset { timeout_s: 240 },
    R18_reset_card_is_not_resurrected { timeout_s: 90 },
    heartbeat_of_v2_firmware { timeout_s: 90 },
    R19_unload_in_any_state { timeout_s: 150 },
    R09_suspend_and_resume { machines: &[USUAL, HIGH_MEMORY], timeout_s: 120 },
    R09_error_on_the_bus { timeout_s: 120 },
    R09_function_reset { timeout_s: 90 },
    P4_reboot_of_the_guest { timeout_s: 300 },
    P4_crash_of_the_guest { timeout_s: 300 },
];

fn reboot(card: &Card) -> Result<()> {
    let generation = card.info()?.generation;
    let promised = card.control(AX650_CONTROL_BOOT, 0).context("BOOT")?;
    kernel::until("the new generation", BOOT, || {
        let info = card.info()?;
        ensure!(info.state != AX650_STATE_DEAD, "dead: {}", info.last_error);
        Ok(info.state == AX650_STATE_RUNNING && info.generation > generation)
    })?;
    let now = card.info()?.generation;
    ensure!(
        promised == now && now == generation + 1,
        "{generation}, {promised}, {now}"
    );
    Ok(())
}

/// With interrupts: none is found by the timer only.
fn R15_a_message_goes_through_after_every_reboot(_: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    for round in 0..5 {
        reboot(&card).with_context(|| format!("round {round}"))?;
        let before = card.counters()?;
        canary(0).with_context(|| format!("round {round}"))?;
        let after = card.counters()?;
        ensure!(
            after.interrupts > before.interrupts,
            "round {round}: no interrupts"
        );
    }
    ensure!(card.counters()?.boots >= 5);
    Ok(())
}

/// The link is away for longer than usual.
fn R15_slow_reset(context: &mut Context) -> Result<()> {
    context.host.switch(0, "reset.slow_ms", 5000)?;
    let card = Card::open(0)?;
    let begin = Instant::now();
    reboot(&card)?;
    ensure!(begin.elapsed() > Duration::from_secs(5));
    canary(0)
}

/// Longer than a card is waited for elsewhere, but the driver is still there when it is back.
fn C2_reset_of_15_s(context: &mut Context) -> Result<()> {
    context.host.switch(0, "reset.slow_ms", 15_000)?;
    let card = Card::open(0)?;
    reboot(&card)?;
    context.host.clear(0)?;
    canary(0)
}

/// Longer than any reset: the card counts as unreachable, and works again when it is back, without a
/// rebind and without a second reset, which would take as long.
fn C2_reset_that_is_given_up_first(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    let before = card.counters()?;
    context.host.switch(0, "reset.slow_ms", 40_000)?;
    let generation = card.control(AX650_CONTROL_BOOT, 0)?;
    kernel::until("the card to be given up", Duration::from_secs(50), || {
        Ok(card.info()?.state == AX650_STATE_GONE)
    })?;
    expect(libc::ENODEV, card.session(), || "a session".into())?;
    kernel::until("the card to be back", BOOT, || {
        Ok(card.info()?.state == AX650_STATE_RUNNING)
    })?;
    ensure!(card.info()?.generation == generation);
    let resets = card.counters()?.resets - before.resets;
    ensure!(resets == 1, "{resets} resets");
    context.host.clear(0)?;
    canary(0)
}

/// The chip's watchdog, or its heat: no heartbeat is waited for, which would take 9 s and more, and the
/// sessions of before are told.
fn C2_card_that_resets_itself(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    client.works()?;
    let info = client.card.info()?;
    let begin = Instant::now();
    context.host.card(0, "reset", json!({}))?;
    let limit = Duration::from_secs(4) * runner::slowness();
    kernel::until("the driver to see it", limit, || {
        Ok(client.card.info()?.state != AX650_STATE_RUNNING)
    })?;
    eprintln!("seen after {:?}", begin.elapsed());
    kernel::until("the card to run again", BOOT, || {
        let now = client.card.info()?;
        Ok(now.state == AX650_STATE_RUNNING && now.generation > info.generation)
    })?;
    let (_, frame) = client.echo_frame(b"too late");
    let late = client.submit(&[client.call_step(&frame, 0, 4096)]);
    expect_any(&[libc::ESTALE, libc::ENODEV], late, || "SUBMIT".into())?;
    canary(0)
}

/// A card whose service makes no session for the driver is watched as closely as any other.
fn C6_heart_beats_while_the_service_is_silent(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    // A beat a second, which is how often the driver looks.
    context.host.switch(0, "heartbeat.period_ms", 1000)?;
    context.host.switch(0, "port11.no_reply", true)?;
    reboot(&card)?;
    kernel::until("a heartbeat", Duration::from_secs(20), || {
        Ok(card.info()?.heartbeat_age_ns != u64::MAX)
    })?;
    let before = card.counters()?.heartbeats;
    let begin = Instant::now();
    std::thread::sleep(Duration::from_secs(20));
    let seconds = begin.elapsed().as_secs();
    let beats = card.counters()?.heartbeats - before;
    eprintln!("{beats} heartbeats accepted in {seconds} s");
    ensure!(beats * 4 >= seconds * 3, "{beats} in {seconds} s");
    let info = card.info()?;
    ensure!(info.state == AX650_STATE_RUNNING, "state {}", info.state);
    context.host.clear(0)?;
    canary(0)
}

/// Command register, BARs, MSI address, data and mask are what they were.
fn R15_configuration_is_restored(_: &mut Context) -> Result<()> {
    let path = card::sysfs(0)?.join("config");
    let before = std::fs::read(&path)?;
    reboot(&Card::open(0)?)?;
    let after = std::fs::read(&path)?;
    // Status registers may differ: those of the device and of its links.
    let differs: Vec<usize> = (0..64)
        .filter(|&at| before[at] != after[at] && !(6..8).contains(&at))
        .collect();
    ensure!(differs.is_empty(), "differs at {differs:x?}");
    // The capabilities in the list.
    let mut at = usize::from(before[0x34]);
    while at != 0 {
        let id = before[at];
        if id == 5 {
            let msi = at..at + 24;
            ensure!(
                before[msi.clone()] == after[msi.clone()],
                "MSI: {:x?} and {:x?}",
                &before[msi.clone()],
                &after[msi]
            );
        }
        if id == 0x10 {
            // P27: the largest read request.
            ensure!(
                before[at + 8..at + 10] == after[at + 8..at + 10],
                "device control"
            );
            ensure!(
                (after[at + 9] >> 4) & 7 == 2,
                "read requests are not of 512 bytes"
            );
        }
        at = usize::from(before[at + 1]);
    }
    Ok(())
}

/// While a card is being reset and booted, CPU time of the kernel's threads is small.
fn R15_waiting_is_not_spinning(context: &mut Context) -> Result<()> {
    context.host.switch(0, "reset.slow_ms", 5000)?;
    let card = Card::open(0)?;
    let used = || -> Result<u64> {
        // Clock ticks of the card's thread: user and system, fields 14 and 15.
        for entry in std::fs::read_dir("/proc")? {
            let dir = entry?.path();
            let Ok(stat) = std::fs::read_to_string(dir.join("stat")) else {
                continue;
            };
            if stat.contains("(ax650") {
                let rest = stat.rsplit(')').next().unwrap_or_default();
                let fields: Vec<&str> = rest.split_whitespace().collect();
                return Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?);
            }
        }
        bail!("no thread of the driver")
    };
    let before = used()?;
    let begin = Instant::now();
    card.control(AX650_CONTROL_RESET, 0)?;
    card.wait_state(AX650_STATE_LOADER, BOOT)?;
    let share = (used()? - before) as f64 / 100.0 / begin.elapsed().as_secs_f64();
    ensure!(share < 0.5, "{:.0} % of a CPU", share * 100.0);
    context.host.clear(0)?;
    card.make_running().map(drop)
}

/// What the other held is over, with an error that says why; it can begin anew.
fn R16_one_resets_the_other_works(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    client.works()?;
    let dropped = |context: &mut Context| -> Result<Option<u64>> {
        let counters = context.host.card(0, "counters", json!({}))?;
        Ok(counters["counters"]["rpc.dropped"].as_u64())
    };
    // Earlier cases have had calls dropped as well.
    let before = dropped(context)?;
    context.host.switch(0, "rpc.drop", true)?;
    let (_, frame) = client.echo_frame(b"interrupted");
    let job = client.submit(&[client.call_step(&frame, 0, 4096)])?;
    kernel::until("the card to drop it", PATIENCE, || {
        Ok(dropped(context)? > before)
    })?;
    context.host.clear(0)?;
    reboot(&Card::open(0)?)?;
    let (wait, _) = client.wait(job, 1, PATIENCE)?;
    ensure!(wait.status == -libc::ESTALE, "{wait:?}");
    let (_, frame) = client.echo_frame(b"too late");
    expect(
        libc::ESTALE,
        client.submit(&[client.call_step(&frame, 0, 4096)]),
        || "SUBMIT".into(),
    )?;
    // The file is as good as before, and so are its buffers.
    client.card.end_session(client.session.session)?;
    client.reply.map.write(0, &[1; 16]);
    let card = client.card.duplicate()?;
    drop(client);
    Client::on(card)?.works()
}

/// Reset and boot, by request and by attribute; and a node that is not for everybody.
fn R17_only_root_resets(_: &mut Context) -> Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let path = card::node(0)?.context("no node")?;
    let meta = std::fs::metadata(&path)?;
    ensure!(
        meta.permissions().mode() & 0o777 == 0o660,
        "mode {:o}",
        meta.permissions().mode()
    );
    ensure!(meta.uid() == 0);
    let attribute = card::sysfs(0)?.join("control");
    let child = process::fork(|| {
        let card = Card::open(0)?;
        process::become_user(1000)?;
        for op in [AX650_CONTROL_BOOT, AX650_CONTROL_RESET] {
            expect(libc::EPERM, card.control(op, 0), || {
                format!("operation {op}")
            })?;
        }
        let flags = AX650_CONTROL_IF_NEEDED;
        expect(libc::EPERM, card.control(AX650_CONTROL_BOOT, flags), || {
            "boot if needed".into()
        })?;
        let denied = std::fs::write(&attribute, "boot").err();
        ensure!(denied.map(|e| e.kind()) == Some(std::io::ErrorKind::PermissionDenied));
        // Not in the group: not even open.
        expect(libc::EACCES, Card::open_path(&path, 0), || "open".into())
    })?;
    ensure!(child.wait(PATIENCE)? == End::Exit(0), "see the console");
    canary(0)
}

/// The loader is a state of its own: nothing works, and a boot helps.
fn reset_to_the_loader_and_boot(_: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    card.control(AX650_CONTROL_RESET, 0)?;
    card.wait_state(AX650_STATE_LOADER, BOOT)?;
    expect(libc::EHOSTDOWN, card.session(), || "a session".into())?;
    // Two at once: one is told to wait.
    card.control(AX650_CONTROL_BOOT, 0)?;
    expect(libc::EBUSY, card.control(AX650_CONTROL_BOOT, 0), || {
        "a second boot".into()
    })?;
    expect(libc::EBUSY, card.control(AX650_CONTROL_RESET, 0), || {
        "a reset".into()
    })?;
    let info = card.wait_state(AX650_STATE_RUNNING, BOOT)?;
    let same = card.control(AX650_CONTROL_BOOT, AX650_CONTROL_IF_NEEDED)?;
    ensure!(same == info.generation && card.info()?.state == AX650_STATE_RUNNING);
    let attribute = card::sysfs(0)?.join("control");
    kernel::write(&attribute, "loader")?;
    card.wait_state(AX650_STATE_LOADER, BOOT)?;
    kernel::write(&attribute, "boot")?;
    card.wait_state(AX650_STATE_RUNNING, BOOT)?;
    expect_any(
        &[libc::EINVAL],
        std::fs::write(&attribute, "nonsense"),
        || "nonsense in control".into(),
    )?;
    canary(0)
}

/// After a boot the first heartbeat may take its time, whatever the interval was before.
fn R18_first_heartbeat_late(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    context.host.switch(0, "heartbeat.first_delay_ms", 20_000)?;
    reboot(&card)?;
    let before = card.counters()?;
    let end = Instant::now() + Duration::from_secs(22);
    while Instant::now() < end {
        ensure!(card.info()?.state == AX650_STATE_RUNNING);
        canary(0)?;
        std::thread::sleep(Duration::from_secs(1));
    }
    let after = card.counters()?;
    ensure!(
        after.heartbeats_missed == before.heartbeats_missed,
        "{after:?}"
    );
    Ok(())
}

/// Intervals of 0, 1 and 2^32-1 ms: no storm of pings, no card declared dead.
fn R18_odd_intervals(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    for interval in [0_u64, 1, 0xffff_ffff] {
        context.host.switch(0, "heartbeat.interval", interval)?;
        let before = card.counters()?;
        std::thread::sleep(Duration::from_secs(15));
        let after = card.counters()?;
        ensure!(
            after.heartbeats > before.heartbeats,
            "{interval}: no heartbeats"
        );
        ensure!(
            after.pings - before.pings < 10,
            "{interval}: {} pings",
            after.pings - before.pings
        );
        ensure!(after.resets == before.resets, "{interval}: reset");
        canary(0).with_context(|| format!("interval {interval}"))?;
        context.host.clear(0)?;
    }
    Ok(())
}

/// The stamp stands still, but calls are answered: the card stays in use.
fn R18_heartbeat_stops_but_the_card_answers(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    // So that the interval of this card is known.
    kernel::until("a heartbeat", Duration::from_secs(20), || {
        Ok(client.card.info()?.heartbeat_interval_ms == 9000)
    })?;
    let before = client.card.counters()?;
    context.host.switch(0, "heartbeat.frozen", true)?;
    kernel::until("a ping", Duration::from_secs(40), || {
        client.echo(b"at work")?;
        Ok(client.card.counters()?.pings > before.pings)
    })?;
    kernel::until("the card in use again", Duration::from_secs(10), || {
        Ok(client.card.info()?.state == AX650_STATE_RUNNING)
    })?;
    let after = client.card.counters()?;
    ensure!(after.heartbeats_missed > before.heartbeats_missed);
    ensure!(after.resets == before.resets, "reset, although it answers");
    client.works()?;
    context.host.clear(0)?;
    client.works()
}

/// Silent for less than the recovery takes: sessions survive.
fn silent_card_comes_back(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    kernel::until("a heartbeat", Duration::from_secs(20), || {
        Ok(card.info()?.heartbeat_interval_ms == 9000)
    })?;
    let generation = card.info()?.generation;
    context.host.switch(0, "silent", true)?;
    std::thread::sleep(Duration::from_secs(6));
    context.host.clear(0)?;
    std::thread::sleep(Duration::from_secs(6));
    ensure!(
        card.info()?.generation == generation,
        "reset for a pause of 6 s"
    );
    canary(0)
}

/// Silent for good: suspect, pinged, tried with a new session, reset; and it runs again once it
/// can.
fn silent_card_is_reset(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    kernel::until("a heartbeat", Duration::from_secs(20), || {
        Ok(client.card.info()?.heartbeat_interval_ms == 9000)
    })?;
    let before = client.card.counters()?;
    let mark = kernel::mark()?;
    context.host.switch(0, "silent", true)?;
    let (_, frame) = client.echo_frame(b"anybody?");
    let mut submit = ax650_submit {
        session: client.session.session,
        eventfd: -1,
        timeout_ns: kernel::now_ns() + 100_000_000_000,
        ..Default::default()
    };
    let step = client.call_step(&frame, 0, 4096);
    let job = client.card.submit_with(&mut submit, &[step])?;
    let begin = Instant::now();
    kernel::until("the reset", Duration::from_secs(60), || {
        Ok(client.card.counters()?.resets > before.resets)
    })?;
    eprintln!("reset after {:?}", begin.elapsed());
    let (wait, _) = client.wait(job, 1, PATIENCE)?;
    ensure!(
        wait.status == -libc::ESTALE || wait.status == -libc::ETIMEDOUT,
        "{wait:?}"
    );
    let after = client.card.counters()?;
    ensure!(
        after.heartbeats_missed > before.heartbeats_missed,
        "{after:?}"
    );
    ensure!(after.pings > before.pings, "{after:?}");
    ensure!(after.canaries > before.canaries, "{after:?}");
    ensure!(
        mark.saw("suspect")?,
        "the log does not say that it was suspect"
    );
    context.host.clear(0)?;
    client.card.make_running()?;
    canary(0)?;
    // A line for each step, not thousands.
    let lines = mark
        .lines()?
        .iter()
        .filter(|line| line.contains("ax650"))
        .count();
    ensure!(lines < 60, "{lines} lines");
    Ok(())
}

/// A heartbeat that comes while the card is being reset changes nothing.
fn R18_reset_card_is_not_resurrected(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    context.host.switch(0, "heartbeat.period_ms", 50)?;
    context.host.switch(0, "loader.stuck", true)?;
    for _ in 0..3 {
        card.control(AX650_CONTROL_RESET, 0)?;
        let end = Instant::now() + Duration::from_secs(4);
        let mut left = false;
        while Instant::now() < end {
            let state = card.info()?.state;
            left |= state != AX650_STATE_RUNNING;
            ensure!(!left || state != AX650_STATE_RUNNING, "resurrected");
            std::thread::sleep(Duration::from_millis(5));
        }
        ensure!(left, "it was not reset");
    }
    context.host.clear(0)?;
    card.make_running()?;
    canary(0)
}

/// A 64-bit count at offset 8, of which the lower half changes: as good as any stamp.
fn heartbeat_of_v2_firmware(context: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    context.host.switch(0, "heartbeat.v2", true)?;
    let before = card.counters()?;
    std::thread::sleep(Duration::from_secs(14));
    let after = card.counters()?;
    ensure!(after.heartbeats > before.heartbeats + 1, "{after:?}");
    ensure!(after.heartbeats_missed == before.heartbeats_missed);
    canary(0)
}

/// Alive, in the loader, booting, dead, silent: rmmod works, soon.
fn R19_unload_in_any_state(context: &mut Context) -> Result<()> {
    let unload = |what: &str| -> Result<()> {
        let begin = Instant::now();
        kernel::unload_module().context(what.to_owned())?;
        let took = begin.elapsed();
        ensure!(
            took < Duration::from_secs(5) * runner::slowness(),
            "{what}: {took:?}"
        );
        Ok(())
    };
    unload("running")?;
    kernel::load_module("")?;
    let card = Card::open(0)?;
    card.wait_state(AX650_STATE_RUNNING, BOOT)?;
    card.control(AX650_CONTROL_RESET, 0)?;
    card.wait_state(AX650_STATE_LOADER, BOOT)?;
    drop(card);
    unload("in the loader")?;
    context.host.switch(0, "boot.status_fail", 2)?;
    kernel::load_module("")?;
    Card::open(0)?.wait_state(AX650_STATE_DEAD, BOOT)?;
    unload("dead")?;
    context.host.clear(0)?;
    kernel::load_module("")?;
    Card::open(0)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
    context.host.switch(0, "silent", true)?;
    unload("silent")?;
    context.host.clear(0)?;
    kernel::load_module("")?;
    Card::open(0)?.wait_state(AX650_STATE_HANDSHAKE, BOOT)?;
    unload("in the handshake")?;
    kernel::load_module("")?;
    Card::open(0)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
    canary(0)
}

/// Does `f` while the ports to the harness are without their driver: they do not survive sleep.
pub fn without_virtio_ports<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    const DRIVER: &str = "/sys/bus/virtio/drivers/virtio_console";
    let mut devices = Vec::new();
    for entry in std::fs::read_dir(DRIVER)? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if name.starts_with("virtio") {
            devices.push(name);
        }
    }
    for name in &devices {
        kernel::write(format!("{DRIVER}/unbind"), name)?;
    }
    let result = f();
    for name in &devices {
        kernel::write(format!("{DRIVER}/bind"), name)?;
    }
    result
}

/// The card loses its state in sleep, and is booted when the system wakes up.
fn R09_suspend_and_resume(_: &mut Context) -> Result<()> {
    let Ok(levels) = kernel::read("/sys/power/pm_test") else {
        return skip("this kernel has no pm_test");
    };
    // It loses its queues, and then waits for its device for ever, with interrupts off.
    if Path::new("/sys/module/virtio_iommu").exists()
        && card::sysfs(0)?.join("iommu_group").exists()
    {
        return skip("the kernel's driver of this machine's IOMMU does not survive a sleep");
    }
    for level in ["devices", "platform"] {
        if !levels.contains(level) {
            return skip(format!("this kernel has no pm_test level {level}"));
        }
        let mut client = Client::new(0)?;
        client.works()?;
        let generation = client.session.generation;
        kernel::write("/sys/power/pm_test", level)?;
        let slept = without_virtio_ports(|| kernel::write("/sys/power/state", "freeze"));
        kernel::write("/sys/power/pm_test", "none")?;
        slept?;
        let (_, frame) = client.echo_frame(b"after the sleep");
        let refused = errno(client.submit(&[client.call_step(&frame, 0, 4096)]));
        ensure!(
            [libc::ESTALE, libc::EAGAIN].contains(&refused),
            "{level}: errno {refused}"
        );
        let card = Card::open(0)?;
        let info = card.wait_state(AX650_STATE_RUNNING, BOOT).context(level)?;
        ensure!(info.generation > generation, "{level}: not booted anew");
        canary(0).context(level)?;
    }
    Ok(())
}

/// A fatal error at the root port: the slot is reset, the card booted anew.
fn R09_error_on_the_bus(context: &mut Context) -> Result<()> {
    for (error, fatal) in [("POISON_TLP", false), ("DLP", true)] {
        let mut client = Client::new(0)?;
        client.works()?;
        let generation = client.session.generation;
        let answer = context
            .host
            .hmp(&format!("pcie_aer_inject_error rp0 {error}"))?;
        ensure!(!answer.to_lowercase().contains("error:"), "{answer}");
        if fatal {
            let card = Card::open(0)?;
            kernel::until("the next boot", BOOT, || {
                Ok(card.info()?.generation > generation)
            })?;
        } else {
            std::thread::sleep(Duration::from_secs(2));
        }
        Card::open(0)?.make_running().context(error)?;
        canary(0).context(error)?;
    }
    Ok(())
}

/// A reset of the PCI function by root, past the driver.
fn R09_function_reset(_: &mut Context) -> Result<()> {
    let dir = card::sysfs(0)?;
    let methods = kernel::read(dir.join("reset_method")).unwrap_or_default();
    if methods.is_empty() {
        return skip("the card's slot has no way of resetting it");
    }
    let mut client = Client::new(0)?;
    client.works()?;
    let generation = client.session.generation;
    kernel::write(dir.join("reset"), "1").with_context(|| methods)?;
    let card = Card::open(0)?;
    kernel::until("the next boot", BOOT, || {
        let info = card.info()?;
        Ok(info.state == AX650_STATE_RUNNING && info.generation > generation)
    })?;
    canary(0)
}

/// reboot(8) with a session open: the card is left in its loader, and comes up after it.
fn P4_reboot_of_the_guest(context: &mut Context) -> Result<()> {
    if context.phase == 0 {
        let mut client = Client::new(0)?;
        client.works()?;
        context.host.card(0, "counters", json!({"reset": true}))?;
        context.host.harness("phase", json!({"phase": 1}))?;
        // SAFETY: plain system calls.
        unsafe {
            libc::sync();
            libc::reboot(libc::RB_AUTOBOOT);
        }
        bail!("the guest does not reboot");
    }
    let counters = context.host.card(0, "counters", json!({}))?;
    let resets = counters["counters"]["reset.chip"].as_u64().unwrap_or(0);
    ensure!(
        resets > 0,
        "the chip was not reset on the way down: {counters}"
    );
    super::boot::load_and_reach(AX650_STATE_RUNNING, BOOT)?;
    canary(0)
}

/// The guest goes down without a word: the card still runs what it ran.
fn P4_crash_of_the_guest(context: &mut Context) -> Result<()> {
    if context.phase == 0 {
        let mut client = Client::new(0)?;
        client.works()?;
        context.host.harness("phase", json!({"phase": 1}))?;
        context
            .host
            .request(json!({"to": "qmp", "execute": "system_reset"}))?;
        std::thread::sleep(Duration::from_secs(30));
        bail!("the guest does not reboot");
    }
    super::boot::load_and_reach(AX650_STATE_RUNNING, BOOT)?;
    canary(0)
}
