// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command line programs, with input that is good, bad, and worse: always one clear line, the
//! right exit code, and nothing left behind.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650_uapi::*;
use serde_json::Value;

use crate::card::{self, Card, BOOT};
use crate::case::{Context, Machine, Start, USUAL};
use crate::client::{canary, pattern};
use crate::{kernel, onnx, runner};

crate::cases!["cli":
    list_and_info,
    run_a_model,
    static_in_empty_root,
    run_bad_input,
    encode_decode_transcode { timeout_s: 120 },
    media_bad_input { timeout_s: 90 },
    wrong_arguments,
    no_such_card,
    no_card_at_all { start: Start::Any, machines: &[NO_CARD] },
    no_permission,
    card_not_ready { timeout_s: 90 },
    card_dies_in_mid_run { timeout_s: 120 },
    interrupted_in_mid_run { timeout_s: 90 },
    reset_needs_root_and_works { timeout_s: 90 },
    bench_measures { timeout_s: 90 },
    fw_tool_boots_the_card { timeout_s: 90 },
    fw_tool_bad_input,
    F2_reset_of_a_dead_card { timeout_s: 120 },
    F4_missing_firmware_is_named { timeout_s: 120 },
    F5_silent_card_is_shown { timeout_s: 90 },
    F6_interrupted_while_loading { timeout_s: 90 },
    F10_one_way_to_name_a_card { timeout_s: 90 },
    F10_refused_models,
    check_finds_what_is_wrong { timeout_s: 90 },
    log_of_the_card,
    standard_streams { timeout_s: 90 },
];

const NO_CARD: Machine = Machine { cards: 0, ..USUAL };

/// Exit codes as `ax650 --help` lists them.
mod code {
    pub const FAILURE: i32 = 1;
    pub const USAGE: i32 = 2;
    pub const NO_CARD: i32 = 3;
    pub const PERMISSION: i32 = 4;
    pub const CARD: i32 = 6;
    pub const WARNINGS: i32 = 8;
    pub const PROBLEMS: i32 = 9;
    pub const INTERRUPTED: i32 = 130;
}

struct Output {
    code: i32,
    out: String,
    err: String,
}

/// Runs a program of the guest in `/tmp/cli`, with a time limit.
fn run_as(user: Option<u32>, line: &str, limit: Duration) -> Result<Output> {
    std::fs::create_dir_all("/tmp/cli")?;
    let mut words = line.split_whitespace();
    let mut command = Command::new(format!("/bin/{}", words.next().context("no program")?));
    command
        .args(words)
        .current_dir("/tmp/cli")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(id) = user {
        command.uid(id).gid(id);
    }
    let child = command.spawn().with_context(|| line.to_owned())?;
    let pid = child.id() as i32;
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(limit * runner::slowness()) else {
        // SAFETY: plain system call; the child has not been reaped.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        anyhow::bail!("{line}: no end within {limit:?}");
    };
    let output = output?;
    Ok(Output {
        code: output
            .status
            .code()
            .with_context(|| format!("{line}: {}", output.status))?,
        out: String::from_utf8(output.stdout).context("output that is no text")?,
        err: String::from_utf8(output.stderr).context("messages that are no text")?,
    })
}

const LIMIT: Duration = Duration::from_secs(30);

/// Must go well; what it prints.
fn good(line: &str) -> Result<String> {
    let output = run_as(None, line, LIMIT)?;
    ensure!(
        output.code == 0,
        "{line}: exit code {}: {}",
        output.code,
        output.err
    );
    Ok(output.out)
}

/// Must fail with this code and one line that has all of these words.
fn bad_as(user: Option<u32>, line: &str, code: i32, words: &[&str]) -> Result<()> {
    let output = run_as(user, line, LIMIT)?;
    ensure!(
        output.code == code,
        "{line}: exit code {}, not {code}: {}",
        output.code,
        output.err
    );
    let lines: Vec<&str> = output
        .err
        .lines()
        .filter(|l| !l.trim().is_empty())
        .collect();
    // clap adds what the usage would have been.
    ensure!(
        lines.len() == 1 || code == code::USAGE,
        "{line}: not one line: {}",
        output.err
    );
    for word in words {
        ensure!(
            output.err.contains(word),
            "{line}: no '{word}' in: {}",
            output.err
        );
    }
    ensure!(!output.err.contains("panicked"), "{line}: {}", output.err);
    Ok(())
}

fn bad(line: &str, code: i32, words: &[&str]) -> Result<()> {
    bad_as(None, line, code, words)
}

fn file(name: &str, content: &[u8]) -> Result<()> {
    std::fs::create_dir_all("/tmp/cli")?;
    Ok(std::fs::write(Path::new("/tmp/cli").join(name), content)?)
}

/// Nothing of the programs is left on the card.
fn left_clean() -> Result<()> {
    let card = Card::open(0)?;
    kernel::until("sessions to end", Duration::from_secs(20), || {
        Ok(card.clients()?.is_empty() && card.counters()?.quarantined_bytes == 0)
    })?;
    canary(0)
}

fn list_and_info(_: &mut Context) -> Result<()> {
    let list = good("ax650 list")?;
    ensure!(list.contains(&card::address(0)?), "{list}");
    let json: Value = serde_json::from_str(&good("ax650 list --json")?)?;
    ensure!(
        json.as_array().is_some_and(|cards| cards.len() == 1),
        "{json}"
    );
    let info = good("ax650 info")?;
    for word in ["running", "AX650", "MiB"] {
        ensure!(info.contains(word), "no {word} in: {info}");
    }
    let json: Value = serde_json::from_str(&good("ax650 info --json")?)?;
    ensure!(json.is_object() || json.is_array(), "{json}");
    good("ax650 info -d 0")?;
    good(&format!("ax650 info -d {}", card::address(0)?))?;
    left_clean()
}

fn run_a_model(_: &mut Context) -> Result<()> {
    file("sum.onnx", &onnx::sum_and_product(16))?;
    let floats =
        |f: &dyn Fn(u8) -> f32| -> Vec<u8> { (0..16).flat_map(|i| f(i).to_le_bytes()).collect() };
    file("a.bin", &floats(&f32::from))?;
    file("b.bin", &floats(&|i| f32::from(i) * 0.5))?;
    good("ax650 run sum.onnx -i a=a.bin -i b=b.bin -o out --repeat 20")?;
    let dir = Path::new("/tmp/cli/out");
    let outputs: Vec<Vec<u8>> = std::fs::read_dir(dir)?
        .map(|entry| Ok(std::fs::read(entry?.path())?))
        .collect::<Result<_>>()?;
    ensure!(outputs.len() == 2, "{} files", outputs.len());
    ensure!(outputs.contains(&floats(&|i| f32::from(i) * 1.5)), "no sum");
    ensure!(
        outputs.contains(&floats(&|i| f32::from(i) * f32::from(i) * 0.5)),
        "no product"
    );
    let json: Value = serde_json::from_str(&good("ax650 run sum.onnx --repeat 5 --json")?)?;
    ensure!(json.is_object(), "{json}");
    std::fs::remove_dir_all(dir)?;
    left_clean()
}

/// What a container gets with `--device /dev/ax650-0` is enough: the program and the node, nothing
/// else, not even `/sys` and `/proc`.
fn static_in_empty_root(_: &mut Context) -> Result<()> {
    let root = Path::new("/tmp/empty-root");
    std::fs::create_dir_all(root.join("dev"))?;
    std::fs::copy("/bin/ax650", root.join("ax650"))?;
    std::fs::write(root.join("sum.onnx"), onnx::sum_and_product(16))?;
    let copied = Command::new("/bin/cp")
        .args(["-a", "/dev/ax650-0"])
        .arg(root.join("dev"))
        .status()?;
    ensure!(copied.success(), "cp: {copied}");
    for line in ["list", "info", "check", "run /sum.onnx --repeat 5"] {
        let inside = run_as(
            None,
            &format!("chroot /tmp/empty-root /ax650 {line}"),
            LIMIT,
        )?;
        ensure!(inside.code == 0, "{line}: {}", inside.err);
        ensure!(!inside.out.is_empty(), "{line} says nothing");
    }
    std::fs::remove_dir_all(root)?;
    left_clean()
}

fn run_bad_input(_: &mut Context) -> Result<()> {
    let model = onnx::sum_and_product(16);
    file("sum.onnx", &model)?;
    file("half.onnx", &model[..model.len() / 2])?;
    file("empty.onnx", b"")?;
    file("rubbish.onnx", &pattern(3000, 1))?;
    file("short.bin", &[0; 63])?;
    file("long.bin", &[0; 65])?;
    bad("ax650 run nothing.onnx", code::FAILURE, &["nothing.onnx"])?;
    bad("ax650 run /tmp", code::FAILURE, &["/tmp"])?;
    bad("ax650 run empty.onnx", code::FAILURE, &["empty.onnx"])?;
    for broken in ["half.onnx", "rubbish.onnx"] {
        let output = run_as(None, &format!("ax650 run {broken}"), LIMIT)?;
        ensure!(
            output.code == code::FAILURE,
            "{broken}: {}: {}",
            output.code,
            output.err
        );
        ensure!(
            output.err.lines().count() == 1 && output.err.contains(broken),
            "{}",
            output.err
        );
    }
    bad(
        "ax650 run sum.onnx -i a=short.bin",
        code::FAILURE,
        &["short.bin"],
    )?;
    bad(
        "ax650 run sum.onnx -i a=long.bin",
        code::FAILURE,
        &["long.bin"],
    )?;
    bad("ax650 run sum.onnx -i c=short.bin", code::FAILURE, &["c"])?;
    bad(
        "ax650 run sum.onnx -i missing.bin",
        code::FAILURE,
        &["missing.bin"],
    )?;
    bad("ax650 run sum.onnx --group 7", code::FAILURE, &["7"])?;
    bad(
        "ax650 run sum.onnx -o sum.onnx",
        code::FAILURE,
        &["sum.onnx"],
    )?;
    left_clean()
}

/// Moving bars, in planar 4:2:0.
pub(super) fn yuv(width: usize, height: usize, pictures: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for n in 0..pictures {
        for y in 0..height {
            bytes.extend((0..width).map(|x| ((x + y + 8 * n) / 2 % 200 + 20) as u8));
        }
        bytes.extend(vec![128; width * height / 2]);
    }
    bytes
}

fn encode_decode_transcode(_: &mut Context) -> Result<()> {
    const PICTURES: usize = 12;
    file("in.yuv", &yuv(320, 192, PICTURES))?;
    good("ax650 encode in.yuv -s 320x192 -o clip.mp4 -q")?;
    good("ax650 encode in.yuv -s 320x192 -o clip.h265 -q")?;
    good("ax650 encode in.yuv -s 320x192 -o picture.jpg -q")?;
    for input in ["clip.mp4", "clip.h265"] {
        good(&format!("ax650 decode {input} -o out.yuv -q --force"))?;
        let size = std::fs::metadata("/tmp/cli/out.yuv")?.len() as usize;
        ensure!(
            size == 320 * 192 * 3 / 2 * PICTURES,
            "{input}: {size} bytes"
        );
    }
    let lines = good("ax650 decode clip.mp4 --md5")?;
    ensure!(
        lines.lines().filter(|l| !l.starts_with('#')).count() == PICTURES,
        "{lines}"
    );
    good("ax650 transcode clip.mp4 -o other.h265 -q")?;
    good("ax650 decode other.h265 -o again.yuv -q")?;
    ensure!(
        std::fs::metadata("/tmp/cli/again.yuv")?.len() as usize == 320 * 192 * 3 / 2 * PICTURES
    );
    left_clean()
}

fn media_bad_input(_: &mut Context) -> Result<()> {
    file("in.yuv", &yuv(320, 192, 4))?;
    good("ax650 encode in.yuv -s 320x192 -o clip.mp4 -q --force")?;
    let clip = std::fs::read("/tmp/cli/clip.mp4")?;
    file("half.mp4", &clip[..clip.len() / 2])?;
    file("rubbish.mp4", &pattern(20_000, 4))?;
    file("rubbish.h264", &pattern(20_000, 5))?;
    file("rubbish.jpg", &pattern(20_000, 6))?;
    file("empty.h264", b"")?;
    file("text.txt", b"hello")?;
    for input in [
        "nothing.mp4",
        "half.mp4",
        "rubbish.mp4",
        "rubbish.h264",
        "rubbish.jpg",
        "empty.h264",
        "text.txt",
    ] {
        bad(
            &format!("ax650 decode {input} -o bad.yuv -q"),
            code::FAILURE,
            &[input],
        )?;
        ensure!(
            !Path::new("/tmp/cli/bad.yuv").exists(),
            "{input}: left an output behind"
        );
    }
    bad(
        "ax650 decode clip.mp4 -o /nowhere/out.yuv -q",
        code::FAILURE,
        &["/nowhere/out.yuv"],
    )?;
    bad(
        "ax650 encode in.yuv -o out.mp4 -q",
        code::FAILURE,
        &["size"],
    )
    .or_else(|_| bad("ax650 encode in.yuv -o out.mp4 -q", code::USAGE, &["size"]))?;
    // Not a whole number of pictures.
    bad(
        "ax650 encode in.yuv -s 322x192 -o out.mp4 -q",
        code::FAILURE,
        &["in.yuv"],
    )?;
    bad(
        "ax650 encode nothing.yuv -s 320x192 -o out.mp4 -q",
        code::FAILURE,
        &["nothing.yuv"],
    )?;
    left_clean()
}

fn wrong_arguments(_: &mut Context) -> Result<()> {
    for line in [
        "ax650",
        "ax650 nonsense",
        "ax650 run",
        "ax650 run x --repeat 0",
        "ax650 run x --repeat many",
        "ax650 decode x",
        "ax650 encode x -o y -s 0x0",
        "ax650 encode x -o y -s 99999x99999",
        "ax650 bench --sizes 0",
        "ax650 info --watch=-1",
        "ax650 --nonsense",
        "ax650-fw",
        "ax650-fw nonsense",
    ] {
        bad(line, code::USAGE, &[])?;
    }
    good("ax650 --help")?;
    good("ax650 --version")?;
    good("ax650-fw --help").map(drop)
}

fn no_such_card(_: &mut Context) -> Result<()> {
    bad("ax650 info -d 7", code::NO_CARD, &["7"])?;
    bad("ax650 info -d /dev/ax650-7", code::NO_CARD, &["ax650-7"])?;
    bad(
        "ax650 info -d 0000:77:00.0",
        code::NO_CARD,
        &["0000:77:00.0"],
    )?;
    let output = run_as(None, "ax650 info -d /dev/null", LIMIT)?;
    ensure!(
        output.code != 0 && output.err.lines().count() == 1,
        "{}",
        output.err
    );
    bad("ax650 run x.onnx -d 7", code::NO_CARD, &["7"]).or_else(|_| {
        // The model's file may be looked at first.
        bad("ax650 run x.onnx -d 7", code::FAILURE, &["x.onnx"])
    })
}

fn no_card_at_all(_: &mut Context) -> Result<()> {
    let look = || -> Result<()> {
        bad("ax650 info", code::NO_CARD, &[])?;
        bad("ax650 bench", code::NO_CARD, &[])?;
        let list = run_as(None, "ax650 list --json", LIMIT)?;
        let json: Value = serde_json::from_str(&list.out)?;
        ensure!(json == serde_json::json!([]), "{json}");
        ensure!(list.code == code::NO_CARD, "list --json: {}", list.code);
        bad("ax650 list", code::NO_CARD, &[])?;
        let check = run_as(None, "ax650 check", LIMIT)?;
        ensure!(check.code == code::PROBLEMS, "check: {}", check.code);
        ensure!(
            check.out.contains("no PCI device 1f4b:0650"),
            "{}",
            check.out
        );
        Ok(())
    };
    // Without the module, and with it: it loads where there is no card.
    look().context("module not loaded")?;
    kernel::load_module("")?;
    look().context("module loaded")?;
    kernel::unload_module()?;
    Ok(())
}

fn no_permission(_: &mut Context) -> Result<()> {
    // sysfs is for everybody.
    let list = run_as(Some(1000), "ax650 list", LIMIT)?;
    let words = [card::address(0)?, "running".into(), "Gen".into()];
    for word in &words {
        ensure!(
            list.code == 0 && list.out.contains(word),
            "{}{}",
            list.out,
            list.err
        );
    }
    let info = run_as(Some(1000), "ax650 info", LIMIT)?;
    for word in words
        .iter()
        .map(String::as_str)
        .chain(["Heartbeat", "Firmware"])
    {
        ensure!(info.out.contains(word), "no {word} in: {}", info.out);
    }
    for line in ["ax650 info", "ax650 bench", "ax650 reset --yes"] {
        bad_as(Some(1000), line, code::PERMISSION, &["/dev/ax650-0"])?;
    }
    left_clean()
}

fn card_not_ready(_: &mut Context) -> Result<()> {
    let card = Card::open(0)?;
    card.control(AX650_CONTROL_RESET, 0)?;
    card.wait_state(AX650_STATE_LOADER, BOOT)?;
    file("sum.onnx", &onnx::sum_and_product(16))?;
    bad("ax650 run sum.onnx", code::CARD, &["not running"])?;
    // What needs no session still works.
    ensure!(good("ax650 info")?.contains("loader"));
    card.make_running()?;
    good("ax650 run sum.onnx")?;
    left_clean()
}

/// Reset, dumb, pulled: an end with a reason, each time.
fn card_dies_in_mid_run(context: &mut Context) -> Result<()> {
    file("sum.onnx", &onnx::sum_and_product(16))?;
    let run = || {
        std::thread::spawn(|| {
            run_as(
                None,
                "ax650 run sum.onnx --repeat 10000000 --timeout 5",
                Duration::from_secs(60),
            )
        })
    };
    let ended = |worker: std::thread::JoinHandle<Result<Output>>, what: &str| -> Result<()> {
        let output = worker.join().map_err(|_| anyhow::anyhow!("panic"))??;
        let fitting = [code::CARD, code::NO_CARD];
        ensure!(
            fitting.contains(&output.code),
            "{what}: exit code {}: {}",
            output.code,
            output.err
        );
        ensure!(
            output.err.trim().lines().count() == 1,
            "{what}: {}",
            output.err
        );
        eprintln!("{what}: {}", output.err.trim());
        Ok(())
    };
    let card = Card::open(0)?;
    let worker = run();
    runs_well(&card)?;
    card.control(AX650_CONTROL_BOOT, 0)?;
    ended(worker, "reset")?;
    card.make_running()?;
    let worker = run();
    runs_well(&card)?;
    context.host.switch(0, "rpc.drop", true)?;
    ended(worker, "dumb")?;
    context.host.clear(0)?;
    let worker = run();
    runs_well(&card)?;
    context.host.unplug(0)?;
    ended(worker, "pulled")?;
    drop(card);
    context.host.plug(0)?;
    Card::open(0)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
    left_clean()
}

/// Waits until a client of the card has got through its preparations.
fn runs_well(card: &Card) -> Result<()> {
    let limit = Duration::from_secs(20) * runner::slowness();
    kernel::until("the program at work", limit, || {
        Ok(card.clients()?.iter().any(|client| client.jobs > 30))
    })
}

fn interrupted_in_mid_run(_: &mut Context) -> Result<()> {
    file("sum.onnx", &onnx::sum_and_product(16))?;
    let mut child = Command::new("/bin/ax650")
        .args(["run", "sum.onnx", "--repeat", "10000000"])
        .current_dir("/tmp/cli")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    runs_well(&Card::open(0)?)?;
    // SAFETY: plain system call; the child has not been reaped.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let begin = Instant::now();
    let mut status = None;
    kernel::until("the end of the program", Duration::from_secs(10), || {
        status = child.try_wait()?;
        Ok(status.is_some())
    })?;
    ensure!(
        begin.elapsed() < Duration::from_secs(2) * runner::slowness(),
        "{:?}",
        begin.elapsed()
    );
    let status = status.context("no status")?;
    use std::os::unix::process::ExitStatusExt;
    ensure!(
        status.code() == Some(code::INTERRUPTED) || status.signal() == Some(libc::SIGINT),
        "{status}"
    );
    left_clean()
}

fn reset_needs_root_and_works(_: &mut Context) -> Result<()> {
    let generation = Card::open(0)?.info()?.generation;
    good("ax650 reset --yes")?;
    let info = Card::open(0)?.info()?;
    ensure!(
        info.state == AX650_STATE_RUNNING && info.generation == generation + 1,
        "{info:?}"
    );
    // In the group of the node, but without the capability.
    let node = card::node(0)?.context("no node")?;
    let path = std::ffi::CString::new(node.to_string_lossy().as_bytes())?;
    // SAFETY: a valid path.
    ensure!(unsafe { libc::chown(path.as_ptr(), 0, 1000) } == 0);
    let result = bad_as(Some(1000), "ax650 reset --yes", code::PERMISSION, &[])
        .and_then(|()| run_as(Some(1000), "ax650 info", LIMIT))
        .and_then(|output| {
            ensure!(output.code == 0, "a member of the group: {}", output.err);
            Ok(())
        });
    // SAFETY: as above.
    unsafe { libc::chown(path.as_ptr(), 0, 0) };
    result?;
    ensure!(
        Card::open(0)?.info()?.generation == generation + 1,
        "a user has reset the card"
    );
    left_clean()
}

fn bench_measures(_: &mut Context) -> Result<()> {
    let text = good("ax650 bench --calls 50 --sizes 64k,1M --volume 4M --json")?;
    let json: Value = serde_json::from_str(&text)?;
    ensure!(json.is_object(), "{json}");
    left_clean()
}

fn fw_tool_boots_the_card(_: &mut Context) -> Result<()> {
    const FILE: &str = "/lib/firmware/axcl/ax650_card.pac";
    good(&format!("ax650-fw inspect {FILE}"))?;
    good(&format!("ax650-fw verify {FILE}"))?;
    let generation = Card::open(0)?.info()?.generation;
    good("ax650-fw boot 0")?;
    let info = Card::open(0)?.info()?;
    ensure!(
        info.state == AX650_STATE_RUNNING && info.generation > generation,
        "{info:?}"
    );
    left_clean()
}

fn fw_tool_bad_input(_: &mut Context) -> Result<()> {
    file("rubbish.pac", &pattern(5000, 9))?;
    file("empty.pac", b"")?;
    for name in ["rubbish.pac", "empty.pac", "nothing.pac"] {
        for command in ["inspect", "verify"] {
            let line = format!("ax650-fw {command} {name}");
            let output = run_as(None, &line, LIMIT)?;
            ensure!(output.code != 0, "{line}: accepted");
            ensure!(
                output.err.trim().lines().count() == 1,
                "{line}: {}",
                output.err
            );
            ensure!(output.err.contains(name), "{line}: {}", output.err);
        }
    }
    let output = run_as(None, "ax650-fw boot 9", LIMIT)?;
    ensure!(
        output.code != 0 && output.err.trim().lines().count() == 1,
        "{}",
        output.err
    );
    Ok(())
}

/// Lets the card come out of a boot dead, and gives its firmware back with the end.
struct WithoutFirmware;

const FIRMWARE: &str = "/lib/firmware/axcl/ax650_card.pac";

impl WithoutFirmware {
    fn new() -> Result<Self> {
        std::fs::rename(FIRMWARE, "/lib/firmware/away.pac")?;
        Ok(Self)
    }
}

impl Drop for WithoutFirmware {
    fn drop(&mut self) {
        let _ = std::fs::rename("/lib/firmware/away.pac", FIRMWARE);
    }
}

/// Kills the card: there is no firmware for it.
fn dead_card() -> Result<WithoutFirmware> {
    let missing = WithoutFirmware::new()?;
    let card = Card::open(0)?;
    card.control(AX650_CONTROL_BOOT, 0)?;
    card.wait_state(AX650_STATE_DEAD, BOOT)?;
    Ok(missing)
}

fn F2_reset_of_a_dead_card(_: &mut Context) -> Result<()> {
    for program in ["ax650 reset --yes", "ax650-fw boot 0"] {
        drop(dead_card()?);
        let out = good(program)?;
        let last = out.lines().last().unwrap_or_default();
        // C4: with a version.
        ensure!(
            last.contains("ax650-0: running, firmware "),
            "{program}: {last}"
        );
        ensure!(!last.contains("not reported"), "{program}: {last}");
        ensure!(Card::open(0)?.info()?.state == AX650_STATE_RUNNING);
    }
    left_clean()
}

fn F4_missing_firmware_is_named(_: &mut Context) -> Result<()> {
    let missing = dead_card()?;
    let info = run_as(None, "ax650 info", LIMIT)?;
    for (what, text) in [
        ("info", &info.out),
        ("check", &run_as(None, "ax650 check", LIMIT)?.out),
        ("user's info", &run_as(Some(1000), "ax650 info", LIMIT)?.out),
        ("reset", &run_as(None, "ax650 reset --yes", LIMIT)?.err),
    ] {
        for word in ["dead", FIRMWARE, "ax650 reset"] {
            let known = what != "reset" || word != "dead";
            ensure!(
                !known || text.contains(word),
                "{what}: no {word} in: {text}"
            );
        }
    }
    bad("ax650 reset --yes", code::CARD, &[FIRMWARE, "install it"])?;
    drop(missing);
    good("ax650 reset --yes")?;
    left_clean()
}

/// The card stays on the bus and beats, but answers no call.
fn F5_silent_card_is_shown(context: &mut Context) -> Result<()> {
    context.host.switch(0, "rpc.drop", true)?;
    let shown = run_as(None, "ax650 info", LIMIT)?;
    let json = run_as(None, "ax650 info --json", LIMIT)?;
    context.host.clear(0)?;
    // Sooner or later the driver resets such a card: then it has no telemetry, which is in order.
    ensure!(
        [0, code::CARD].contains(&shown.code),
        "{}: {}",
        shown.code,
        shown.err
    );
    for word in ["State", "Heartbeat", &card::address(0)?, "Gen", "Driver"] {
        ensure!(
            shown.out.contains(word),
            "no {word} in: {}{}",
            shown.out,
            shown.err
        );
    }
    let json: Value = serde_json::from_str(&json.out)?;
    ensure!(json["state"].is_string(), "{json}");
    Card::open(0)?.make_running()?;
    left_clean()
}

/// The first interrupt ends the program while the card, which is slow, gets the model.
fn F6_interrupted_while_loading(context: &mut Context) -> Result<()> {
    file("sum.onnx", &onnx::sum_and_product(16))?;
    // There are six calls at least before the first run, where the program would look for an interrupt.
    context.host.switch(0, "rpc.delay_ms", 5000)?;
    let mut child = Command::new("/bin/ax650")
        .args(["run", "sum.onnx"])
        .current_dir("/tmp/cli")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    std::thread::sleep(Duration::from_secs(3));
    ensure!(child.try_wait()?.is_none(), "ended by itself");
    // SAFETY: plain system call; the child has not been reaped.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let mut status = None;
    let limit = Duration::from_secs(10) * runner::slowness();
    let ended = kernel::until("the end of the program", limit, || {
        status = child.try_wait()?;
        Ok(status.is_some())
    });
    let _ = child.kill();
    context.host.clear(0)?;
    ended?;
    let status = status.context("no status")?;
    ensure!(status.code() == Some(code::INTERRUPTED), "{status}");
    Card::open(0)?.make_running()?;
    left_clean()
}

fn F10_one_way_to_name_a_card(_: &mut Context) -> Result<()> {
    let address = card::address(0)?;
    let short = address.trim_start_matches("0000:").to_owned();
    for name in ["0", "ax650-0", "/dev/ax650-0", &address, &short] {
        good(&format!("ax650 info -d {name}"))?;
        checked(&format!("ax650 check -d {name}"))?;
        good(&format!("ax650-fw boot {name} --if-needed"))?;
        good(&format!("ax650-fw boot -d {name} --if-needed"))?;
    }
    for (variable, code) in [("0", 0), ("7", code::NO_CARD)] {
        for words in [&["ax650", "info"][..], &["ax650-fw", "boot", "--if-needed"]] {
            let output = Command::new(format!("/bin/{}", words[0]))
                .args(&words[1..])
                .env("AX650_DEVICE", variable)
                .stdin(Stdio::null())
                .output()?;
            ensure!(output.status.code() == Some(code), "{words:?}: {output:?}");
        }
    }
    // The library's log, where it is asked for.
    let output = run_as(None, "ax650 list", LIMIT)?;
    ensure!(output.err.is_empty(), "{}", output.err);
    let output = run_as(None, "ax650 info -v", LIMIT)?;
    ensure!(
        output.code == 0 && output.err.contains("DEBUG"),
        "{}",
        output.err
    );
    left_clean()
}

/// The data's fault, not the card's.
fn F10_refused_models(_: &mut Context) -> Result<()> {
    file("text.txt", b"hello world, this is no model\n")?;
    bad(
        "ax650 run text.txt",
        code::FAILURE,
        &["text.txt", "text file"],
    )?;
    file("sum.onnx", &onnx::sum_and_product(16))?;
    bad(
        "ax650 run sum.onnx -i c=nothing.bin",
        code::FAILURE,
        &["no input `c`"],
    )?;
    bad("ax650 run - -i -", code::USAGE, &["more than once"])?;
    // From a pipe.
    let output = Command::new("/bin/ax650")
        .args(["run", "-"])
        .stdin(std::fs::File::open("/tmp/cli/sum.onnx")?)
        .output()?;
    ensure!(output.status.success(), "{output:?}");
    left_clean()
}

/// Nothing has failed; the emulated card's link is narrower than it could be.
fn checked(line: &str) -> Result<String> {
    let output = run_as(None, line, LIMIT)?;
    ensure!(
        [0, code::WARNINGS].contains(&output.code),
        "{line}: {}: {}",
        output.code,
        output.out
    );
    Ok(output.out)
}

fn check_finds_what_is_wrong(_: &mut Context) -> Result<()> {
    let json: Value = serde_json::from_str(&checked("ax650 check --json")?)?;
    let findings = json["findings"].as_array().context("no findings")?;
    ensure!(findings.len() >= 7, "{json}");
    for finding in findings {
        let usual = finding["level"] == "ok" || finding["check"] == "link";
        ensure!(usual, "{finding}");
    }
    // What is missing for a user, by its real name.
    let output = run_as(Some(1000), "ax650 check", LIMIT)?;
    ensure!(output.code == code::PROBLEMS, "{}", output.out);
    ensure!(
        output.out.contains("may not open /dev/ax650-0"),
        "{}",
        output.out
    );
    // No driver.
    let address = card::address(0)?;
    let driver = "/sys/bus/pci/drivers/ax650";
    std::fs::write(format!("{driver}/unbind"), &address)?;
    let output = run_as(Some(1000), "ax650 check", LIMIT)?;
    let list = run_as(None, "ax650 list", LIMIT)?;
    std::fs::write(format!("{driver}/bind"), &address)?;
    ensure!(output.code == code::PROBLEMS, "{}", output.out);
    ensure!(
        output.out.contains("has no driver, although"),
        "{}",
        output.out
    );
    ensure!(
        list.code == code::NO_CARD && list.out.contains("no driver"),
        "{}",
        list.out
    );
    Card::open(0)?.wait_state(AX650_STATE_RUNNING, BOOT)?;
    left_clean()
}

fn log_of_the_card(_: &mut Context) -> Result<()> {
    let log = good("ax650 log")?;
    ensure!(log.contains("daemon started"), "{log}");
    good("ax650 log -o card.log")?;
    let file = std::fs::read_to_string("/tmp/cli/card.log")?;
    ensure!(file.contains("daemon started"), "{file}");
    left_clean()
}

/// A full disk, or nothing at all, behind standard output: one line and a status, no panic.
fn standard_streams(_: &mut Context) -> Result<()> {
    file("sum.onnx", &onnx::sum_and_product(16))?;
    for line in [
        "ax650 list",
        "ax650 info --json",
        "ax650 check",
        "ax650 log",
        "ax650 run sum.onnx",
        "ax650-fw verify /lib/firmware/axcl/ax650_card.pac",
    ] {
        for end in [">/dev/full", ">&-"] {
            let output = Command::new("/bin/sh")
                .args(["-c", &format!("{line} {end}")])
                .current_dir("/tmp/cli")
                .stdin(Stdio::null())
                .output()?;
            let errors = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.code() == Some(1), "{line} {end}: {output:?}");
            ensure!(
                errors.lines().count() == 1 && !errors.contains("panicked"),
                "{line} {end}: {errors}"
            );
        }
    }
    left_clean()
}
