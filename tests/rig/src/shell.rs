// SPDX-License-Identifier: MIT OR Apache-2.0

//! A guest on the terminal: a prompt for people, or one command for scripts such as the demo.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};

use crate::artifacts::Artifacts;
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
    /// command, its words parted by commas; `None`: a shell
    pub run: Option<String>,
}

/// A command in a guest may take this long.
const LIMIT: Duration = Duration::from_secs(900);

/// What the guest's init prints last.
const STATUS: &str = "init: exit status ";

/// Boots the guest and waits for its end.  With a command: whether that succeeded.
pub fn run(artifacts: &mut Artifacts, options: &Options) -> Result<bool> {
    artifacts.build_guest_programs()?;
    artifacts.build_emulator()?;
    artifacts.build_guest(options.kernel)?;
    let dir = tempfile::Builder::new().prefix("rig").tempdir()?;
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
    let listener = std::os::unix::net::UnixListener::bind(&console)?;
    let arch = artifacts.arch();
    let machine = Machine {
        arch,
        kernel: options.kernel,
        vmlinuz: artifacts.vmlinuz(options.kernel)?.to_owned(),
        initrd: artifacts.initrd(options.kernel)?.to_owned(),
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
        eprintln!("The module is /lib/modules/ax650.ko (insmod); Ctrl-A x ends the machine.");
        let mut qemu = Group::spawn_foreground(&mut command, arch.qemu())?;
        while qemu.wait_until(Instant::now() + LIMIT)?.is_none() {}
        return Ok(true);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut qemu = Group::spawn(&mut command, arch.qemu())?;
    let status = follow(&listener)?;
    qemu.wait_until(Instant::now() + Duration::from_secs(30))?;
    Ok(status == 0)
}

/// Prints the console until the guest says how its command ended.
fn follow(listener: &std::os::unix::net::UnixListener) -> Result<i32> {
    use std::io::{BufRead, BufReader};
    let (stream, _) = listener.accept().context("QEMU's console")?;
    let deadline = Instant::now() + LIMIT;
    stream.set_read_timeout(Some(LIMIT))?;
    let mut shown = false;
    for line in BufReader::new(stream).split(b'\n') {
        let line = line.context("the guest's console is silent")?;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if let Some(status) = text.strip_prefix(STATUS) {
            return status.trim().parse().context("the guest's exit status");
        }
        // The firmware of the machine clears the screen and the like; the guest's own words begin
        // with init's.
        if shown {
            println!("{text}");
        }
        shown |= text.starts_with("init: up");
        if Instant::now() > deadline {
            break;
        }
    }
    bail!("the guest ended without a word");
}
