// SPDX-License-Identifier: MIT OR Apache-2.0

//! `/dev/axcl_host` but for its ports: every request of the table in 8.1, and what each returns.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650_test_kit::case::Context;
use ax650_test_kit::guarded::Guarded;
use ax650_test_kit::kernel;
use ax650_test_kit::process::{self, End, Pipe};

use super::support::{
    all_gone, canary, card, ready, recovers, refused, wait_alive, within, BOOT, CLEAN, MINUS_ONE,
};
use crate::node::host::{
    HostNode, Packet, ABSENT, ALIVE, BUS_INFO, DEVICES, HEARTBEAT, PACKET, PID_COUNT, PID_LIST,
    PORT_MANAGE, REBOOT, RESET, STATUS, WAKE,
};
use crate::node::{get32, path, put32, NODES};

ax650_test_kit::cases!["axcl_abi":
    S8_nodes_are_restricted,
    S8_1_unknown_codes_return_0,
    S8_1_read_and_write_return_0,
    S8_1_bad_pointers,
    S8_1_structures_at_the_end_of_a_page,
    S8_1_status_of_all_ids,
    S8_1_list_of_cards,
    S8_1_wake_is_one_event_for_one_poll,
    S8_1_wake_ends_a_wait,
    S8_1_bus_info,
    S8_1_pid_count_and_list,
    S8_1_numbers_that_are_no_card { timeout_s: 120 },
    S8_1_reset_and_reboot { timeout_s: 150 },
    R17_only_root_resets_by_axcl_host,
];

const POLL: i16 = libc::POLLIN | libc::POLLRDNORM;
const NO_TIME: Duration = Duration::ZERO;

/// R51: nobody but root and a group gets in; Axera's nodes are open to all.
fn S8_nodes_are_restricted(_: &mut Context) -> Result<()> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    ready()?;
    for name in NODES {
        let node = std::fs::metadata(path(name)).with_context(|| path(name))?;
        ensure!(node.file_type().is_char_device(), "{name} is no device");
        ensure!(node.mode() & 0o777 == 0o660, "{name}: {:o}", node.mode());
    }
    let child = process::fork(|| {
        process::become_user(1234)?;
        for name in NODES {
            let refusal = crate::node::Node::open(name);
            refused(refusal, &[libc::EACCES], name)?;
        }
        Ok(())
    })?;
    ensure!(child.wait(Duration::from_secs(20))? == End::Exit(0));
    Ok(())
}

/// Dispatch is on the whole code; all others return 0 and do nothing.
fn S8_1_unknown_codes_return_0(_: &mut Context) -> Result<()> {
    let host = ready()?;
    let known = [
        PORT_MANAGE,
        STATUS,
        HEARTBEAT,
        DEVICES,
        WAKE,
        RESET,
        REBOOT,
        BUS_INFO,
        PID_COUNT,
        PID_LIST,
    ];
    let mut codes: Vec<u32> = (0..=255).map(|nr| 0xC028_4100 | nr).collect();
    // One part of a known code is different: direction, size, type.
    codes.extend(known.map(|code| code ^ 0x4000_0000));
    codes.extend(known.map(|code| code ^ 0x8000_0000));
    codes.extend(known.map(|code| code ^ 0x0001_0000));
    codes.extend(known.map(|code| code ^ 0x0000_0c00));
    for code in codes.into_iter().filter(|code| !known.contains(code)) {
        let mut argument = [0x5a; 4096];
        let result = host.node.bytes(code, &mut argument);
        ensure!(matches!(result, Ok(0)), "{code:#x}: {result:?}, not 0");
        ensure!(argument == [0x5a; 4096], "{code:#x} has written");
    }
    // Not even the card side's heartbeat does anything here.
    let before = host.status()?;
    ensure!(host.node.bytes(HEARTBEAT, &mut [0xff; 16])? == 0);
    ensure!(host.status()? == before);
    canary()
}

fn S8_1_read_and_write_return_0(_: &mut Context) -> Result<()> {
    let host = ready()?;
    ensure!(host.node.read(&mut [0; 64])? == 0);
    ensure!(host.node.write(&[1; 64])? == 0);
    Ok(())
}

/// Addresses where there is nothing.
fn S8_1_bad_pointers(_: &mut Context) -> Result<()> {
    let host = ready()?;
    // Nothing, a page that is never mapped, an address of the kernel's half, one that wraps.
    for address in [0_usize, 0x1000, 0xffff_8000_0000_0000, usize::MAX - 7] {
        for code in [PORT_MANAGE, STATUS, DEVICES, PID_COUNT, PID_LIST] {
            // SAFETY: nothing is mapped there.
            let result = unsafe { host.node.request(code, address as *mut u8) };
            refused(result, MINUS_ONE, &format!("{code:#x} at {address:#x}"))?;
        }
        for code in [RESET, REBOOT, BUS_INFO] {
            // SAFETY: as above.
            let result = unsafe { host.node.request(code, address as *mut u8) };
            let clean = [libc::EPERM, libc::EFAULT];
            refused(result, &clean, &format!("{code:#x} at {address:#x}"))?;
        }
        for code in [HEARTBEAT, WAKE] {
            // SAFETY: as above; neither reads its argument.
            let result = unsafe { host.node.request(code, address as *mut u8) };
            ensure!(
                matches!(result, Ok(0)),
                "{code:#x} at {address:#x}: {result:?}"
            );
        }
    }
    canary()
}

/// Nothing behind a structure is touched.
fn S8_1_structures_at_the_end_of_a_page(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    for (code, size) in [
        (PORT_MANAGE, PACKET),
        (STATUS, 1024),
        (HEARTBEAT, 16),
        (DEVICES, 1032),
        (WAKE, PACKET),
        (BUS_INFO, 16),
        (PID_COUNT, 8),
        (PID_LIST, 16),
    ] {
        let mut page = Guarded::new()?;
        let mut argument = vec![0; size];
        match code {
            // A command that is refused.
            PORT_MANAGE => argument = Packet::new(99, id).to_bytes().to_vec(),
            _ => put32(&mut argument, 0, id),
        }
        page.put_at_end(&argument);
        // SAFETY: the page is this case's; the structure names no other memory.
        let result = unsafe { host.node.request(code, page.end_minus(size)) };
        match code {
            PORT_MANAGE => refused(result, MINUS_ONE, "command 99")?,
            _ => ensure!(matches!(result, Ok(0)), "{code:#x}: {result:?}"),
        }
        ensure!(
            page.before(size).iter().all(|&byte| byte == Guarded::FILL),
            "{code:#x} has written before its structure"
        );
        page.touch();
        // One byte less is too little.
        let mut short = Guarded::new()?;
        let less = short.end_minus(size - 1);
        // SAFETY: as above.
        let result = unsafe { host.node.request(code, less) };
        if !matches!(code, HEARTBEAT | WAKE) {
            ensure!(result.is_err(), "{code:#x} with a byte too few: {result:?}");
        }
        short.touch();
    }
    Ok(())
}

/// 0 dead, 1 alive, all ones for what is no card.
fn S8_1_status_of_all_ids(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let status = host.status()?;
    for (at, value) in status.iter().enumerate() {
        let wanted = if at as u32 == id { ALIVE } else { ABSENT };
        ensure!(*value == wanted, "id {at}: {value:#x}, not {wanted:#x}");
    }
    Ok(())
}

/// R40: type, count, ids, and zeros.
fn S8_1_list_of_cards(_: &mut Context) -> Result<()> {
    let (host, _) = card()?;
    for fill in [0, 0xff] {
        let mut bytes = [fill; 1032];
        put32(&mut bytes, 0, 0);
        ensure!(host.node.bytes(DEVICES, &mut bytes)? == 0);
        ensure!(get32(&bytes, 0) == 0, "type {}", get32(&bytes, 0));
        ensure!(get32(&bytes, 4) == 1, "{} cards", get32(&bytes, 4));
        let bus = u32::from_str_radix(&slot()?[5..7], 16)?;
        ensure!(
            get32(&bytes, 8) == bus,
            "id {} on bus {bus}",
            get32(&bytes, 8)
        );
        ensure!(
            bytes[12..].iter().all(|&byte| byte == 0),
            "entries behind the last are not zero"
        );
    }
    Ok(())
}

/// PCI address of the card in the first slot: domain, bus, device.
fn slot() -> Result<String> {
    kernel::read("/sys/bus/pci/slots/1/address")
}

/// The event counts up with each request, down with each poll, and is the file's own.
fn S8_1_wake_is_one_event_for_one_poll(_: &mut Context) -> Result<()> {
    let (host, other) = (ready()?, HostNode::open()?);
    ensure!(host.node.poll(POLL, NO_TIME)? == 0);
    for wakes in [1, 2, 5] {
        for _ in 0..wakes {
            host.wake()?;
        }
        for at in 0..wakes {
            let events = host.node.poll(POLL, NO_TIME)?;
            ensure!(events == POLL, "event {at} of {wakes}: {events:#x}");
        }
        let events = host.node.poll(POLL, NO_TIME)?;
        ensure!(events == 0, "one more than {wakes}: {events:#x}");
        ensure!(other.node.poll(POLL, NO_TIME)? == 0, "another file's event");
    }
    Ok(())
}

/// What Axera's library does at its end: a thread of its own waits, another wakes it.
fn S8_1_wake_ends_a_wait(_: &mut Context) -> Result<()> {
    let host = ready()?;
    let waiting = HostNode {
        node: host.node.duplicate()?,
    };
    for _ in 0..5 {
        let events = std::thread::scope(|scope| -> Result<i16> {
            let waiter = scope.spawn(|| waiting.node.poll(POLL, Duration::from_secs(20)));
            std::thread::sleep(Duration::from_millis(100));
            // Nobody is held up by a waiter: Axera's poll holds a global lock.
            host.status()?;
            let begin = Instant::now();
            host.wake()?;
            let events = waiter.join().map_err(|_| anyhow::anyhow!("panic"))??;
            within(begin, Duration::from_secs(1), "waking")?;
            Ok(events)
        })?;
        ensure!(events == POLL, "{events:#x}");
    }
    // Several waiters of one file: each event ends at least one wait, and none is left over.
    host.wake()?;
    ensure!(host.node.poll(POLL, Duration::from_secs(5))? == POLL);
    ensure!(host.node.poll(POLL, NO_TIME)? == 0);
    Ok(())
}

/// As sysfs has it; unknown ids return 0 and change nothing.
fn S8_1_bus_info(_: &mut Context) -> Result<()> {
    const BEFORE: u32 = 0x1234_5678;
    let (host, id) = card()?;
    let info = host.bus_info(id, BEFORE)?;
    let device = u32::from_str_radix(&slot()?[8..10], 16)?;
    ensure!(
        info.slot == device && info.function == 0 && info.domain == 0,
        "{info:?} for {}",
        slot()?
    );
    for other in (0..=512)
        .filter(|&other| other != id)
        .chain([1 << 28, 1 << 31, u32::MAX])
    {
        let info = host.bus_info(other, BEFORE)?;
        ensure!(
            info.domain == BEFORE && info.slot == BEFORE && info.function == BEFORE,
            "id {other}: {info:x?}"
        );
    }
    Ok(())
}

/// Who has ports of the card.
fn S8_1_pid_count_and_list(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    all_gone(&host, id)?;
    let packet = host.create(id)?;
    let own = std::process::id() as i32;
    ensure!(host.pid_count(id)? == 1);
    let mut list = [-1; 4];
    host.pid_list(id, &mut list)?;
    ensure!(list == [own, 0, 0, 0], "{list:?}, this is {own}");
    // A second process.
    let (mut ready, mut go) = (Pipe::new()?, Pipe::new()?);
    let child = process::fork(|| {
        let host = HostNode::open()?;
        host.create(id)?;
        ready.send()?;
        go.wait(Duration::from_secs(30))
    })?;
    ready.wait(Duration::from_secs(30))?;
    ensure!(host.pid_count(id)? == 2);
    host.pid_list(id, &mut list)?;
    ensure!(
        list.contains(&own) && list[0] != list[1] && list[0] > 0 && list[1] > 0,
        "{list:?}"
    );
    ensure!(list[2..] == [0, 0], "{list:?}");
    // No room, little room.
    host.pid_list(id, &mut [])?;
    let mut one = [-1; 2];
    host.pid_list(id, &mut one[..1])?;
    ensure!(one[0] > 0 && one[1] == -1, "{one:?}");
    // The list at the end of a page.
    let page = Guarded::new()?;
    // SAFETY: the page is this case's.
    unsafe { host.pid_list_raw(id, 3, page.end_minus(12) as u64)? };
    ensure!(page.before(12).iter().all(|&byte| byte == Guarded::FILL));
    ensure!(get32(page.tail(12), 8) == 0);
    // SAFETY: nothing is mapped at 0; the other one is behind a page's end.
    unsafe {
        refused(host.pid_list_raw(id, 1, 0), MINUS_ONE, "no list")?;
        let behind = page.end_minus(0) as u64;
        refused(host.pid_list_raw(id, 1, behind), MINUS_ONE, "a bad list")?;
        host.pid_list_raw(id, 0, 0)?;
    }
    // R41: a capacity that no machine has memory for is refused, or served in bounded memory.
    for capacity in [1 << 20, 1 << 31, u32::MAX] {
        let begin = Instant::now();
        // SAFETY: the page is this case's, and there is none behind it.
        let result = unsafe { host.pid_list_raw(id, capacity, page.end_minus(4096) as u64) };
        eprintln!("capacity {capacity:#x}: {result:?}");
        within(begin, Duration::from_secs(2), "a large capacity")?;
    }
    go.send()?;
    ensure!(child.wait(Duration::from_secs(20))? == End::Exit(0));
    kernel::until("the child's ports", Duration::from_secs(10), || {
        Ok(host.pid_count(id)? == 1)
    })?;
    host.destroy(&packet)?;
    ensure!(host.pid_count(id)? == 0);
    host.pid_list(id, &mut list)?;
    ensure!(list == [0; 4], "{list:?}");
    Ok(())
}

/// R03, R04: ids of all sizes, in each request that takes one.
fn S8_1_numbers_that_are_no_card(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let ids = [
        0,
        2,
        99,
        254,
        255,
        256,
        257,
        (1 << 16) | id,
        1 << 28,
        0x2000_0000,
        0x7fff_ffff,
        1 << 31,
        u32::MAX - 1,
        u32::MAX,
    ];
    for other in ids.into_iter().filter(|&other| other != id) {
        let begin = Instant::now();
        refused(host.create(other), CLEAN, &format!("create {other:#x}"))?;
        let mut packet = Packet {
            count: 4,
            ports: [21, 22, 23, 24],
            ..Packet::new(2, other)
        };
        refused(
            host.manage(&mut packet),
            CLEAN,
            &format!("destroy {other:#x}"),
        )?;
        refused(host.extra(other, 1), CLEAN, &format!("extra {other:#x}"))?;
        let extra = Packet {
            count: 1,
            ..Packet::new(8, other)
        };
        refused(host.recycle(&extra), CLEAN, &format!("recycle {other:#x}"))?;
        refused(host.reset(other), CLEAN, &format!("reset {other:#x}"))?;
        refused(host.reboot(other), CLEAN, &format!("reboot {other:#x}"))?;
        // These report nothing about nobody.
        if let Ok(count) = host.pid_count(other) {
            ensure!(count == 0, "{count} processes on {other:#x}");
        }
        let mut list = [7; 2];
        if host.pid_list(other, &mut list).is_ok() {
            ensure!(list == [0, 0], "{list:?} on {other:#x}");
        }
        within(
            begin,
            Duration::from_secs(2),
            &format!("requests for {other:#x}"),
        )?;
    }
    ensure!(host.status()?[id as usize] == ALIVE);
    canary()
}

/// Nr 6 kills, nr 7 brings back; other requests work meanwhile.
fn S8_1_reset_and_reboot(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let watcher = HostNode::open()?;
    watcher.create(id)?;
    host.create(id)?;
    host.reset(id)?;
    // The caller's own group has gone, and the card with it; the firmware is not loaded again.
    ensure!(host.status()?[id as usize] != ALIVE, "alive after a reset");
    ensure!(host.devices()? == [id]);
    kernel::until("the death to be reported", Duration::from_secs(10), || {
        Ok(watcher.node.poll(POLL, NO_TIME)? & libc::POLLIN != 0)
    })?;
    kernel::until("the groups to be dropped", Duration::from_secs(10), || {
        Ok(host.pid_count(id)? == 0)
    })?;
    ensure!(host.create(id).is_err(), "ports of a card that was reset");
    let before = Instant::now();
    host.reboot(id).context("reboot")?;
    ensure!(before.elapsed() < BOOT, "{:?}", before.elapsed());
    wait_alive(&host)?;
    recovers("reboot")?;
    // A running card, too.
    host.reboot(id).context("second reboot")?;
    wait_alive(&host)?;
    recovers("second reboot")
}

/// Axera's driver lets anybody do this.
fn R17_only_root_resets_by_axcl_host(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    let child = process::fork(|| {
        // The group of the nodes, as there is no udev here to give them another.
        let host = HostNode::open()?;
        process::become_user(0)?;
        for file in [host, HostNode::open().context("as a member of the group")?] {
            let denied = [libc::EPERM, libc::EACCES];
            refused(file.reset(id), &denied, "reset")?;
            refused(file.reboot(id), &denied, "reboot")?;
        }
        let message = crate::node::message::MessageNode::open()?;
        let mut argument = crate::node::message::Argument::new(id as i32, 0);
        // The message node's reset promises 0; what counts is that nothing happens.
        let result = message.request(crate::node::message::RESET, &mut argument);
        eprintln!("reset by the message node as a user: {result:?}");
        // All the rest is allowed.
        canary()
    })?;
    ensure!(
        child.wait(Duration::from_secs(60))? == End::Exit(0),
        "see the console"
    );
    ensure!(host.status()?[id as usize] == ALIVE);
    canary()
}
