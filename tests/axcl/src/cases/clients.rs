// SPDX-License-Identifier: MIT OR Apache-2.0

//! Programs beside each other, and two cards: what belongs to whom, and who is told of what.

use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use anyhow::{ensure, Context as _, Result};
use ax650_test_kit::case::{Context, Machine, Start, TWO_CARDS, USUAL};
use ax650_test_kit::kernel;
use ax650_test_kit::process::{self, End, Pipe};

use super::support::{
    all_gone, canary, card, driver_counter, load, refused, wait_alive, BOOT, CLEAN, MINUS_ONE,
};
use crate::client::{next, pattern, send, Device, Settings};
use crate::node::buffer::{BufferNode, Piece};
use crate::node::host::{HostNode, ALIVE, DEAD};
use crate::node::{path, NODES};
use crate::rpc::system;
use crate::wire::transport::Message;

ax650_test_kit::cases!["axcl_abi":
    K1_nodes_are_off_unless_switched_on { start: Start::Unloaded },
    K1_without_an_iommu_programs_need_rawio { start: Start::Unloaded, timeout_s: 120, machines: &[NO_IOMMU] },
    K1_members_need_no_privilege_behind_an_iommu,
    R02_two_cards_that_call_themselves_the_same { machines: &[TWO_CARDS] },
    R16_a_reboot_is_told_to_all { timeout_s: 150 },
    R39_death_gives_back,
    R48_memory_of_others_is_refused,
    P1_killed_in_a_transfer { timeout_s: 150 },
];

const PATIENCE: Duration = Duration::from_secs(20);
const NO_TIME: Duration = Duration::ZERO;

/// A card that reaches all memory.
const NO_IOMMU: Machine = Machine {
    iommu: "off",
    ..USUAL
};

/// A user who is in the group of the nodes, and nothing else.
const MEMBER: u32 = 1234;

fn K1_nodes_are_off_unless_switched_on(_: &mut Context) -> Result<()> {
    const PARAMETER: &str = "/sys/module/ax650/parameters/axcl_abi";
    const SAID: &str = "nodes for AXCL programs are on";
    let mark = kernel::mark()?;
    kernel::load_module("")?;
    kernel::until("a card", BOOT, || {
        Ok(std::path::Path::new("/dev/ax650-0").exists())
    })?;
    for name in NODES {
        ensure!(
            !std::path::Path::new(&path(name)).exists(),
            "{name} is there"
        );
    }
    ensure!(kernel::read(PARAMETER)? == "N");
    ensure!(!mark.saw(SAID)?, "the log says that they are on");
    kernel::unload_module()?;
    load()?;
    ensure!(mark.saw(SAID)?, "the log does not say that they are on");
    for name in NODES {
        let node = std::fs::metadata(path(name)).with_context(|| format!("no node {name}"))?;
        ensure!(node.file_type().is_char_device(), "{name}");
    }
    ensure!(kernel::read(PARAMETER)? == "Y");
    Ok(())
}

/// Lets everybody open the nodes, as far as their mode goes.
fn open_to_all() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    for name in NODES {
        std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(0o666))?;
    }
    Ok(())
}

fn as_member(f: impl FnOnce() -> Result<()>) -> Result<()> {
    let child = process::fork(|| {
        process::become_user(MEMBER)?;
        f()
    })?;
    ensure!(child.wait(BOOT)? == End::Exit(0), "see the console");
    Ok(())
}

/// Where the card reaches all memory its programs own the machine.
fn K1_without_an_iommu_programs_need_rawio(_: &mut Context) -> Result<()> {
    load()?;
    wait_alive(&HostNode::open()?)?;
    open_to_all()?;
    as_member(|| {
        for name in NODES {
            refused(crate::node::Node::open(name), &[libc::EPERM], name)?;
        }
        Ok(())
    })?;
    // Root has CAP_SYS_RAWIO.
    canary()?;
    kernel::unload_module()?;
    kernel::load_module("axcl_abi=1 axcl_unsafe_without_iommu=1")?;
    let ready = || Ok(std::path::Path::new(&path("axcl_host")).exists());
    kernel::until("the nodes", BOOT, ready)?;
    wait_alive(&HostNode::open()?)?;
    open_to_all()?;
    as_member(canary)?;
    Ok(kernel::unload_module()?)
}

fn K1_members_need_no_privilege_behind_an_iommu(_: &mut Context) -> Result<()> {
    card()?;
    open_to_all()?;
    as_member(canary)
}

/// Two cards that call themselves by the same number, which is that of neither [pcie 1.7].
fn R02_two_cards_that_call_themselves_the_same(context: &mut Context) -> Result<()> {
    let (host, _) = card()?;
    for card in [0, 1] {
        context.host.switch(card, "card_id", 77)?;
        context.host.switch(card, "heartbeat.v2", true)?;
    }
    kernel::until("both cards", BOOT, || {
        let (ids, status) = (host.devices()?, host.status()?);
        Ok(ids.len() == 2 && ids.iter().all(|&id| status[id as usize] == ALIVE))
    })?;
    let ids = host.devices()?;
    ensure!(!ids.contains(&77), "{ids:?}");
    let connect = |id| Device::connect(HostNode::open()?, id, Settings::default());
    let devices = [connect(ids[0])?, connect(ids[1])?];
    for round in 0..10 {
        for device in &devices {
            device.scope().echo(&pattern(300, round))?;
        }
    }
    // One file with ports on both cards.
    let packets = [host.create(ids[0])?, host.create(ids[1])?];
    ensure!(host.pid_count(ids[0])? == 2 && host.pid_count(ids[1])? == 2);
    host.destroy(&packets[0])?;
    ensure!(host.pid_count(ids[0])? == 1 && host.pid_count(ids[1])? == 2);
    drop(host);
    let host = HostNode::open()?;
    kernel::until("the ports of a closed file", PATIENCE, || {
        Ok(host.pid_count(ids[1])? == 1)
    })
}

/// One program reboots the card: ports of all are stale, and each file is told once.
fn R16_a_reboot_is_told_to_all(_: &mut Context) -> Result<()> {
    let (bystander, id) = card()?;
    let device = Device::open()?;
    device.scope().works()?;
    bystander.reboot(id)?;
    wait_alive(&bystander)?;
    for host in [&device.host, &bystander] {
        ensure!(host.node.poll(libc::POLLIN, NO_TIME)? & libc::POLLIN != 0);
        ensure!(host.node.poll(libc::POLLIN, NO_TIME)? == 0, "told twice");
    }
    for port in device.ports() {
        ensure!(port.node.poll(libc::POLLIN, NO_TIME)? & libc::POLLHUP != 0);
        refused(port.send(b"late"), &[libc::ESTALE], "a stale port")?;
    }
    ensure!(bystander.pid_count(id)? == 0);
    // Who opens the card again has other ports than the one that did not notice.
    let again = Device::open()?;
    refused(
        device.ports()[0].send(b"late"),
        &[libc::ESTALE],
        "a stale port",
    )?;
    again.scope().works()?;
    drop(device);
    drop(again);
    // Reset only: the card is down, and there are no ports to be had.
    bystander.reset(id)?;
    ensure!(bystander.status()?[id as usize] == DEAD && bystander.devices()? == [id]);
    refused(bystander.create(id), CLEAN, "ports of a card that is down")?;
    bystander.reboot(id)?;
    wait_alive(&bystander)?;
    canary()
}

/// Ports go with a process that ends, in whatever order its files are closed; what a child has inherited stays its
/// parent's.
fn R39_death_gives_back(_: &mut Context) -> Result<()> {
    let (host, id) = card()?;
    all_gone(&host, id)?;
    for round in 0..30 {
        let child = process::fork(|| {
            std::mem::forget(Device::open()?);
            Ok(())
        })?;
        ensure!(child.wait(PATIENCE)? == End::Exit(0), "round {round}");
        ensure!(host.pid_count(id)? == 0, "round {round}");
    }
    let ports = host.create(id)?.ports;
    let child = process::fork(|| Ok(()))?;
    child.wait(PATIENCE)?;
    ensure!(host.create(id)?.ports == ports && host.pid_count(id)? == 1);
    Ok(())
}

/// Lists name the memory of the program that sends them, to the last byte.
fn R48_memory_of_others_is_refused(_: &mut Context) -> Result<()> {
    const SIZE: u32 = 0x1_0000;
    let device = Device::open()?;
    let buffer = BufferNode::open()?;
    let own = buffer.scatter(device.id, SIZE)?;
    let (mut tell, mut go) = (Pipe::new()?, Pipe::new()?);
    let child = process::fork(|| {
        let memory = BufferNode::open()?;
        let pieces = memory.scatter(device.id, SIZE)?;
        let port = &device.ports()[0];
        for message in [
            Message::SglistInfo(pieces.clone()),
            Message::LinkedList(pieces),
        ] {
            ensure!(
                port.send(&message.to_bytes()).is_err(),
                "a list on the parent's port"
            );
        }
        tell.send()?;
        go.wait(PATIENCE)
    })?;
    tell.wait(PATIENCE)?;
    let low = own
        .iter()
        .map(|piece| piece.bus)
        .min()
        .context("no pieces")?;
    let high = own
        .iter()
        .map(|piece| piece.bus + u64::from(piece.size))
        .max();
    let high = high.context("no pieces")?;
    // The process has other memory: the windows of the connection.  None of it lies here.
    let wrong = [
        (0x1000, 0x1000),
        (low & !0xfff_ffff, 0x2000_0000),
        (u64::MAX - 1, 2),
    ];
    for port in &device.ports()[..2] {
        for (bus, size) in wrong {
            let pieces = vec![Piece { bus, size }];
            for message in [
                Message::SglistInfo(pieces.clone()),
                Message::LinkedList(pieces),
            ] {
                let what = format!("{bus:#x}, {size} bytes; own memory is {low:#x} to {high:#x}");
                refused(port.send(&message.to_bytes()), MINUS_ONE, &what)?;
            }
        }
        for kind in [8, 9] {
            refused(port.send(&[kind, 1, 2]), MINUS_ONE, "no list")?;
        }
    }
    go.send()?;
    ensure!(child.wait(PATIENCE)? == End::Exit(0));
    device.scope().echo(&pattern(5000, 1))?;
    device.close()
}

/// The card has been told of memory and never says that it is through with it.
fn P1_killed_in_a_transfer(_: &mut Context) -> Result<()> {
    const SIZE: u32 = 0x1_0000;
    let (host, id) = card()?;
    let before = driver_counter("quarantined_bytes")?;
    let (mut tell, mut never) = (Pipe::new()?, Pipe::new()?);
    let child = process::fork(|| {
        let device = Device::open()?;
        let buffer = BufferNode::open()?;
        let pieces = buffer.scatter(device.id, SIZE)?;
        let port = &device.ports()[0];
        let kind = system::latency(&[]).kind;
        send(port, &Message::TransferRequest { kind, size: 0x8000 })?;
        next(port)?;
        // In the card's view it waits for a list; in the driver's the card may use this one.
        send(port, &Message::SglistInfo(pieces))?;
        tell.send()?;
        never.wait(PATIENCE)
    })?;
    tell.wait(PATIENCE)?;
    child.kill(PATIENCE)?;
    kernel::until("the memory in quarantine", PATIENCE, || {
        Ok(driver_counter("quarantined_bytes")? > before)
    })?;
    canary()?;
    // A reset brings it back.
    host.reboot(id)?;
    wait_alive(&host)?;
    kernel::until("the memory back", BOOT, || {
        Ok(driver_counter("quarantined_bytes")? == 0)
    })?;
    canary()
}
