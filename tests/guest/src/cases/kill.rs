// SPDX-License-Identifier: MIT OR Apache-2.0

//! Programs killed at random moments of all that programs do, by both doors.  Each time another program goes on at
//! once, and in the end card memory, ports, sessions and quarantine are what they were.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context as _, Result};
use ax650::media::{Codec, Decoder, DecoderConfig};
use ax650::Model;
use ax650_axcl_tests::client::{self as axcl, Device, Picture};
use ax650_uapi::*;
use serde_json::json;

use super::cli::yuv;
use super::codec::encode;
use super::sessions::{all_gone, served};
use crate::card::{Card, BOOT};
use crate::case::{rounds, Context};
use crate::client::{pattern, Client};
use crate::process::{self, Child, End, Pipe};
use crate::random::{seed, Random};
use crate::{kernel, onnx};

crate::cases!["kill":
    P1_killed_at_any_moment { timeout_s: 100, soak_s: 3000 },
    P1_killed_at_any_moment_by_axcl { timeout_s: 100, soak_s: 3000 },
];

/// What a program does until it is killed.
struct Work {
    name: &'static str,
    /// It is killed at a random moment of its first so many milliseconds, on a fast kernel.
    span_ms: u64,
    run: fn() -> Result<()>,
    /// It boots the card: all sessions end by that.
    boots: bool,
}

const fn work(name: &'static str, span_ms: u64, run: fn() -> Result<()>) -> Work {
    Work {
        name,
        span_ms,
        run,
        boots: false,
    }
}

const fn boot(name: &'static str, span_ms: u64, run: fn() -> Result<()>) -> Work {
    Work {
        boots: true,
        ..work(name, span_ms, run)
    }
}

/// The native door: requests, library, command line.
const NATIVE: &[Work] = &[
    work("sessions", 150, sessions),
    work("copies", 400, copies),
    work("calls", 300, calls),
    work("model loads", 500, model_loads),
    work("model runs", 500, model_runs),
    work("encoding", 700, encoding),
    work("decoding", 1200, decoding),
    work("ax650 run", 1000, || {
        program("ax650 run sum.onnx --repeat 10000000")
    }),
    work("ax650 encode", 1200, || {
        program("ax650 encode in.yuv -s 320x192 -o out.mp4 -q --force")
    }),
    work("ax650 decode", 1200, || {
        program("ax650 decode clip.mp4 -o out.yuv -q --force")
    }),
    boot("boot by the library", 1500, || {
        ax650::Card::open_first()?.boot(false)?;
        std::thread::sleep(BOOT);
        Ok(())
    }),
    boot("ax650 reset", 1500, || program("ax650 reset --yes")),
];

/// The door for programs of AXCL.
const AXCL: &[Work] = &[
    work("connections", 400, || loop {
        Device::open()?.close()?;
    }),
    work("copies", 500, || {
        let device = Device::open()?;
        let scope = device.scope();
        let at = scope.malloc(3 << 20)?;
        loop {
            scope.write(at, &pattern(3 << 20, 1))?;
            scope.read(at, 3 << 20)?;
        }
    }),
    work("queued copies", 500, || {
        let device = Device::open()?;
        let scope = device.scope();
        let at = scope.malloc(1 << 20)?;
        loop {
            let (to, from) = (
                scope.queue_write(at, pattern(1 << 20, 2))?,
                scope.queue_read(at, 1 << 20)?,
            );
            to.wait()?;
            from.wait()?;
        }
    }),
    work("calls", 400, || {
        let device = Device::open()?;
        for round in 0.. {
            device.scope().echo(&pattern(100, round))?;
            device.scope().echo(&pattern(9000, round))?;
        }
        Ok(())
    }),
    work("model loads", 700, || {
        let device = Device::open()?;
        device.scope().init_npu()?;
        loop {
            let model = device.scope().load(&onnx::sum_and_product(1000))?;
            std::hint::black_box(&model);
        }
    }),
    work("encoding", 900, || {
        let device = Device::open()?;
        let mut encoder = axcl::Encoder::new(device.scope(), 320, 192)?;
        for n in 0.. {
            encoder.encode(&Picture::gradient(320, 192, n), n as u64)?;
        }
        Ok(())
    }),
    work("decoding", 1200, || {
        let device = Device::open()?;
        let mut encoder = axcl::Encoder::new(device.scope(), 320, 192)?;
        let decoder = axcl::Decoder::new(device.scope(), 320, 192)?;
        for n in 0.. {
            let bytes = encoder.encode(&Picture::gradient(320, 192, n), n as u64)?;
            decoder.send(&bytes, n as u64)?;
            decoder.receive()?;
        }
        Ok(())
    }),
    boot("reboot", 1500, || {
        let host = ax650_axcl_tests::node::host::HostNode::open()?;
        let ids = host.devices()?;
        host.reboot(*ids.first().context("no card")?)?;
        Ok(())
    }),
];

const DIR: &str = "/tmp/kill";

/// Becomes a program of the command line.
fn program(line: &str) -> Result<()> {
    let mut words = line.split_whitespace();
    let error = Command::new(format!("/bin/{}", words.next().context("no program")?))
        .args(words)
        .current_dir(DIR)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .exec();
    bail!("{line}: {error}")
}

fn sessions() -> Result<()> {
    loop {
        let client = Client::new(0)?;
        client.card.end_session(client.session.session)?;
    }
}

fn copies() -> Result<()> {
    let mut client = Client::new(0)?;
    let address = client.malloc(6 << 20)?;
    let buffer = client.buffer(6 << 20)?;
    loop {
        let steps = [
            client.copy_step(AX650_STEP_COPY_TO_CARD, &buffer, 0, address, buffer.size),
            client.copy_step(AX650_STEP_COPY_FROM_CARD, &buffer, 0, address, buffer.size),
        ];
        client.run(&steps)?;
    }
}

fn calls() -> Result<()> {
    let mut client = Client::new(0)?;
    loop {
        client.echo(&pattern(100, 1))?;
        client.echo(&pattern(9000, 2))?;
        let address = client.malloc(100_000)?;
        client.free(address)?;
    }
}

fn library() -> Result<ax650::Session> {
    Ok(ax650::Card::open_first()?.session()?)
}

fn model_loads() -> Result<()> {
    let session = library()?;
    loop {
        Model::load_bytes(&session, &onnx::sum_and_product(1000))?;
    }
}

fn model_runs() -> Result<()> {
    let session = library()?;
    let model = Model::load_bytes(&session, &onnx::binary("Mul", &["x", "x"], &["y"], 100_000))?;
    loop {
        model.run_bytes(&[&[0; 400_000]])?;
    }
}

fn encoding() -> Result<()> {
    let session = library()?;
    loop {
        encode(&session, Codec::H264, 30)?;
    }
}

fn decoding() -> Result<()> {
    let session = library()?;
    let packets = encode(&session, Codec::H264, 5)?;
    loop {
        let config = DecoderConfig::new(Codec::H264, 320, 192);
        let decoder = Decoder::new(&session, &config)?;
        for packet in &packets {
            decoder.send(&packet.data, packet.pts)?;
            decoder.receive(Duration::from_millis(20))?;
        }
    }
}

/// What must be the same before and after.
#[derive(Debug, PartialEq)]
struct Order {
    card_memory: u64,
    buffers: u64,
    quarantine: u64,
    clients: usize,
    served: u64,
    sessions_that_fit: u32,
}

/// Looks at card and driver, with no client there.
fn order(context: &mut Context) -> Result<Order> {
    let card = Card::open(0)?;
    let sessions_that_fit = sessions_that_fit(&card)?;
    all_gone(context)?;
    let state = context.host.card(0, "state", json!({}))?;
    let used = state["state"]["cmm"]["used"].as_u64();
    let counters = card.counters()?;
    Ok(Order {
        card_memory: used.context("the card does not tell")?,
        buffers: counters.buffer_bytes,
        quarantine: counters.quarantined_bytes,
        clients: card.clients()?.len(),
        served: served(context)?,
        sessions_that_fit,
    })
}

/// Opens sessions as long as there are ports.
fn sessions_that_fit(card: &Card) -> Result<u32> {
    let each = card.limits()?.max_sessions_per_file;
    let mut files = Vec::new();
    let mut number = 0;
    loop {
        let file = Card::open(0)?;
        for _ in 0..each {
            match file.session() {
                Ok(_) => number += 1,
                Err(e) if e.raw_os_error() == Some(libc::ENOSPC) => return Ok(number),
                Err(e) => return Err(e).context("SESSION_CREATE"),
            }
        }
        files.push(file);
        ensure!(number < 1000, "sessions without end");
    }
}

/// A client of the door for AXCL, in a process of its own since it has threads.
struct Neighbour {
    child: Child,
    go: Pipe,
    done: Pipe,
}

impl Neighbour {
    fn new() -> Result<Self> {
        let (mut go, mut done) = (Pipe::new()?, Pipe::new()?);
        let child = process::fork(|| {
            let device = Device::open()?;
            done.send()?;
            loop {
                go.wait(Duration::from_secs(3600))?;
                device.scope().works()?;
                done.send()?;
            }
        })?;
        done.wait(PATIENCE).context("a neighbour by AXCL")?;
        Ok(Self { child, go, done })
    }

    fn works(&mut self) -> Result<()> {
        self.go.send()?;
        self.done.wait(PATIENCE).context("the neighbour by AXCL")
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Others at work, who must not notice.
struct Bystanders {
    native: Client,
    axcl: Option<Neighbour>,
}

impl Bystanders {
    fn new(axcl: bool) -> Result<Self> {
        let axcl = axcl.then(Neighbour::new).transpose()?;
        let native = Client::new(0)?;
        Ok(Self { native, axcl })
    }

    /// Each of them makes calls and copies; the longest time of one.
    fn work(&mut self) -> Result<Duration> {
        let begin = Instant::now();
        self.native.works()?;
        let mut slowest = begin.elapsed();
        if let Some(axcl) = &mut self.axcl {
            let begin = Instant::now();
            axcl.works()?;
            slowest = slowest.max(begin.elapsed());
        }
        Ok(slowest)
    }

    fn leave(self) -> Result<()> {
        if let Some(axcl) = self.axcl {
            axcl.child.kill(PATIENCE)?;
        }
        Ok(())
    }
}

/// Kills them at random moments.
fn kill(context: &mut Context, works: &[Work], axcl: bool) -> Result<()> {
    let name = if axcl { "kill by AXCL" } else { "kill" };
    let mut random = Random::new(seed(name));
    let limit = Duration::from_secs(1) * kernel::slowness();
    let slower = u64::from(kernel::slowness() / 2);
    let before = order(context)?;
    let mut others = Bystanders::new(axcl)?;
    let (mut killed, mut slowest) = (0, Duration::ZERO);
    let rounds = rounds(12, 200);
    for round in 0..rounds {
        let work = &works[round as usize % works.len()];
        let moment = Duration::from_micros(random.below(work.span_ms * 1000 * slower));
        let what = || format!("round {round}, {}, killed after {moment:?}", work.name);
        let child = process::fork(work.run)?;
        std::thread::sleep(moment);
        child.signal(libc::SIGKILL);
        if work.boots {
            child.wait(PATIENCE).with_context(what)?;
            Card::open(0)?.make_running().with_context(what)?;
            others.leave()?;
            others = Bystanders::new(axcl).with_context(what)?;
            others.work().with_context(what)?;
        } else {
            let took = others.work().with_context(what)?;
            slowest = slowest.max(took);
            ensure!(took < limit, "{}: the others took {took:?}", what());
            match child.wait(PATIENCE).with_context(what)? {
                End::Signal(libc::SIGKILL) => killed += 1,
                // A program may have been through with its work.
                End::Exit(0) => {}
                end => bail!("{}: {end:?}", what()),
            }
        }
    }
    others.leave()?;
    eprintln!("{name}: {rounds} rounds, {killed} died at work, slowest neighbour {slowest:?}");
    let boots = works.iter().filter(|work| work.boots).count() as u32;
    let expected = rounds - rounds.div_ceil(works.len() as u32) * boots;
    ensure!(
        killed * 4 > expected * 3,
        "{killed} of {expected} died at work"
    );
    if axcl {
        // What a transaction that was cut short might still reach is kept until the chip is reset.
        let card = Card::open(0)?;
        eprintln!("{} bytes in quarantine", card.counters()?.quarantined_bytes);
        card.control(AX650_CONTROL_RESET, 0)?;
        card.wait_state(AX650_STATE_LOADER, BOOT)?;
        card.make_running()?;
    }
    let after = order(context)?;
    ensure!(after == before, "{before:?} before, {after:?} after");
    Ok(())
}

fn P1_killed_at_any_moment(context: &mut Context) -> Result<()> {
    const PICTURES: usize = 40;
    std::fs::create_dir_all(DIR)?;
    std::fs::write(format!("{DIR}/sum.onnx"), onnx::sum_and_product(16))?;
    std::fs::write(format!("{DIR}/in.yuv"), yuv(320, 192, PICTURES))?;
    let line = "ax650 encode in.yuv -s 320x192 -o clip.mp4 -q --force";
    let end = process::fork(move || program(line))?.wait(PATIENCE * 2)?;
    ensure!(end == End::Exit(0), "{line}: {end:?}");
    kill(context, NATIVE, false)
}

fn P1_killed_at_any_moment_by_axcl(context: &mut Context) -> Result<()> {
    ax650_axcl_tests::ready()?;
    kill(context, AXCL, true)
}
