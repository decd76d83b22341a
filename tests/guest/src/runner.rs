// SPDX-License-Identifier: MIT OR Apache-2.0

//! Runs cases: each in a process group of its own, with a time limit, between markers in the
//! kernel's log.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use ax650_uapi::{AX650_CONTROL_RESET, AX650_STATE_LOADER};
use serde_json::{json, Value};

use crate::card::{self, Card, BOOT};
use crate::case::{Case, Context, Skip, Start, SOAK};
use crate::random::SEED;
use crate::{cases, host, kernel};

pub use crate::kernel::slowness;

/// How a case ended.
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// Runs what the harness says, until it has no more.
pub fn run_from_host() -> Result<bool> {
    let mut host = host::Host::default();
    let mut ktap = KtapPort;
    let script = host.harness("cases", json!({}))?;
    let names: Vec<&str> = script["cases"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut phase = script["phase"].as_u64().unwrap_or(0);
    if script["soak"] == true {
        std::env::set_var(SOAK, script["part"].as_str().unwrap_or("100"));
    }
    if let Some(seed) = script["seed"].as_str() {
        std::env::set_var(SEED, seed);
    }
    // A task that hangs longer than this is a report in the kernel's log.  A kernel without sysctl
    // has a fitting limit of its own.
    const HUNG_TASK: &str = "/proc/sys/kernel/hung_task_timeout_secs";
    if std::path::Path::new(HUNG_TASK).exists() {
        kernel::write(HUNG_TASK, "45")?;
    }

    header(&mut ktap, names.len())?;
    let mut good = true;
    for (index, name) in names.iter().enumerate() {
        host.harness("begin", json!({"case": name}))?;
        host.close();
        good &= one_of_many(&mut ktap, index + 1, name, phase)?;
        phase = 0;
        let answer = host.harness("end", json!({"case": name}))?;
        if answer["stop"] == true {
            break;
        }
    }
    Ok(good)
}

/// The port for KTAP, opened anew for each write: an open one does not survive the guest's sleep.
struct KtapPort;

impl Write for KtapPort {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        let path = host::port("ax650.ktap").map_err(std::io::Error::other)?;
        File::options().write(true).open(path)?.write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs the named cases, for a user at a prompt.
pub fn run_named(names: &[&str]) -> Result<bool> {
    let mut out = std::io::stdout();
    header(&mut out, names.len())?;
    let mut good = true;
    for (index, name) in names.iter().enumerate() {
        good &= one_of_many(&mut out, index + 1, name, 0)?;
    }
    Ok(good)
}

fn header(ktap: &mut dyn Write, count: usize) -> Result<()> {
    line(ktap, &format!("KTAP version 1\n1..{count}"))
}

/// In one write, whatever `ktap` is.
fn line(ktap: &mut dyn Write, text: &str) -> Result<()> {
    ktap.write_all(format!("{text}\n").as_bytes())?;
    Ok(ktap.flush()?)
}

fn one_of_many(ktap: &mut dyn Write, number: usize, name: &str, phase: u64) -> Result<bool> {
    kernel::log(&format!("ax650-selftest: begin {name}"))?;
    line(ktap, &format!("# start {name}"))?;
    let outcome = match cases::find(name) {
        Some(case) => {
            supervise(case, phase).unwrap_or_else(|e| Outcome::Failed(format!("the runner: {e:#}")))
        }
        None => Outcome::Failed("no such case".into()),
    };
    kernel::log(&format!("ax650-selftest: end {name}"))?;
    // One line, whatever the reason has in it.
    let flat = |text: &str| text.replace('\n', "; ");
    let verdict = match &outcome {
        Outcome::Passed => format!("ok {number} {name}"),
        Outcome::Skipped(why) => format!("ok {number} {name} # SKIP {}", flat(why)),
        Outcome::Failed(why) => format!("not ok {number} {name} # {}", flat(why)),
    };
    line(ktap, &verdict)?;
    Ok(!matches!(outcome, Outcome::Failed(_)))
}

/// Runs a case in a process of its own, which is killed with all of its group at the time limit.
fn supervise(case: &Case, phase: u64) -> Result<Outcome> {
    let mut child = Command::new("/proc/self/exe")
        .args(["case", case.name, &phase.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("cannot start the case's process")?;
    let mut pipe = child.stdout.take().context("no pipe")?;
    let seconds = if std::env::var_os(SOAK).is_some() {
        case.soak_s.max(case.timeout_s)
    } else {
        case.timeout_s
    };
    let limit = Duration::from_secs(seconds) * slowness();
    let deadline = Instant::now() + limit;
    let mut said = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(too_late(&mut child, limit));
        }
        if kernel::poll(pipe.as_raw_fd(), libc::POLLIN, left)? == 0 {
            continue;
        }
        let mut chunk = [0; 4096];
        let n = pipe.read(&mut chunk)?;
        said.extend_from_slice(&chunk[..n]);
        // The case says how it ended as its last words; its children may hold the pipe open.
        if n == 0 || said.ends_with(b"\n") {
            break;
        }
    }
    let status = reap(&mut child, Duration::from_secs(20));
    let Some(status) = status else {
        return Ok(Outcome::Failed("time-out: the process does not end".into()));
    };
    let Ok(result) = serde_json::from_slice::<Value>(&said) else {
        return Ok(Outcome::Failed(format!(
            "the case's process ended without a result ({status})"
        )));
    };
    let reason = result["reason"].as_str().unwrap_or_default().to_owned();
    Ok(match result["outcome"].as_str() {
        Some("passed") => Outcome::Passed,
        Some("skipped") => Outcome::Skipped(reason),
        _ => Outcome::Failed(reason),
    })
}

fn too_late(child: &mut Child, limit: Duration) -> Outcome {
    // Where does it hang?  The answer is in the kernel's log.
    let _ = kernel::write("/proc/sysrq-trigger", "w");
    let mut reason = format!("time-out after {} s", limit.as_secs());
    if reap(child, Duration::from_secs(15)).is_none() {
        reason.push_str(", and its process cannot be killed");
    }
    Outcome::Failed(reason)
}

/// Kills what is left of the case's process group, once its leader has ended or `patience` is
/// over.
fn reap(child: &mut Child, patience: Duration) -> Option<std::process::ExitStatus> {
    let deadline = Instant::now() + patience;
    let group = -(child.id() as i32);
    loop {
        // SAFETY: plain system call; the leader has not been reaped, so the id is its own.
        unsafe { libc::kill(group, libc::SIGKILL) };
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            _ if Instant::now() >= deadline => return None,
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// In the case's process: runs it and says how it ended.
pub fn run_one(name: &str, phase: u64) -> Result<bool> {
    let case = cases::find(name).context("no such case")?;
    // A panic is a failure with a reason, and nothing else may go to the pipe.
    std::panic::set_hook(Box::new(|info| {
        finish("failed", &format!("panic: {info}"));
        std::process::exit(1);
    }));
    let mut context = Context {
        host: host::Host::default(),
        phase,
    };
    let result = if phase == 0 {
        prepare(case).context("set-up")
    } else {
        Ok(())
    };
    let result = result.and_then(|()| (case.run)(&mut context));
    match &result {
        Ok(()) => finish("passed", ""),
        Err(e) => match e.downcast_ref::<Skip>() {
            Some(skip) => finish("skipped", &skip.0),
            None => finish("failed", &format!("{e:#}")),
        },
    }
    Ok(result.is_ok())
}

fn finish(outcome: &str, reason: &str) {
    println!("{}", json!({"outcome": outcome, "reason": reason}));
}

/// Brings module and cards to where the case wants them.
fn prepare(case: &Case) -> Result<()> {
    match case.start {
        Start::Any => Ok(()),
        Start::Unloaded => {
            if kernel::module_loaded() {
                kernel::unload_module().context("unloading the module")?;
            }
            Ok(())
        }
        Start::Running => {
            // The nodes are there only if that is said when the module is loaded.
            if case.concern.starts_with("axcl") {
                ax650_axcl_tests::ready()?;
            }
            if !kernel::module_loaded() {
                kernel::load_module("").context("loading the module")?;
            }
            for card in card::present()? {
                let file = Card::open(card)?;
                file.make_running()
                    .with_context(|| format!("card {card}"))?;
                // Memory that an earlier case has left in quarantine comes back with a reset only.
                if file.counters()?.quarantined_bytes > 0 {
                    file.control(AX650_CONTROL_RESET, 0).context("RESET")?;
                    file.wait_state(AX650_STATE_LOADER, BOOT)?;
                    file.make_running()
                        .with_context(|| format!("card {card}"))?;
                }
                // A card serves some moments before the driver has a session of its own, for telemetry.
                // Whether that comes is not for the set-up to say.
                let _ = kernel::until("telemetry", Duration::from_secs(20), || {
                    Ok(file.telemetry().is_ok())
                });
            }
            Ok(())
        }
    }
}
