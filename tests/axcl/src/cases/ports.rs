// SPDX-License-Identifier: MIT OR Apache-2.0

//! Ports and the control packet (5).

use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650_test_kit::case::Context;
use ax650_test_kit::kernel;
use ax650_test_kit::process::{self, End, Pipe};

use super::support::{all_gone, canary, card, counted, refused, service, within, CLEAN, MINUS_ONE};
use crate::client::{Device, Settings};
use crate::node::host::{command, HostNode, Packet};
use crate::node::message::MessageNode;

ax650_test_kit::cases!["axcl_abi":
    S5_2_pid_0_and_unknown_commands,
    S5_4_create,
    S5_4_create_again_is_the_same_group,
    S5_4_lowest_free_ports_first,
    S5_4_signals_do_not_end_a_create,
    S5_4_all_groups_of_a_card { timeout_s: 150 },
    S5_5_destroy,
    S5_5_destroy_while_the_ring_is_full { timeout_s: 90 },
    S5_5_close_destroys,
    S5_5_death_destroys { timeout_s: 90 },
    S5_6_extra_ports,
    S5_6_extra_ports_run_out { timeout_s: 90 },
    S5_7_one_record_for_each_open_file,
    S5_7_fork_and_threads,
    R35_ports_belong_to_their_process,
];

/// The packet is not written back then.
fn S5_2_pid_0_and_unknown_commands(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let wrong = |packet: Packet, what: &str| -> Result<()> {
        let mut written = packet;
        refused(host.manage(&mut written), MINUS_ONE, what)?;
        ensure!(written == packet, "{what}: written back as {written:?}");
        Ok(())
    };
    for number in [0, 3, 4, 5, 6, 9, 10, 255, 1 << 31, u32::MAX] {
        wrong(Packet::new(number, id), &format!("command {number}"))?;
    }
    for number in [command::CREATE, command::DESTROY] {
        let packet = Packet {
            pid: 0,
            ..Packet::new(number, id)
        };
        wrong(packet, &format!("command {number} with pid 0"))?;
    }
    ensure!(host.pid_count(id)? == 0);
    canary()
}

/// Four ports from 21 up, "create completed", the rest of the packet as it was.
fn S5_4_create(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    all_gone(&host, id)?;
    let mut packet = Packet {
        ports: [1, 2, 3, 4],
        count: 77,
        buffer_size: 0x12_3000,
        log_level: 5,
        ..Packet::new(command::CREATE, id)
    };
    let asked = packet;
    host.manage(&mut packet)?;
    ensure!(packet.command == command::CREATED, "{packet:?}");
    ensure!(packet.count == 4, "{packet:?}");
    ensure!(packet.device == id && packet.pid == asked.pid, "{packet:?}");
    ensure!(
        packet.buffer_size == asked.buffer_size && packet.log_level == asked.log_level,
        "{packet:?}"
    );
    ensure!(
        packet.ports[0] >= 21 && packet.ports[3] <= 127,
        "{packet:?}"
    );
    ensure!(
        packet.ports.windows(2).all(|two| two[0] < two[1]),
        "{packet:?}"
    );
    let report = service(context)?.to_string();
    ensure!(
        report.contains(&asked.pid.to_string()),
        "the card knows nothing of pid {}: {report}",
        asked.pid
    );
    host.destroy(&packet)?;
    Ok(())
}

/// No message to the card; command, count and ports as stored.
fn S5_4_create_again_is_the_same_group(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let first = host.create(id)?;
    let before = counted(context, |name| name.starts_with("port11."))?;
    for _ in 0..3 {
        let again = host.create(id)?;
        ensure!(again == first, "{again:?} after {first:?}");
    }
    let after = counted(context, |name| name.starts_with("port11."))?;
    ensure!(
        after == before,
        "the card was asked {} times",
        after - before
    );
    ensure!(host.pid_count(id)? == 1);
    host.destroy(&first)?;
    ensure!(host.pid_count(id)? == 0);
    Ok(())
}

fn S5_4_lowest_free_ports_first(_: &mut Context) -> Result<()> {
    let (one, id) = card()?;
    all_gone(&one, id)?;
    let (two, three) = (HostNode::open()?, HostNode::open()?);
    let (first, second) = (one.create(id)?, two.create(id)?);
    ensure!(first.ports[3] < second.ports[0], "{first:?}, {second:?}");
    one.destroy(&first)?;
    let third = three.create(id)?;
    ensure!(
        third.ports == first.ports,
        "{third:?} after {first:?} was free"
    );
    // A hole of two ports is not enough for a group; R38: it must not get fewer than four.
    let extra = two.extra(id, 4)?;
    three.destroy(&third)?;
    let hole = two.extra(id, 2)?;
    let fourth = one.create(id)?;
    ensure!(fourth.count == 4, "{fourth:?}");
    let mut all: Vec<u32> = [second, extra, hole, fourth]
        .iter()
        .flat_map(|packet| packet.valid_ports().to_vec())
        .collect();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    ensure!(
        all.len() == count && count == 14,
        "ports given twice: {all:?}"
    );
    Ok(())
}

/// Axera's driver does not look at signals while it waits, so programs do not expect EINTR.  Those
/// that kill are another matter (`axcl_pains/R37_*`).
fn S5_4_signals_do_not_end_a_create(context: &mut Context) -> Result<()> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static SIGNALS: AtomicU32 = AtomicU32::new(0);
    extern "C" fn count(_: i32) {
        SIGNALS.fetch_add(1, Ordering::Relaxed);
    }
    let (host, id) = card()?;
    context.host.switch(0, "port11.late_ms", 700)?;
    let child = process::fork(|| {
        let file = HostNode::open()?;
        let tick = libc::timeval {
            tv_sec: 0,
            tv_usec: 30_000,
        };
        let timer = libc::itimerval {
            it_interval: tick,
            it_value: tick,
        };
        // SAFETY: the structures are valid; the handler does nothing that a handler may not.
        let rc = unsafe {
            // No SA_RESTART.
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = count as *const () as usize;
            libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut())
                | libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut())
        };
        ensure!(rc == 0, "{}", std::io::Error::last_os_error());
        let before = SIGNALS.load(Ordering::Relaxed);
        let packet = file.create(id).context("create")?;
        let signals = SIGNALS.load(Ordering::Relaxed) - before;
        ensure!(packet.command == 3 && packet.count == 4, "{packet:?}");
        ensure!(signals > 0, "no signal came");
        Ok(())
    })?;
    let end = child.wait(Duration::from_secs(20) * kernel::slowness())?;
    ensure!(end == End::Exit(0), "{end:?}, see the console");
    context.host.clear(0)?;
    all_gone(&host, id)?;
    canary()
}

/// R38: the end is an error, not a short group.
fn S5_4_all_groups_of_a_card(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    all_gone(&host, id)?;
    let mut files = Vec::new();
    let mut ports = Vec::new();
    loop {
        let file = HostNode::open()?;
        match file.create(id) {
            Ok(packet) => {
                ensure!(packet.count == 4, "{packet:?}");
                ports.extend(packet.ports);
                files.push(file);
            }
            Err(e) => {
                let errno = e.raw_os_error().unwrap_or(0);
                let clean = [libc::ENOSPC, libc::EPERM, libc::EBUSY];
                ensure!(clean.contains(&errno), "{e}");
                break;
            }
        }
        ensure!(files.len() <= 26, "more groups than ports");
    }
    eprintln!("{} groups", files.len());
    // The driver keeps some for itself.
    ensure!(files.len() >= 20, "{} groups only", files.len());
    ports.sort_unstable();
    ensure!(ports.windows(2).all(|two| two[0] < two[1]), "{ports:?}");
    // Those that have theirs go on.
    let again = files[0].create(id)?;
    ensure!(again.count == 4);
    drop(files);
    all_gone(&host, id)?;
    canary()
}

fn S5_5_destroy(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    refused(
        host.destroy(&Packet::new(2, id)),
        MINUS_ONE,
        "destroy of no group",
    )?;
    let packet = host.create(id)?;
    let other = HostNode::open()?;
    refused(
        other.destroy(&packet),
        MINUS_ONE,
        "destroy of another file's group",
    )?;
    host.destroy(&packet)?;
    refused(host.destroy(&packet), MINUS_ONE, "a second destroy")?;
    // The same file may begin anew.
    let anew = host.create(id)?;
    ensure!(anew.ports == packet.ports, "{anew:?} after {packet:?}");
    host.destroy(&anew)?;
    Ok(())
}

/// The card does not read, and programs have filled the ring: for the end of a group room is kept.
fn S5_5_destroy_while_the_ring_is_full(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let packet = host.create(id)?;
    let port = host.extra(id, 1)?.ports[0];
    let file = MessageNode::connected(id, port).context("an extra port")?;
    context.host.switch(0, "ring.stuck", true)?;
    // Until there is no room for the smallest message of a program.
    for size in [100_000, 3000, 8] {
        let message = vec![0x77; size];
        let mut written = 0;
        while file.node.write(&message).is_ok() {
            written += 1;
            ensure!(written < 1000, "a ring without end");
        }
    }
    let begin = Instant::now();
    host.destroy(&packet).context("destroy")?;
    within(begin, Duration::from_secs(2), "destroy")?;
    ensure!(host.pid_count(id)? == 0, "the group is still there");
    context.host.clear(0)?;
    super::support::recovers("a full ring")
}

/// The card hears of it.
fn S5_5_close_destroys(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    all_gone(&host, id)?;
    let file = HostNode::open()?;
    let packet = file.create(id)?;
    let extra = file.extra(id, 3)?;
    let pid = std::process::id().to_string();
    ensure!(service(context)?.to_string().contains(&pid));
    drop(file);
    all_gone(&host, id)?;
    kernel::until(
        "the card to end its session",
        Duration::from_secs(10),
        || Ok(!service(context)?.to_string().contains(&pid)),
    )?;
    let next = HostNode::open()?;
    ensure!(
        next.create(id)?.ports == packet.ports,
        "ports were not freed"
    );
    ensure!(
        next.extra(id, 3)?.ports[..3] == extra.ports[..3],
        "extra ports were not freed"
    );
    Ok(())
}

/// In bounded time, wherever the process was.
fn S5_5_death_destroys(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    for round in 0..6_u64 {
        let mut ready = Pipe::new()?;
        let child = process::fork(|| {
            let device = Device::open()?;
            ready.send()?;
            loop {
                device.scope().works()?;
            }
        })?;
        ready.wait(Duration::from_secs(20))?;
        std::thread::sleep(Duration::from_millis(13 * round));
        child.kill(Duration::from_secs(10))?;
        all_gone(&host, id)?;
        canary().with_context(|| format!("round {round}"))?;
    }
    Ok(())
}

/// Commands 7 and 8; the card hears of neither.
fn S5_6_extra_ports(context: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    refused(host.extra(id, 1), MINUS_ONE, "extra ports without a group")?;
    let group = host.create(id)?;
    let before = counted(context, |name| name.starts_with("port11."))?;
    for count in [0, 5, 6, 128, 1 << 31, u32::MAX] {
        refused(
            host.extra(id, count),
            &[libc::EINVAL],
            &format!("{count} ports"),
        )?;
        let recycle = Packet {
            count,
            ..Packet::new(command::RECYCLE, id)
        };
        refused(
            host.recycle(&recycle),
            &[libc::EINVAL],
            &format!("recycle {count}"),
        )?;
    }
    for count in 1..=4 {
        let extra = host.extra(id, count)?;
        ensure!(extra.count == count, "{extra:?}");
        let ports = extra.valid_ports();
        ensure!(
            ports
                .iter()
                .all(|port| (21..128).contains(port) && !group.ports.contains(port)),
            "{extra:?}, the group is {group:?}"
        );
        ensure!(ports.windows(2).all(|two| two[0] < two[1]), "{extra:?}");
        // They can be opened.
        let file = MessageNode::connected(id, ports[0]).context("an extra port")?;
        drop(file);
        // Only as they were given.
        let other = HostNode::open()?;
        refused(other.recycle(&extra), MINUS_ONE, "by another file")?;
        let fewer = Packet {
            count: count % 4 + 1,
            ..extra
        };
        refused(host.recycle(&fewer), MINUS_ONE, "another count")?;
        if count > 1 {
            let mut swapped = extra;
            swapped.ports.swap(0, 1);
            refused(host.recycle(&swapped), MINUS_ONE, "another order")?;
        }
        let group = Packet { count, ..group };
        refused(host.recycle(&group), MINUS_ONE, "the group itself")?;
        host.recycle(&extra)?;
        refused(host.recycle(&extra), MINUS_ONE, "twice")?;
    }
    let after = counted(context, |name| name.starts_with("port11."))?;
    ensure!(
        after == before,
        "the card was told {} times",
        after - before
    );
    host.destroy(&group)?;
    canary()
}

/// Exactly as many as were asked for, or an error (R38).
fn S5_6_extra_ports_run_out(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    all_gone(&host, id)?;
    let group = host.create(id)?;
    let mut groups = Vec::new();
    let error = loop {
        match host.extra(id, 3) {
            Ok(extra) => {
                ensure!(extra.count == 3, "{extra:?}");
                groups.push(extra);
            }
            Err(e) => break e,
        }
        ensure!(groups.len() < 40, "more ports than there are");
    };
    let clean = [libc::ENOSPC, libc::EPERM, libc::EBUSY];
    ensure!(
        clean.contains(&error.raw_os_error().unwrap_or(0)),
        "{error}"
    );
    let mut ports: Vec<u32> = groups
        .iter()
        .flat_map(|g| g.valid_ports().to_vec())
        .collect();
    ports.extend(group.ports);
    let count = ports.len();
    ports.sort_unstable();
    ports.dedup();
    ensure!(ports.len() == count, "a port was given twice");
    // Fragmented: free every second group, and ask for more than a hole has.
    for extra in groups.iter().step_by(2) {
        host.recycle(extra)?;
    }
    let wide = host.extra(id, 4)?;
    ensure!(wide.count == 4, "{wide:?}");
    drop(host);
    let host = HostNode::open()?;
    all_gone(&host, id)?;
    ensure!(
        host.create(id)?.ports == group.ports,
        "ports were not freed"
    );
    Ok(())
}

/// R39: two files of one thread are two records.
fn S5_7_one_record_for_each_open_file(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    all_gone(&host, id)?;
    let (one, two) = (HostNode::open()?, HostNode::open()?);
    let (first, second) = (one.create(id)?, two.create(id)?);
    ensure!(first.ports != second.ports, "{first:?}");
    drop(one);
    kernel::until("the first file's ports", Duration::from_secs(5), || {
        Ok(host.pid_count(id)? == 1)
    })?;
    ensure!(
        two.create(id)? == second,
        "the second file's group has gone"
    );
    two.wake()?;
    ensure!(two.node.poll(libc::POLLIN, Duration::ZERO)? & libc::POLLIN != 0);
    drop(two);
    all_gone(&host, id)?;
    for _ in 0..50 {
        let files = [HostNode::open()?, HostNode::open()?, HostNode::open()?];
        drop(files);
    }
    canary()
}

/// The record is the open file's, whichever process or thread uses or closes it.
fn S5_7_fork_and_threads(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    all_gone(&host, id)?;
    let file = HostNode::open()?;
    let packet = file.create(id)?;
    // A child that uses it and ends takes nothing along; the id in the packet is the caller's own.
    let same = || -> Result<()> {
        let again = file.create(id)?;
        ensure!(again.ports == packet.ports, "{again:?} after {packet:?}");
        Ok(())
    };
    let child = process::fork(same)?;
    ensure!(child.wait(Duration::from_secs(10))? == End::Exit(0));
    same()?;
    ensure!(host.pid_count(id)? == 1);
    // A child that has it longer than its parent.
    let (mut go, mut done) = (Pipe::new()?, Pipe::new()?);
    let child = process::fork(|| {
        go.wait(Duration::from_secs(20))?;
        let again = file.create(id)?;
        ensure!(again.ports == packet.ports, "{again:?} after {packet:?}");
        done.send()
    })?;
    drop(file);
    std::thread::sleep(Duration::from_millis(200));
    ensure!(
        host.pid_count(id)? == 1,
        "it ended with the first of two closes"
    );
    go.send()?;
    done.wait(Duration::from_secs(10))?;
    ensure!(child.wait(Duration::from_secs(10))? == End::Exit(0));
    all_gone(&host, id)?;
    // Opened by one thread, used by a second, closed by a third.
    let file = std::thread::spawn(HostNode::open);
    let file = file.join().map_err(|_| anyhow::anyhow!("panic"))??;
    let file = std::thread::spawn(move || file.create(id).map(|_| file));
    let file = file.join().map_err(|_| anyhow::anyhow!("panic"))??;
    let closed = std::thread::spawn(move || drop(file));
    closed.join().map_err(|_| anyhow::anyhow!("panic"))?;
    all_gone(&host, id)
}

/// Neither another process's ports nor the driver's own can be opened.
fn R35_ports_belong_to_their_process(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let device = Device::connect(HostNode::open()?, id, Settings::default())?;
    let ports = device.packet.ports;
    drop(device);
    all_gone(&host, id)?;
    let (mut ready, mut go) = (Pipe::new()?, Pipe::new()?);
    let mut child = process::fork(|| {
        let device = Device::open()?;
        ensure!(device.packet.ports == ports, "{:?}", device.packet);
        ready.send()?;
        go.wait(Duration::from_secs(30))?;
        device.scope().works()
    })?;
    ready.wait(Duration::from_secs(30))?;
    let denied: Vec<i32> = CLEAN
        .iter()
        .copied()
        .chain([libc::EACCES, libc::EBUSY])
        .collect();
    for port in ports.into_iter().chain([10, 11]) {
        let begin = Instant::now();
        let file = MessageNode::open()?;
        refused(
            file.connect(id as i32, port as i32),
            &denied,
            &format!("port {port}"),
        )?;
        within(begin, Duration::from_secs(1), "refusing a port")?;
        ensure!(
            file.send(b"\0").is_err(),
            "sent through a port that was refused"
        );
    }
    ensure!(child.poll()?.is_none(), "the other process has died");
    go.send()?;
    ensure!(
        child.wait(Duration::from_secs(30))? == End::Exit(0),
        "see the console"
    );
    all_gone(&host, id)
}
