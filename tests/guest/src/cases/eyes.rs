// SPDX-License-Identifier: MIT OR Apache-2.0

//! What others see of a card: busy time, memory, uevents, fdinfo, events, coredumps.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use ax650::Model;
use ax650_uapi::*;
use serde_json::json;

use crate::card::{self, Card, BOOT};
use crate::case::{skip, Context};
use crate::client::{canary, Client, PATIENCE};
use crate::{kernel, onnx};

crate::cases!["eyes":
    sysfs_is_as_documented,
    busy_time_and_memory,
    uevents_of_a_boot { timeout_s: 90 },
    fdinfo_while_a_model_runs,
    events_of_a_job,
    coredump_of_a_card_that_resets_itself { timeout_s: 120 },
];

const DOCUMENT: &str = include_str!("../../../../docs/ABI/sysfs-driver-ax650");

/// Each file of the document is there with its mode; what it says can be read.
fn sysfs_is_as_documented(_: &mut Context) -> Result<()> {
    let dir = card::sysfs(0)?;
    let mut names = Vec::new();
    for entry in DOCUMENT.split("What:").skip(1) {
        let path = entry.lines().next().context("a path")?.trim();
        let name = path.rsplit('/').next().context("a name")?;
        let mode = std::fs::metadata(dir.join(name))
            .with_context(|| name.to_owned())?
            .permissions()
            .mode()
            & 0o777;
        let wanted = if entry.contains("Write-only") {
            0o200
        } else {
            0o444
        };
        ensure!(mode == wanted, "{name}: {mode:o}");
        if mode == 0o444 {
            let text = kernel::read(dir.join(name)).with_context(|| name.to_owned())?;
            ensure!(!text.contains('\n'), "{name}: {text}");
        }
        names.push(name);
    }
    ensure!(names.len() == 11, "{names:?}");
    Ok(())
}

fn attribute(name: &str) -> Result<u64> {
    let text = kernel::read(card::sysfs(0)?.join(name))?;
    text.parse().with_context(|| format!("{name}: {text}"))
}

/// Starts a run that takes at least as long as answers wait.
fn slow_run(context: &mut Context, during: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let session = ax650::Card::open_first()?.session()?;
    let model = Model::load_bytes(&session, &onnx::binary("Add", &["x", "x"], &["y"], 16))?;
    // With all calls but that of the run behind it.
    let binding = model.bind(0)?;
    binding.run()?;
    context.host.switch(0, "rpc.delay_ms", 1500)?;
    let begin = Instant::now();
    let result = std::thread::scope(|scope| {
        let run = scope.spawn(|| binding.run().map(drop));
        std::thread::sleep(Duration::from_millis(700));
        let result = during();
        run.join().map_err(|_| anyhow::anyhow!("panic"))??;
        result
    });
    context.host.clear(0)?;
    result.map(|()| begin.elapsed())
}

/// Time passes while a model runs, and at no other time; memory is what the card says.
fn busy_time_and_memory(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    let before = attribute("npu_busy_time_us")?;
    client.works()?;
    ensure!(
        attribute("npu_busy_time_us")? == before,
        "busy without a model"
    );
    let mut between = 0;
    let took = slow_run(context, || {
        between = attribute("npu_busy_time_us")?;
        std::thread::sleep(Duration::from_millis(100));
        let later = attribute("npu_busy_time_us")?;
        ensure!(later >= between + 100_000, "{between}, then {later}");
        Ok(())
    })?;
    let after = attribute("npu_busy_time_us")?;
    let busy = Duration::from_micros(after - before);
    eprintln!("busy for {busy:?} of {took:?}");
    ensure!(
        after > between && between > before,
        "{before} {between} {after}"
    );
    // One run that waited, and a short one before it.
    ensure!(busy >= Duration::from_millis(1400), "{busy:?}");
    ensure!(
        busy <= took + Duration::from_secs(1),
        "{busy:?} in {took:?}"
    );
    std::thread::sleep(Duration::from_millis(50));
    ensure!(
        attribute("npu_busy_time_us")? == after,
        "busy when all is over"
    );

    let used = || attribute("npu_memory_utilization");
    let total = attribute("npu_memory_total")?;
    let telemetry = client.card.telemetry()?;
    ensure!(total == telemetry.cmm_total, "{total}, {telemetry:?}");
    let second = Duration::from_millis(1100);
    std::thread::sleep(second);
    let first = used()?;
    let address = client.malloc(8 << 20)?;
    std::thread::sleep(second);
    ensure!(used()? >= first + (8 << 20), "{first}, then {}", used()?);
    client.free(address)?;
    Ok(())
}

/// A socket that hears the kernel's uevents.
fn uevents() -> Result<OwnedFd> {
    const NETLINK_KOBJECT_UEVENT: i32 = 15;
    // SAFETY: plain system calls; the address is a whole structure.
    unsafe {
        let fd = libc::socket(
            libc::AF_NETLINK,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
            NETLINK_KOBJECT_UEVENT,
        );
        ensure!(fd >= 0, "socket: {}", std::io::Error::last_os_error());
        let fd = OwnedFd::from_raw_fd(fd);
        let mut address: libc::sockaddr_nl = std::mem::zeroed();
        address.nl_family = libc::AF_NETLINK as u16;
        address.nl_groups = 1;
        let length = size_of::<libc::sockaddr_nl>() as u32;
        let bound = libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length);
        ensure!(bound == 0, "bind: {}", std::io::Error::last_os_error());
        Ok(fd)
    }
}

/// Takes what was heard: the variables of each event.
fn heard(socket: &OwnedFd) -> Vec<BTreeMap<String, String>> {
    let mut events = Vec::new();
    let mut text = [0u8; 8192];
    loop {
        // SAFETY: writes into `text` only.
        let len =
            unsafe { libc::recv(socket.as_raw_fd(), text.as_mut_ptr().cast(), text.len(), 0) };
        let Ok(len) = usize::try_from(len) else {
            return events;
        };
        let text = String::from_utf8_lossy(&text[..len]);
        let pairs = text.split('\0').filter_map(|word| word.split_once('='));
        events.push(pairs.map(|(k, v)| (k.into(), v.into())).collect());
    }
}

/// All states of a boot are told, in order, once each; who polls the file is woken.
fn uevents_of_a_boot(_: &mut Context) -> Result<()> {
    let socket = uevents()?;
    let card = Card::open(0)?;
    let address = card::address(0)?;
    card.control(AX650_CONTROL_RESET, 0)?;
    card.wait_state(AX650_STATE_LOADER, BOOT)?;
    let mut file = std::fs::File::open(card::sysfs(0)?.join("state"))?;
    let mut state = String::new();
    std::io::Read::read_to_string(&mut file, &mut state)?;
    card.control(AX650_CONTROL_BOOT, 0)?;
    let woken = kernel::poll(file.as_raw_fd(), libc::POLLPRI, PATIENCE)?;
    ensure!(woken & libc::POLLPRI != 0, "poll: {woken:#x}");
    card.wait_state(AX650_STATE_RUNNING, BOOT)?;
    let mut states = Vec::new();
    kernel::until("the last event", PATIENCE, || {
        for event in heard(&socket) {
            let get = |name: &str| event.get(name).map(String::as_str).unwrap_or("");
            if let (Some(state), true) = (event.get("STATE"), get("PCI_SLOT_NAME") == address) {
                ensure!(
                    get("ACTION") == "change" && get("SUBSYSTEM") == "pci",
                    "{event:?}"
                );
                states.push(state.clone());
            }
        }
        Ok(states.last().is_some_and(|state| state == "running"))
    })?;
    // A card in its loader may or may not be reset once more.
    states.dedup();
    let text = states.join(" ");
    let end = "loader booting handshake running";
    ensure!(
        text.starts_with("resetting loader") && text.ends_with(end),
        "{text}"
    );
    Ok(())
}

/// The keys of all open files of the driver in this process.
fn fdinfo() -> Result<Vec<BTreeMap<String, String>>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fdinfo")? {
        let Ok(text) = std::fs::read_to_string(entry?.path()) else {
            continue;
        };
        let pairs = text.lines().filter_map(|line| line.split_once(":\t"));
        let keys: BTreeMap<String, String> = pairs.map(|(k, v)| (k.into(), v.into())).collect();
        if keys
            .get("drm-driver")
            .is_some_and(|driver| driver == "ax650")
        {
            files.push(keys);
        }
    }
    Ok(files)
}

/// A number of a file, with this unit behind it.
fn number(file: &BTreeMap<String, String>, key: &str, unit: &str) -> Result<u64> {
    let text = file
        .get(key)
        .with_context(|| format!("no {key}: {file:?}"))?;
    let digits = text
        .strip_suffix(unit)
        .with_context(|| format!("{key}: {text}"))?;
    digits
        .trim_end()
        .parse()
        .with_context(|| format!("{key}: {text}"))
}

/// Each file has its own numbers; those of the one that runs a model grow while it does.
fn fdinfo_while_a_model_runs(context: &mut Context) -> Result<()> {
    let mut client = Client::new(0)?;
    client.works()?;
    let address = client.malloc(3 << 20)?;
    let buffer = client.buffer(1 << 20)?;
    let [file] = &fdinfo()?[..] else {
        anyhow::bail!("{:?}", fdinfo()?);
    };
    let pdev = card::address(0)?;
    ensure!(file["drm-pdev"] == pdev, "{file:?}");
    ensure!(number(file, "drm-engine-npu", "ns")? == 0, "{file:?}");
    // With the room for answers.
    ensure!(
        number(file, "drm-total-system", "KiB")? == 1024 + 64,
        "{file:?}"
    );
    ensure!(
        number(file, "drm-resident-card", "KiB")? == 3072,
        "{file:?}"
    );
    ensure!(number(file, "ax650-sessions", "")? == 1, "{file:?}");
    ensure!(number(file, "ax650-jobs", "")? >= 3, "{file:?}");
    ensure!(
        number(file, "ax650-bytes-to-card", "")? >= 10_000,
        "{file:?}"
    );
    let own = number(file, "drm-client-id", "")?;
    slow_run(context, || {
        let running = |files: &[BTreeMap<String, String>]| -> Result<u64> {
            ensure!(files.len() == 2, "{files:?}");
            let mut other = None;
            for file in files {
                if number(file, "drm-client-id", "")? == own {
                    ensure!(number(file, "drm-engine-npu", "ns")? == 0, "{file:?}");
                } else {
                    other = Some(number(file, "drm-engine-npu", "ns")?);
                }
            }
            other.context("one file only")
        };
        let first = running(&fdinfo()?)?;
        std::thread::sleep(Duration::from_millis(100));
        let second = running(&fdinfo()?)?;
        ensure!(second >= first + 100_000_000, "{first}, then {second}");
        Ok(())
    })?;
    client.give_up(buffer)?;
    client.free(address)?;
    Ok(())
}

/// Finds tracefs, and mounts it where it is not.
fn tracefs() -> Result<PathBuf> {
    let dir = Path::new("/sys/kernel/tracing");
    if !dir.join("events").exists() {
        let mounted = std::process::Command::new("/bin/busybox")
            .args(["mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing"])
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            return skip("this kernel has no tracefs");
        }
    }
    Ok(dir.to_owned())
}

/// Sees the events of a call and a copy, in their order, and none when they are off.
fn events_of_a_job(_: &mut Context) -> Result<()> {
    let dir = tracefs()?;
    let enable = dir.join("events/ax650/enable");
    let mut client = Client::new(0)?;
    // Opening it so empties it.
    std::fs::write(dir.join("trace"), "")?;
    client.echo(b"unseen")?;
    kernel::write(&enable, "1")?;
    client.echo(b"seen")?;
    client.round_trip(10_000, 1)?;
    kernel::write(&enable, "0")?;
    client.echo(b"unseen")?;
    let trace = kernel::read(dir.join("trace"))?;
    let session = client.session.session;
    ensure!(session > 0);
    let events: Vec<(&str, &str)> = trace
        .lines()
        .filter_map(|line| line.split_once(": ax650_")?.1.split_once(": "))
        .collect();
    let address = card::address(0)?;
    ensure!(events.iter().all(|(_, f)| f.contains(&address)), "{trace}");
    let field = |fields: &str, name: &str| {
        let mut words = fields.split(' ').filter_map(|word| word.split_once('='));
        words
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    };
    // The echo is the first job: its events by its number.
    let job = events
        .iter()
        .find(|(name, _)| *name == "job_queued")
        .and_then(|(_, fields)| field(fields, "job"))
        .context(trace.clone())?;
    let own = events
        .iter()
        .filter(|(_, f)| field(f, "job").as_ref() == Some(&job));
    let own: Vec<&(&str, &str)> = own.collect();
    let names: Vec<&str> = own.iter().map(|(name, _)| *name).collect();
    ensure!(
        names == ["job_queued", "step_sent", "step_answered", "job_done"],
        "{trace}"
    );
    ensure!(
        field(own[1].1, "kind").as_deref() == Some("0x00010000"),
        "{trace}"
    );
    ensure!(field(own[3].1, "status").as_deref() == Some("0"), "{trace}");
    let count = |name: &str| events.iter().filter(|(n, _)| *n == name).count();
    // Echo, malloc, copies, free.
    ensure!(
        count("job_queued") == 4 && count("job_done") == 4,
        "{trace}"
    );
    ensure!(
        count("step_sent") == 5 && count("step_answered") == 5,
        "{trace}"
    );
    ensure!(count("doorbell") >= 4, "{trace}");
    let kinds = events.iter().filter(|(_, f)| f.contains("kind=0x41050100"));
    ensure!(kinds.count() == 2, "{trace}");
    Ok(())
}

/// The first coredump there is.
fn coredump() -> Option<PathBuf> {
    let entries = std::fs::read_dir("/sys/class/devcoredump").ok()?;
    let mut data = entries.flatten().map(|entry| entry.path().join("data"));
    data.find(|data| data.exists())
}

/// Tells what happened, and nothing of what clients have sent.
fn coredump_of_a_card_that_resets_itself(context: &mut Context) -> Result<()> {
    if !Path::new("/sys/class/devcoredump").exists() {
        return skip("this kernel has no coredumps of devices");
    }
    // What earlier cases have left.
    while let Some(data) = coredump() {
        std::fs::write(&data, "1")?;
        kernel::until("the dump to go", PATIENCE, || Ok(!data.exists()))?;
    }
    let events = tracefs()?.join("events/ax650/ax650_recovery/enable");
    kernel::write(&events, "1")?;
    let secret = b"nobody but the card is to know of this";
    let mut client = Client::new(0)?;
    client.echo(secret)?;
    let generation = client.card.info()?.generation;
    context.host.card(0, "reset", json!({}))?;
    let mut dump = None;
    kernel::until("a coredump", BOOT, || {
        dump = coredump();
        Ok(dump.is_some())
    })?;
    let data = dump.context("no dump")?;
    ensure!(
        std::fs::metadata(&data)?.permissions().mode() & 0o077 == 0,
        "anybody may read"
    );
    let text = String::from_utf8(std::fs::read(&data)?)?;
    std::fs::write(&data, "1")?;
    ensure!(
        text.starts_with("# ax650 coredump 1\nreason has reset itself\n"),
        "{text}"
    );
    for line in [
        format!("generation {generation}"),
        "state running".into(),
        "region_bytes 4194304".into(),
    ] {
        ensure!(text.lines().any(|l| l == line), "no {line}: {text}");
    }
    let value = |name: &str| -> Result<u64> {
        let found = text
            .lines()
            .find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
        Ok(found
            .with_context(|| format!("no {name}: {text}"))?
            .parse()?)
    };
    ensure!(
        value("sent_messages")? > 0 && value("doorbells")? > 0,
        "{text}"
    );
    // The echo and its answer are among the last messages, by their type.
    let echoes = text.lines().filter(|l| l.ends_with(" 0x00010000")).count();
    ensure!(echoes >= 2, "{echoes}: {text}");
    ensure!(!text.contains("nobody but"), "{text}");
    let trace = kernel::read(tracefs()?.join("trace"))?;
    kernel::write(&events, "0")?;
    ensure!(trace.contains("what=has reset itself"), "{trace}");
    kernel::until("the card to run again", BOOT, || {
        let now = client.card.info()?;
        Ok(now.state == AX650_STATE_RUNNING && now.generation > generation)
    })?;
    canary(0)
}
