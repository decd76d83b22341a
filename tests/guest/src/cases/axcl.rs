// SPDX-License-Identifier: MIT OR Apache-2.0

//! The AXCL ABI: four device nodes for Axera's own user space [pcie 5], [pcie 7], [pcie 8].

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::time::Duration;

use anyhow::{ensure, Context as _, Result};
use ax650::proto::axclrpc::system::{self, response_body::Kind as Answer};
use ax650::{Header, Kind, Place};
use ax650_uapi::*;

use crate::axcl::{list, put, transfer, word, Host, Memory, Node, Port, NODES};
use crate::card::{self, Card, BOOT};
use crate::case::{Context, Start, HIGH_MEMORY, NONCOHERENT, SWIOTLB, TWO_CARDS, USUAL};
use crate::client::{canary, pattern, Client, PATIENCE};
use crate::errors::{errno, expect, expect_any};
use crate::process::{self, End, Pipe};
use crate::{frame, kernel};

crate::cases!["axcl":
    nodes_are_there_unless_switched_off { start: Start::Unloaded },
    cards_and_their_places,
    ports_come_and_go,
    R03_R04_numbers_that_name_nothing,
    R35_ports_of_others,
    R39_exit_gives_back,
    a_call_and_its_answer,
    R02_cards_with_strange_ids { machines: &[TWO_CARDS] },
    memory_for_the_card,
    a_long_call_by_dma { machines: &[USUAL, HIGH_MEMORY, SWIOTLB, NONCOHERENT] },
    memory_of_others_is_refused,
    killed_in_a_transfer,
    R16_R17_reboot { timeout_s: 120 },
    both_doors_at_once { timeout_s: 90 },
    programs_are_listed,
];

const NOW: Duration = Duration::from_millis(1);

fn only_card(host: &Host) -> Result<u32> {
    let ids = host.list()?;
    ensure!(ids.len() == 1, "cards {ids:?}");
    Ok(ids[0])
}

fn nodes_are_there_unless_switched_off(_: &mut Context) -> Result<()> {
    let there = |name: &str| std::path::Path::new("/dev").join(name).exists();
    kernel::load_module("axcl_abi=0")?;
    ensure!(
        !NODES.into_iter().any(there),
        "nodes in spite of axcl_abi=0"
    );
    ensure!(kernel::read("/sys/module/ax650/parameters/axcl_abi")? == "N");
    kernel::unload_module()?;
    kernel::load_module("")?;
    for name in NODES {
        let node =
            std::fs::metadata(format!("/dev/{name}")).with_context(|| format!("no node {name}"))?;
        ensure!(node.file_type().is_char_device(), "{name}");
        ensure!(node.mode() & 0o7777 == 0o660, "{name}: {:o}", node.mode());
    }
    ensure!(kernel::read("/sys/module/ax650/parameters/axcl_abi")? == "Y");
    Ok(())
}

fn cards_and_their_places(_: &mut Context) -> Result<()> {
    let host = Host::open()?;
    let id = only_card(&host)?;
    let info = Card::open(0)?.info()?;
    ensure!(
        id == u32::from(info.pci_bus),
        "{id} on bus {}",
        info.pci_bus
    );
    ensure!(host.status(id)? == 1 && host.status(id + 1)? == u32::MAX);
    let mut place = [0xAA; 16];
    put(&mut place, 0, id);
    host.0.request(0xC010_4108, &mut place)?;
    let words = [4, 8, 12].map(|at| word(&place, at));
    let devfn = u32::from(info.pci_devfn);
    ensure!(
        words == [info.pci_domain, devfn >> 3, devfn & 7],
        "{words:?}"
    );
    // Unknown codes are accepted, and so is reading.
    host.0.request(0xC010_41FF, &mut place)?;
    host.0.request(0x0000_4200, &mut place)?;
    let port = Port::open()?;
    ensure!(port.request(4, 0, 0)? == 0, "the host's own id");
    let mut remotes = [0; 1032];
    port.0.request(0x4408_4D06, &mut remotes)?;
    ensure!((word(&remotes, 0), word(&remotes, 4)) == (u32::MAX, 129));
    port.0.request(0x4408_4D05, &mut remotes)?;
    ensure!((word(&remotes, 8), word(&remotes, 12)) == (id, u32::MAX));
    ensure!(port.request(2, id, 0)? == 0, "a card that runs");
    // Events: one for each wake-up, each poll takes one.
    ensure!(host.0.poll(NOW)? == 0);
    host.0.request(0xC028_4105, &mut [0; 40])?;
    ensure!(host.0.poll(NOW)? == libc::POLLIN && host.0.poll(NOW)? == 0);
    // The card is below a root port, not a switch.
    let peers = Node::open("p2p")?;
    expect(
        libc::EPERM,
        peers.request(0x8148_5002, &mut [0; 328]),
        || "peers".into(),
    )?;
    expect(libc::EINVAL, peers.request(0x0000_5007, &mut []), || {
        "7".into()
    })
}

fn ports_come_and_go(_: &mut Context) -> Result<()> {
    let host = Host::open()?;
    let id = only_card(&host)?;
    ensure!(host.threads(id)?.is_empty());
    let ports = host.create(id)?;
    ensure!(
        ports.is_sorted() && ports[0] >= 21 && ports[3] < 128,
        "{ports:?}"
    );
    ensure!(host.create(id)? == ports, "the same once more");
    // SAFETY: no arguments.
    let thread = unsafe { libc::gettid() } as u32;
    ensure!(host.threads(id)? == [thread]);
    let second = Host::open()?;
    let others = second.create(id)?;
    ensure!(
        others.iter().all(|port| !ports.contains(port)),
        "{others:?}"
    );
    ensure!(host.threads(id)?.len() == 2);
    // More ports, and back in the order they came.
    let mut more = [7, id, 1, 2, 0, 0, 0, 0, 0, 0];
    host.control(&mut more)?;
    let mut wrong = [8, id, 1, 2, more[5], more[4], 0, 0, 0, 0];
    expect(libc::EPERM, host.control(&mut wrong), || {
        "wrong order".into()
    })?;
    let mut back = [8, id, 1, 2, more[4], more[5], 0, 0, 0, 0];
    host.control(&mut back)?;
    expect(libc::EPERM, host.control(&mut back), || {
        "given back twice".into()
    })?;
    drop(second);
    host.destroy(id, ports)?;
    expect(libc::EPERM, host.destroy(id, ports), || {
        "destroyed twice".into()
    })?;
    ensure!(host.threads(id)?.is_empty());
    ensure!(host.create(id)? == ports, "the lowest that are free");
    Ok(())
}

fn R03_R04_numbers_that_name_nothing(_: &mut Context) -> Result<()> {
    let host = Host::open()?;
    let id = only_card(&host)?;
    let ports = host.create(id)?;
    for device in [0, id + 1, 255, 256, 1 << 31, u32::MAX] {
        let what = |what: &str| format!("{what} of {device:#x}");
        for command in [1, 2, 7, 8] {
            let mut words = [command, device, 1, 1, 0, 0, 0, 0, 0, 0];
            expect(libc::EPERM, host.control(&mut words), || what("ports"))?;
        }
        expect(libc::ENODEV, host.order(6, device), || what("reset"))?;
        expect(libc::ENODEV, host.order(7, device), || what("reboot"))?;
        let port = Port::open()?;
        expect(libc::EPERM, port.request(1, device, ports[0]), || {
            what("port")
        })?;
        expect(libc::EPERM, port.request(2, device, 0), || what("check"))?;
    }
    for number in [0, 11, 20, 127, 128, 129, 1 << 31, -5_i32 as u32] {
        let port = Port::open()?;
        expect(libc::EPERM, port.request(1, id, number), || {
            format!("port {number}")
        })?;
    }
    let mut words = [1, id, 0, 0, 0, 0, 0, 0, 0, 0];
    expect(libc::EPERM, host.control(&mut words), || "pid 0".into())?;
    for command in [0, 3, 9, u32::MAX] {
        let mut words = [command, id, 1, 0, 0, 0, 0, 0, 0, 0];
        expect(libc::EPERM, host.control(&mut words), || {
            format!("{command}")
        })?;
    }
    for count in [0, 5, u32::MAX] {
        let mut words = [7, id, 1, count, 0, 0, 0, 0, 0, 0];
        expect(libc::EINVAL, host.control(&mut words), || {
            format!("{count} ports")
        })?;
    }
    // R41: an absurd list of processes.
    let mut list = [0xFF; 16];
    put(&mut list, 0, id);
    expect(libc::EINVAL, host.0.request(0xC010_410A, &mut list), || {
        "pids".into()
    })
}

fn R35_ports_of_others(_: &mut Context) -> Result<()> {
    let host = Host::open()?;
    let id = only_card(&host)?;
    let ports = host.create(id)?;
    let own = Port::connect(id, ports[2])?;
    let child = process::fork(|| {
        let port = Port::open()?;
        expect(libc::EPERM, port.request(1, id, ports[2]), || {
            "connected".into()
        })?;
        ensure!(port.0.poll(NOW)? == libc::POLLERR);
        expect(libc::EPERM, port.send(b"hello"), || "sent".into())
    })?;
    ensure!(child.wait(PATIENCE)? == End::Exit(0));
    // R34: a second file of the owner, and both closed.
    let second = Port::connect(id, ports[2])?;
    drop(own);
    ensure!(second.0.poll(NOW)? == 0 && second.read_errno() == libc::EPERM);
    second.request(8, id, ports[2])?;
    ensure!(second.0.poll(NOW)? & libc::POLLHUP != 0, "stopped");
    for size in [0, 0x6_0000, 64 << 20] {
        let message = vec![1; size];
        expect(libc::EPERM, second.send(&message), || {
            format!("{size} bytes")
        })?;
    }
    Ok(())
}

fn R39_exit_gives_back(_: &mut Context) -> Result<()> {
    let host = Host::open()?;
    let id = only_card(&host)?;
    for round in 0..30 {
        let child = process::fork(|| {
            let host = Host::open()?;
            let ports = host.create(id)?;
            // Closed by the end of the process, in whatever order.
            std::mem::forget((Port::connect(id, ports[3])?, host));
            Ok(())
        })?;
        ensure!(child.wait(PATIENCE)? == End::Exit(0), "round {round}");
        ensure!(host.threads(id)?.is_empty(), "round {round}");
    }
    // What a child inherits stays the parent's.
    let ports = host.create(id)?;
    let child = process::fork(|| Ok(()))?;
    child.wait(PATIENCE)?;
    ensure!(host.create(id)? == ports && host.threads(id)?.len() == 1);
    Ok(())
}

/// A program with its four ports, after the handshake.
struct Program {
    host: Host,
    id: u32,
    ports: [Port; 4],
    sequence: u64,
}

impl Program {
    fn start() -> Result<Self> {
        Self::on(only_card(&Host::open()?)?)
    }

    fn on(id: u32) -> Result<Self> {
        let host = Host::open()?;
        let [a, b, c, d] = host.create(id)?.map(|port| Port::connect(id, port));
        let ports = [a?, b?, c?, d?];
        ports[0].send(&transfer(0, 100, 0))?;
        let answer = ports[1].receive(PATIENCE)?;
        ensure!(answer[0] == 1 && word(&answer, 1) == 101, "{answer:?}");
        ports[0].send(&transfer(2, 102, 0))?;
        let mut this = Self {
            host,
            id,
            ports,
            sequence: 0,
        };
        let create = system::Command::CreateContext;
        let header = this.header(Kind::CONTROL, create as u32);
        let request = system::ControlRequest {
            cmd: create.into(),
            pid: Some(std::process::id()),
            tid: Some(std::process::id()),
            context: Some(header.place.context),
            stream: Some(header.place.stream),
            noresp: Some(0),
            ..Default::default()
        };
        this.call(&header, &frame::request(header, frame::control(request)))?;
        Ok(this)
    }

    fn header(&mut self, kind: Kind, command: u32) -> Header {
        self.sequence += 1;
        Header {
            kind,
            sequence: self.sequence,
            card: self.id,
            place: Place {
                context: 1,
                stream: 1,
            },
            command,
        }
    }

    fn call(&self, header: &Header, request: &[u8]) -> Result<Answer> {
        ensure!(self.ports[2].send(request)? == request.len());
        let answer = self.ports[3].receive(PATIENCE)?;
        frame::system_answer(frame::answer(header, &answer)?)
    }

    fn echo(&mut self, data: &[u8]) -> (Header, Vec<u8>) {
        let header = self.header(Kind::LATENCY, 0);
        (header, frame::request(header, frame::echo(data)))
    }

    fn short_echo(&mut self, data: &[u8]) -> Result<()> {
        let (header, request) = self.echo(data);
        check_echo(self.call(&header, &request)?, data)
    }

    /// An echo too long for a message, in both directions.
    fn long_echo(&mut self, to_card: &Memory, from_card: &Memory, data: &[u8]) -> Result<()> {
        const WINDOW: usize = 0x1_0000;
        let (header, request) = self.echo(data);
        let kind = header.kind.0;
        let [p0, p1, ..] = &self.ports;
        let map = to_card.node.map(WINDOW)?;
        p0.send(&transfer(3, kind, request.len() as u32))?;
        let wants = p0.receive(PATIENCE)?;
        ensure!(wants[0] == 8, "{wants:?}");
        for chunk in request.chunks(WINDOW) {
            map.write(0, chunk);
            p0.send(&to_card.list(9, chunk.len() as u32))?;
            let taken = p0.receive(PATIENCE)?;
            ensure!(taken[0] == 7 && word(&taken, 1) as usize == chunk.len());
        }
        let gives = p1.receive(PATIENCE)?;
        ensure!(gives[0] == 3 && word(&gives, 1) == kind, "{gives:?}");
        let size = word(&gives, 5) as usize;
        let map = from_card.node.map(WINDOW)?;
        p1.send(&from_card.list(8, WINDOW as u32))?;
        let mut answer = Vec::new();
        while answer.len() < size {
            let done = p1.receive(PATIENCE)?;
            let n = word(&done, 1);
            ensure!(done[0] == 6 && n > 0, "{done:?}");
            answer.extend(map.read(0, n as usize));
            p1.send(&transfer(7, n, 0))?;
        }
        check_echo(
            frame::system_answer(frame::answer(&header, &answer)?)?,
            data,
        )
    }
}

fn check_echo(answer: Answer, data: &[u8]) -> Result<()> {
    match answer {
        Answer::Latency(echo) => ensure!(echo.data == data, "not the same bytes"),
        other => anyhow::bail!("{other:?}"),
    }
    Ok(())
}

fn a_call_and_its_answer(_: &mut Context) -> Result<()> {
    let mut program = Program::start()?;
    for round in 0..50 {
        program.short_echo(&pattern(10 + round as usize * 15, round))?;
    }
    Ok(())
}

/// Two cards that call themselves by the same number, which is that of neither [pcie 1.7].
fn R02_cards_with_strange_ids(context: &mut Context) -> Result<()> {
    for card in [0, 1] {
        context.host.switch(card, "card_id", 77)?;
        context.host.switch(card, "heartbeat.v2", true)?;
    }
    let ids = Host::open()?.list()?;
    ensure!(ids.len() == 2 && !ids.contains(&77), "{ids:?}");
    let mut programs = [Program::on(ids[0])?, Program::on(ids[1])?];
    for round in 0..10 {
        for program in &mut programs {
            program.short_echo(&pattern(300, round))?;
        }
    }
    // One file for both cards.
    let host = Host::open()?;
    let ports = [host.create(ids[0])?, host.create(ids[1])?];
    ensure!(host.threads(ids[0])?.len() == 2 && host.threads(ids[1])?.len() == 2);
    host.destroy(ids[0], ports[0])?;
    drop(host);
    ensure!(programs[0].host.threads(ids[1])?.len() == 1);
    Ok(())
}

fn memory_for_the_card(_: &mut Context) -> Result<()> {
    let id = only_card(&Host::open()?)?;
    let single = |device: u32, size: u32| {
        let node = Node::open("ax_mmb_dev")?;
        let mut bytes = [0; 32];
        put(&mut bytes, 0, device);
        put(&mut bytes, 8, size);
        let result = node.request(0xC020_4804, &mut bytes);
        Ok::<_, anyhow::Error>((node, bytes, result))
    };
    let (node, mut bytes, result) = single(id, 100_000)?;
    result?;
    ensure!(
        word(&bytes, 16) != 0 || word(&bytes, 20) != 0,
        "no bus address"
    );
    let refused = node.request(0xC020_4805, &mut bytes);
    expect(libc::EINVAL, refused, || "a second buffer".into())?;
    let map = node.map(100_000)?;
    ensure!(
        map.read(0, 100_000).iter().all(|&b| b == 0),
        "R44: not zeroed"
    );
    map.write(99_999, &[7]);
    node.map(4096)?;
    expect(libc::EINVAL, node.map(200_000), || "R45: longer".into())?;
    for code in [0x4020_4806, 0x4020_4807] {
        // R48: an address that is nobody's.
        bytes[24..].fill(0xF0);
        node.request(code, &mut bytes)?;
    }
    // The mapping keeps the memory.
    drop(node);
    ensure!(map.read(99_999, 1) == [7]);
    expect(libc::EINVAL, single(id, 0)?.2, || "no bytes".into())?;
    expect(libc::ENODEV, single(id + 1, 4096)?.2, || "no card".into())?;
    expect(libc::ENOMEM, single(id, u32::MAX)?.2, || "too much".into())?;
    let node = Node::open("ax_mmb_dev")?;
    expect(libc::EPERM, node.map(4096), || "nothing allocated".into())?;
    let unknown = node.request(0x4010_4809, &mut [0; 16]);
    expect(libc::ENOTTY, unknown, || "pools".into())?;
    for size in [1, 4097, 0x40_0000, 10_000_001] {
        let memory = Memory::scatter(id, size)?;
        let map = memory.node.map(size as usize)?;
        map.write(size as usize - 1, &[1]);
    }
    ensure!(Memory::scatter(id, 0x4000_0000).is_err());
    Ok(())
}

fn a_long_call_by_dma(_: &mut Context) -> Result<()> {
    let mut program = Program::start()?;
    let (to, from) = (
        Memory::scatter(program.id, 0x40_0000)?,
        Memory::scatter(program.id, 0x40_0000)?,
    );
    for size in [2_000, 0x1_0000, 300_001] {
        program.long_echo(&to, &from, &pattern(size, size as u64))?;
    }
    Ok(())
}

fn memory_of_others_is_refused(_: &mut Context) -> Result<()> {
    let mut program = Program::start()?;
    let (to, from) = (
        Memory::scatter(program.id, 0x1_0000)?,
        Memory::scatter(program.id, 0x1_0000)?,
    );
    let (mut tell, mut go) = (Pipe::new()?, Pipe::new()?);
    let id = program.id;
    let child = process::fork(|| {
        let memory = Memory::scatter(id, 0x1_0000)?;
        let port = &program.ports[0];
        for kind in [8, 9] {
            port.send(&memory.list(kind, 100))
                .err()
                .context("the parent's port")?;
        }
        tell.send()?;
        go.wait(PATIENCE)
    })?;
    tell.wait(PATIENCE)?;
    let own = || to.pieces.iter().chain(&from.pieces);
    let low = own().map(|&(bus, _)| bus).min().context("no pieces")?;
    let high = own().map(|&(bus, len)| bus + u64::from(len)).max();
    let high = high.context("no pieces")?;
    let wrong = [(high, 1), (high - 1, 2), (low - 1, 2), (0x1000, 0x1000)];
    for port in &program.ports[..2] {
        for kind in [8, 9] {
            for entry in wrong {
                let message = list(kind, &[entry]);
                expect(libc::EPERM, port.send(&message), || format!("{entry:x?}"))?;
            }
            expect(libc::EPERM, port.send(&[kind, 1, 2]), || "no list".into())?;
        }
    }
    go.send()?;
    ensure!(child.wait(PATIENCE)? == End::Exit(0));
    program.long_echo(&to, &from, &pattern(5000, 1))
}

/// The card has been told of memory and never says that it is through with it.
fn killed_in_a_transfer(_: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    let before = card.counters()?;
    let (mut tell, mut never) = (Pipe::new()?, Pipe::new()?);
    let child = process::fork(|| {
        let program = Program::start()?;
        let memory = Memory::scatter(program.id, 0x1_0000)?;
        let port = &program.ports[0];
        port.send(&transfer(3, Kind::LATENCY.0, 0x8000))?;
        port.receive(PATIENCE)?;
        // In the card's view it waits for a list; in the driver's the card may use this one.
        port.send(&memory.list(8, 0x1_0000))?;
        tell.send()?;
        never.wait(PATIENCE)
    })?;
    tell.wait(PATIENCE)?;
    child.kill(PATIENCE)?;
    kernel::until("the memory in quarantine", PATIENCE, || {
        Ok(card.counters()?.quarantined_bytes > before.quarantined_bytes)
    })?;
    canary(0)?;
    // A reset brings it back.
    card.control(ax650_uapi::AX650_CONTROL_BOOT, 0)?;
    kernel::until("the memory back", BOOT, || {
        Ok(card.counters()?.quarantined_bytes == 0)
    })?;
    card.make_running()?;
    Ok(())
}

fn R16_R17_reboot(_: &mut Context) -> Result<()> {
    let mut program = Program::start()?;
    let bystander = Host::open()?;
    let id = program.id;
    let child = process::fork(|| {
        // The files are root's to open; what they may do is decided by who asks.
        let host = Host::open()?;
        let port = Port::open()?;
        process::become_user(1000)?;
        expect(libc::EPERM, host.order(6, id), || "reset".into())?;
        expect(libc::EPERM, host.order(7, id), || "reboot".into())?;
        expect(libc::EPERM, port.request(7, id, 0), || {
            "reset of a port".into()
        })
    })?;
    ensure!(child.wait(PATIENCE)? == End::Exit(0));
    program.short_echo(b"unharmed")?;
    bystander.order(7, id)?;
    ensure!(bystander.status(id)? == 1);
    // Everybody has been told, once.
    for host in [&program.host, &bystander] {
        ensure!(host.0.poll(NOW)? == libc::POLLIN && host.0.poll(NOW)? == 0);
    }
    for port in &program.ports {
        ensure!(port.0.poll(NOW)? & libc::POLLHUP != 0);
        expect_any(&[libc::ESTALE], port.send(b"late"), || {
            "a stale port".into()
        })?;
    }
    ensure!(bystander.threads(id)?.is_empty());
    let again = Program::start()?;
    ensure!(errno(program.ports[0].send(b"late")) == libc::ESTALE);
    drop(program);
    drop(again);
    // Reset only: the card is down, and ports are not to be had.
    bystander.order(6, id)?;
    ensure!(bystander.status(id)? == 0 && bystander.list()? == [id]);
    expect(libc::ENODEV, bystander.create(id), || {
        "ports of a dead card".into()
    })?;
    bystander.order(7, id)?;
    Program::start()?.short_echo(b"and up")
}

fn both_doors_at_once(_: &mut Context) -> Result<()> {
    let native = process::fork(|| {
        for _ in 0..10 {
            canary(0)?;
        }
        Ok(())
    })?;
    let axcl = || {
        let mut program = Program::start()?;
        let to = Memory::scatter(program.id, 0x1_0000)?;
        let from = Memory::scatter(program.id, 0x1_0000)?;
        for round in 0..20 {
            program.short_echo(&pattern(500, round))?;
            program.long_echo(&to, &from, &pattern(70_000, round))?;
        }
        Ok(())
    };
    let children = [native, process::fork(axcl)?, process::fork(axcl)?];
    for child in children {
        let end = child.wait(PATIENCE * 4)?;
        ensure!(end == End::Exit(0), "{end:?}, see the console");
    }
    Ok(())
}

/// Beside native clients, wherever these are shown.
fn programs_are_listed(_: &mut Context) -> Result<()> {
    let own = std::process::id() as i32;
    let native = Client::new(0)?;
    let mut program = Program::start()?;
    let memory = [
        Memory::scatter(program.id, 0x1_0000)?,
        Memory::scatter(program.id, 0x1_0000)?,
    ];
    program.long_echo(&memory[0], &memory[1], &pattern(70_000, 1))?;
    let list = native.card.clients()?;
    let of = |interface| list.iter().filter(move |c| c.interface == interface);
    let [me] = of(AX650_INTERFACE_AXCL).collect::<Vec<_>>()[..] else {
        anyhow::bail!("{list:?}");
    };
    ensure!(of(AX650_INTERFACE_NATIVE).count() == 1, "{list:?}");
    ensure!(me.pid == own && me.jobs == 0, "{me:?}");
    ensure!((21..128).contains(&me.session), "{me:?}");
    ensure!(me.buffer_bytes == 0x2_0000, "{me:?}");
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
        words[2] == own.to_string() && words[6] == "131072",
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
    drop(program);
    kernel::until("the list to be short again", PATIENCE, || {
        Ok(native.card.clients()?.len() == 1)
    })
}
