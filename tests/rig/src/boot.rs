// SPDX-License-Identifier: MIT OR Apache-2.0

//! One boot of a guest: its cards, its QEMU, its cases.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};

use crate::artifacts::Artifacts;
use crate::case::{Ended, GuestRun, Verdict};
use crate::channel::{lock, Desk, Script};
use crate::child::Group;
use crate::costs::Costs;
use crate::emulator::Emulator;
use crate::judge::{Judge, Next};
use crate::kernel::Kernel;
use crate::profile::Profile;
use crate::qemu::{Console, Machine, Port};
use crate::qmp::Qmp;

/// From the start of QEMU to the first case, on an idle machine with a distribution's kernel.
const BOOT: Duration = Duration::from_secs(120);
/// From the end of the last case to the end of QEMU.
const POWER_OFF: Duration = Duration::from_secs(120);
/// After a panic: time for the rest of the trace.
const LAST_WORDS: Duration = Duration::from_secs(2);

enum Event {
    Console(String),
    Ktap(String),
}

/// What is needed for any boot.
pub struct Bench<'a> {
    /// kernels, programs
    pub artifacts: &'a Artifacts,
    /// logs go to directories in this one
    pub logs: &'a Path,
    /// what operations cost
    pub costs: &'a Arc<Costs>,
    /// called for each case that has ended
    pub report: &'a (dyn Fn(&Ended, &Path) + Sync),
    /// called for each line of the console and of KTAP
    pub echo: &'a (dyn Fn(&str) + Sync),
}

/// A guest and its cards; all of it ends when this is dropped.
pub struct Guest {
    qemu: Group,
    desk: Arc<Desk>,
    events: Receiver<Event>,
    console: UnixStream,
    logs: PathBuf,
    _sockets: tempfile::TempDir,
}

impl Guest {
    /// Starts cards and guest.  `run` is what the guest's init runs.
    fn start(
        bench: &Bench<'_>,
        kernel: Kernel,
        profile: &Profile,
        script: Script,
        logs: &Path,
    ) -> Result<Self> {
        let artifacts = bench.artifacts;
        std::fs::create_dir_all(logs).with_context(|| format!("cannot make {}", logs.display()))?;
        // Short names: a socket's path has room for 107 bytes.
        let sockets = tempfile::Builder::new().prefix("rig").tempdir()?;
        let dir = sockets.path();
        let mut cards = Vec::new();
        // The driver's order of writes has to be right; switches are cleared before each case.
        let mut args = vec!["--strict".to_owned()];
        args.extend_from_slice(&profile.card_args);
        for index in 0..profile.cards {
            let name = format!("card{index}");
            cards.push(Emulator::start(
                artifacts.emulator()?,
                &args,
                &name,
                dir,
                logs,
            )?);
        }
        let listen = |name: &str| -> Result<(PathBuf, UnixListener)> {
            let path = dir.join(name);
            let listener =
                UnixListener::bind(&path).with_context(|| format!("cannot make {name}"))?;
            Ok((path, listener))
        };
        let (console, console_listener) = listen("console")?;
        let (ktap, ktap_listener) = listen("ktap")?;
        let (host, host_listener) = listen("host")?;
        let arch = artifacts.arch();
        let mut machine = Machine {
            arch,
            kernel,
            vmlinuz: artifacts.vmlinuz(kernel)?.to_owned(),
            initrd: artifacts.initrd(kernel)?.to_owned(),
            append: "ax650.run=/bin/selftest,run,--from-host".into(),
            memory: profile.memory_for(kernel),
            iommu: profile.iommu,
            cards: cards.iter().map(Emulator::socket).collect(),
            switch: profile.switch,
            console: Console::Socket(console),
            ports: vec![
                Port {
                    name: "ax650.ktap",
                    socket: ktap,
                },
                Port {
                    name: "ax650.host",
                    socket: host,
                },
            ],
            share: None,
            monitor: dir.join("qmp"),
            device_tree: None,
        };
        if profile.noncoherent {
            machine.hide_coherence(&dir.join("tree"))?;
        }
        let stderr = std::fs::File::create(logs.join("qemu.log"))?;
        let mut command = machine.command();
        command
            .stdin(Stdio::null())
            .stdout(stderr.try_clone()?)
            .stderr(stderr);
        let mut qemu = Group::spawn(&mut command, arch.qemu())?;

        let deadline = Instant::now() + Duration::from_secs(30);
        let (sender, events) = mpsc::channel();
        let console = accept(&console_listener, &mut qemu, deadline)
            .with_context(|| last_line(&logs.join("qemu.log")))?;
        let ktap = accept(&ktap_listener, &mut qemu, deadline)?;
        let host = accept(&host_listener, &mut qemu, deadline)?;
        forward(
            console.try_clone()?,
            logs.join("console.log"),
            sender.clone(),
            Event::Console,
        )?;
        forward(ktap, logs.join("ktap.log"), sender, Event::Ktap)?;
        let desk = Arc::new(Desk {
            cards: cards.into_iter().map(Mutex::new).collect(),
            qmp: Mutex::new(Qmp::connect(&machine.monitor, deadline)?),
            script: Mutex::new(script),
            judged: Condvar::new(),
            costs: Arc::clone(bench.costs),
            guest: format!("{}{}{profile}", arch.prefix(), kernel.name()),
        });
        let server = Arc::clone(&desk);
        std::thread::spawn(move || server.serve(host));
        Ok(Self {
            qemu,
            desk,
            events,
            console,
            logs: logs.to_owned(),
            _sockets: sockets,
        })
    }

    /// Runs until all cases are judged or the guest is lost; whether it is still good.
    fn run(&mut self, bench: &Bench<'_>, judge: &mut Judge, kernel: Kernel) -> Result<bool> {
        let boot_limit = Instant::now() + BOOT * kernel.slowness();
        let mut lost: Option<(Instant, String)> = None;
        loop {
            match self.events.recv_timeout(Duration::from_millis(100)) {
                Ok(Event::Console(line)) => {
                    (bench.echo)(&line);
                    if line.contains("Kernel panic") && lost.is_none() {
                        lost = Some((Instant::now() + LAST_WORDS, "the guest panicked".into()));
                    }
                    judge.console(&line);
                }
                Ok(Event::Ktap(line)) => {
                    (bench.echo)(&line);
                    judge.ktap(&line);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    lost.get_or_insert((Instant::now(), "QEMU ended".into()));
                }
            }
            if judge.ready() {
                let name = judge
                    .current()
                    .map(|run| run.case.name.clone())
                    .unwrap_or_default();
                if let Some(next) = judge.judge(&self.desk.faults()) {
                    self.desk.case_judged(&name, next == Next::Abandon);
                    if next == Next::Abandon {
                        judge.settle(None);
                        self.report(bench, judge);
                        return Ok(false);
                    }
                }
                if judge.done() {
                    return Ok(true);
                }
            }
            self.report(bench, judge);
            if judge.spoiled() {
                return Ok(false);
            }
            if lost.is_none() {
                lost = self.trouble(judge, boot_limit)?;
            }
            if let Some((when, how)) = &lost {
                if Instant::now() >= *when {
                    self.give_up(bench, judge, how)?;
                    return Ok(false);
                }
            }
        }
    }

    /// What is wrong with the guest, if anything, and until when to go on listening.
    fn trouble(&mut self, judge: &Judge, boot_limit: Instant) -> Result<Option<(Instant, String)>> {
        let now = Instant::now();
        if let Some(status) = self.qemu.poll()? {
            return Ok(Some((now + LAST_WORDS, format!("QEMU ended ({status})"))));
        }
        let script = lock(&self.desk.script);
        if script.unannounced > 0 {
            return Ok(Some((now, "the guest rebooted".into())));
        }
        if script.asked == 0 && now > boot_limit {
            return Ok(Some((now, "the guest did not come up".into())));
        }
        drop(script);
        if judge.late() {
            self.show_blocked_tasks();
            let how = "time-out: neither the case nor the runner answers";
            return Ok(Some((now + LAST_WORDS, how.into())));
        }
        Ok(None)
    }

    /// Makes the guest's kernel write where its tasks hang to the console: SysRq by a break.
    fn show_blocked_tasks(&mut self) {
        let arguments = serde_json::json!({"id": "console"});
        // Best effort: the guest is being given up.
        if lock(&self.desk.qmp)
            .execute("chardev-send-break", &arguments)
            .is_ok()
        {
            let _ = self.console.write_all(b"w");
        }
    }

    fn give_up(&mut self, bench: &Bench<'_>, judge: &mut Judge, how: &str) -> Result<()> {
        let last = judge.last_lines().pop().unwrap_or_default();
        if !judge.guest_lost(how, &self.desk.faults()) {
            bail!("{how}: {last}");
        }
        self.report(bench, judge);
        Ok(())
    }

    /// Reports the cases whose verdict is final.
    fn report(&self, bench: &Bench<'_>, judge: &mut Judge) {
        while let Some(ended) = judge.settled() {
            (bench.report)(&ended, &self.logs);
        }
    }

    /// Lets the guest power off by itself.  The last case answers for what comes of that.
    fn finish(mut self, bench: &Bench<'_>, judge: &mut Judge) {
        let deadline = Instant::now() + POWER_OFF;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(Event::Console(line)) => {
                    (bench.echo)(&line);
                    judge.console(&line);
                }
                Ok(Event::Ktap(_)) => {}
                Err(_) => break,
            }
        }
        let off = matches!(self.qemu.wait_until(deadline), Ok(Some(_)));
        judge.settle((!off).then_some("the guest does not power off"));
        self.report(bench, judge);
    }
}

/// Boots guests until all of `runs`, which share kernel and profile, have been judged.
pub fn run_cases(bench: &Bench<'_>, label: &str, mut runs: Vec<GuestRun>) {
    let mut boot = 0;
    let mut failures = 0;
    while let Some(first) = runs.first() {
        let (kernel, profile) = (first.kernel, first.profile.clone());
        boot += 1;
        let logs = bench.logs.join(format!("{label}-{boot}"));
        let cases = runs.iter().map(|run| run.case.name.clone()).collect();
        let script = Script::new(cases, first.soak);
        let before = runs.len();
        let mut judge = Judge::new(std::mem::take(&mut runs));
        let result = Guest::start(bench, kernel, &profile, script, &logs).and_then(|mut guest| {
            if guest.run(bench, &mut judge, kernel)? {
                guest.finish(bench, &mut judge);
            }
            Ok(())
        });
        let last_lines = judge.last_lines();
        // Whatever has gone wrong here, a case that has ended is not lost.
        judge.settle(None);
        while let Some(ended) = judge.settled() {
            (bench.report)(&ended, &logs);
        }
        runs = judge.into_waiting();
        let Err(error) = result else { continue };
        // Once may be bad luck; a guest that never gets to its cases fails all of them.
        failures = if runs.len() < before { 1 } else { failures + 1 };
        if failures < 2 && !crate::child::interrupted() {
            continue;
        }
        for run in runs.drain(..) {
            let ended = Ended {
                name: run.name(),
                verdict: Verdict::Failed(vec![format!("{error:#}")]),
                time: Duration::ZERO,
                log: last_lines.clone(),
                evidence: true,
            };
            (bench.report)(&ended, &logs);
        }
    }
}

/// Waits for QEMU to connect.
fn accept(listener: &UnixListener, qemu: &mut Group, deadline: Instant) -> Result<UnixStream> {
    listener.set_nonblocking(true)?;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e).context("QEMU's connection"),
        }
        if let Some(status) = qemu.poll()? {
            bail!("QEMU ended at once ({status})");
        }
        if Instant::now() >= deadline {
            bail!("QEMU does not connect");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Copies lines to a log and to the boot's loop.
fn forward(
    stream: UnixStream,
    log: PathBuf,
    sender: Sender<Event>,
    wrap: fn(String) -> Event,
) -> Result<()> {
    let mut log =
        std::fs::File::create(&log).with_context(|| format!("cannot make {}", log.display()))?;
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(n) if n > 0) {
            // A full disk must not stop the guest.
            let _ = log.write_all(&line);
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if sender.send(wrap(text)).is_err() {
                return;
            }
        }
    });
    Ok(())
}

fn last_line(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .last()
        .unwrap_or("QEMU said nothing")
        .to_owned()
}
