// SPDX-License-Identifier: MIT OR Apache-2.0

//! A guest on the terminal: a prompt for people, or one command for scripts such as the demo.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, IsTerminal};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{channel, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};

use crate::artifacts::{Artifacts, Programs};
use crate::child::Group;
use crate::emulator::Emulator;
use crate::kernel::Kernel;
use crate::profile::{Iommu, Profile};
use crate::qemu::{Console, Machine};

/// What runs in the guest, and what it gets.
pub struct Options {
    /// its kernel
    pub kernel: Kernel,
    /// cards in it
    pub cards: usize,
    /// directory of the host on /mnt/share
    pub share: Option<PathBuf>,
    /// directory of the host whose files are copied to /root/demo
    pub files: Option<PathBuf>,
    /// command, its words parted by commas; `None`: a shell
    pub run: Option<String>,
    /// the command may take this long, boot and all
    pub limit: Duration,
}

/// After a silence as long there is a line that says that there is nothing to say.
const SILENCE: Duration = Duration::from_secs(8);

/// What the guest's init prints last.
const STATUS: &str = "init: exit status ";

/// Boots the guest and waits for its end.  With a command: whether that succeeded.
pub fn run(artifacts: &mut Artifacts, options: &Options) -> Result<bool> {
    let programs = match options.run {
        Some(_) => Programs::Tools,
        None => Programs::All,
    };
    artifacts.build(options.kernel, programs)?;
    if let Some(share) = options.share.as_deref().filter(|share| !share.is_dir()) {
        bail!("{} is not a directory", share.display());
    }
    let dir = tempfile::Builder::new().prefix("rig").tempdir()?;
    let initrd = artifacts.initrd(options.kernel)?;
    let initrd = match options.run {
        Some(_) => initrd.to_owned(),
        None => with_files(artifacts, initrd, options.files.as_deref(), dir.path())?,
    };
    let mut cards = Vec::new();
    for index in 0..options.cards {
        let name = format!("card{index}");
        let emulator = artifacts.emulator()?;
        cards.push(Emulator::start(
            emulator,
            &[],
            &name,
            dir.path(),
            dir.path(),
        )?);
    }
    let console = dir.path().join("console");
    let listener = UnixListener::bind(&console)?;
    let arch = artifacts.arch();
    let machine = Machine {
        arch,
        kernel: options.kernel,
        vmlinuz: artifacts.vmlinuz(options.kernel)?.to_owned(),
        initrd,
        append: options.run.as_ref().map_or_else(
            || "quiet".to_owned(),
            |command| format!("quiet ax650.run={command}"),
        ),
        memory: Profile::default().memory_for(options.kernel),
        iommu: Iommu::On,
        cards: cards.iter().map(Emulator::socket).collect(),
        switch: false,
        console: if options.run.is_some() {
            Console::Socket(console)
        } else {
            Console::Terminal
        },
        ports: Vec::new(),
        share: options.share.clone(),
        monitor: dir.path().join("qmp"),
        device_tree: None,
    };
    let mut command = machine.command();
    if options.run.is_none() {
        if !std::io::stdin().is_terminal() {
            bail!("a shell needs a terminal");
        }
        eprintln!("Booting; Ctrl-A x ends the machine.");
        let mut qemu = Group::spawn_foreground(&mut command, arch.qemu())?;
        while qemu
            .wait_until(Instant::now() + Duration::from_secs(3600))?
            .is_none()
        {}
        return Ok(true);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut qemu = Group::spawn(&mut command, arch.qemu())?;
    let status = follow(&listener, options.limit)?;
    qemu.wait_until(Instant::now() + Duration::from_secs(30))?;
    Ok(status == 0)
}

/// The root file system with what makes a shell worth while: a profile, and files in /root/demo.
fn with_files(
    artifacts: &Artifacts,
    initrd: &Path,
    files: Option<&Path>,
    dir: &Path,
) -> Result<PathBuf> {
    let root = dir.join("files/root");
    fs::create_dir_all(root.join("demo"))?;
    let profile = artifacts.tree().join("tests/demo/profile");
    fs::copy(&profile, root.join(".profile"))
        .with_context(|| format!("no {}", profile.display()))?;
    for entry in files.map(fs::read_dir).transpose()?.into_iter().flatten() {
        let path = entry?.path();
        if let (true, Some(name)) = (path.is_file(), path.file_name()) {
            fs::copy(&path, root.join("demo").join(name))?;
        }
    }
    // The kernel takes archives one after the other, each from a multiple of four bytes on.
    let out = dir.join("initramfs");
    let mut bytes = fs::read(initrd)?;
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    fs::write(&out, bytes)?;
    let archive = File::options().append(true).open(&out)?;
    let status = Command::new("sh")
        .args(["-c", "find . | cpio --quiet -o -H newc -R 0:0"])
        .current_dir(dir.join("files"))
        .stdin(Stdio::null())
        .stdout(archive)
        .status()
        .context("cannot run cpio")?;
    if !status.success() {
        bail!("cpio: {status}");
    }
    Ok(out)
}

/// Prints the console until the guest says how its command ended, which may take as long as `limit`.
fn follow(listener: &UnixListener, limit: Duration) -> Result<i32> {
    let (stream, _) = listener.accept().context("QEMU's console")?;
    let begin = Instant::now();
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            if line.map_or(true, |line| send.send(line).is_err()) {
                return;
            }
        }
    });
    let mut shown = false;
    while begin.elapsed() < limit {
        let line = match receive.recv_timeout(SILENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                let what = if shown { "is at work" } else { "boots" };
                eprintln!("rig: the guest {what} ({} s)", begin.elapsed().as_secs());
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let text = String::from_utf8_lossy(&line);
        // What a terminal would show in the end.
        let text = text.trim_end().rsplit('\r').next().unwrap_or_default();
        if let Some(status) = text.strip_prefix(STATUS) {
            return status.trim().parse().context("the guest's exit status");
        }
        // The firmware of the machine clears the screen and the like; the guest's own words begin
        // with init's.
        if shown {
            println!("{text}");
        }
        shown |= text.starts_with("init: up");
    }
    bail!(
        "the guest ended without a word, or took more than {} s",
        limit.as_secs()
    );
}
