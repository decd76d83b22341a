// SPDX-License-Identifier: MIT OR Apache-2.0

//! The guest's end of the host channel: requests to the harness, to QEMU and to the cards.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use serde_json::{json, Value};

use crate::kernel;

/// How long the host may take for what takes longest there: pulling a card.
const PATIENCE: Duration = Duration::from_secs(100);

/// How often a card is plugged in that the guest lets go.
const PLUGS: u32 = 3;

/// Says whether the guest lets a card go that was plugged in just now, and waits until it has.
///
/// QEMU presses the slot's button as it puts a card in. Where the kernel hears of that when it has found the card
/// already, it takes the press for the wish to have it out, and powers the slot off five seconds later.
fn is_let_go(card: u32, mark: &kernel::Mark) -> Result<bool> {
    let slot = format!("/sys/bus/pci/slots/{}/address", card + 1);
    let device = format!("/sys/bus/pci/devices/{}.0", kernel::read(slot)?);
    let is_there = || Path::new(&device).exists();
    let found = kernel::until("the card", Duration::from_secs(10), || Ok(is_there()));
    if found.is_err() {
        // That is for the case to judge.
        return Ok(false);
    }
    std::thread::sleep(Duration::from_secs(1));
    if !mark.saw("will power off")? {
        return Ok(false);
    }
    kernel::until(
        "the card to go",
        Duration::from_secs(20),
        || Ok(!is_there()),
    )?;
    // The slot's own pause behind that.
    std::thread::sleep(Duration::from_secs(2));
    Ok(true)
}

/// Finds the device of the virtio port with this name, once it is there.
pub fn port(name: &str) -> Result<PathBuf> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        for entry in std::fs::read_dir("/sys/class/virtio-ports")
            .into_iter()
            .flatten()
        {
            let dir = entry?.path();
            let found = std::fs::read_to_string(dir.join("name")).unwrap_or_default();
            if found.trim() == name {
                let device = dir.file_name().context("a directory without a name")?;
                return Ok(PathBuf::from("/dev").join(device));
            }
        }
        ensure!(
            Instant::now() < deadline,
            "no port {name}: this guest has no harness"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A connection to the host.  There can be one at a time; it is opened when first used.
#[derive(Default)]
pub struct Host {
    port: Option<File>,
    buffer: Vec<u8>,
    last_id: u64,
}

impl Host {
    /// Sends `request`, which says `to` whom, and returns the answer, which must be good.
    pub fn request(&mut self, request: Value) -> Result<Value> {
        let answer = self.try_request(request.clone())?;
        if answer["ok"] != true {
            bail!(
                "{request}: {}",
                answer["error"].as_str().unwrap_or(&answer.to_string())
            );
        }
        Ok(answer)
    }

    /// Sends a request whose answer may be bad.
    pub fn try_request(&mut self, mut request: Value) -> Result<Value> {
        // Answers to a process that was killed in a request may still be under way.
        self.last_id += 1;
        let id = (u64::from(std::process::id()) << 24) | self.last_id;
        request["id"] = id.into();
        let mut line = serde_json::to_vec(&request)?;
        line.push(b'\n');
        self.open()?
            .write_all(&line)
            .context("cannot write to the host")?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self
                .receive(deadline)
                .with_context(|| request.to_string())?;
            if answer["id"] == id {
                return Ok(answer);
            }
        }
    }

    fn open(&mut self) -> Result<&mut File> {
        if self.port.is_none() {
            let path = port("ax650.host")?;
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(&path)
                .with_context(|| format!("cannot open {}", path.display()))?;
            self.port = Some(file);
        }
        self.port.as_mut().context("no port")
    }

    fn receive(&mut self, deadline: Instant) -> Result<Value> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&b| b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                // The rest of an answer whose beginning another process has read is no JSON.
                match serde_json::from_slice(&line) {
                    Ok(value) => return Ok(value),
                    Err(_) => continue,
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "the host does not answer");
            let port = self.open()?;
            if crate::kernel::poll(port.as_raw_fd(), libc::POLLIN, left)? == 0 {
                continue;
            }
            let mut chunk = [0; 4096];
            let n = port.read(&mut chunk).context("cannot read from the host")?;
            ensure!(n > 0, "the host has closed the channel");
            self.buffer.extend_from_slice(&chunk[..n]);
        }
    }

    /// Lets another process use the channel.
    pub fn close(&mut self) {
        self.port = None;
        self.buffer.clear();
    }

    /// Sends a command of the harness (tests/rig/src/channel.rs).
    pub fn harness(&mut self, command: &str, fields: Value) -> Result<Value> {
        self.send("harness", command, fields)
    }

    /// Sends a command of a card's control socket (docs/emulator.md).
    pub fn card(&mut self, card: u32, command: &str, fields: Value) -> Result<Value> {
        self.send(&format!("card{card}"), command, fields)
    }

    fn send(&mut self, to: &str, command: &str, mut fields: Value) -> Result<Value> {
        fields["to"] = to.into();
        fields["cmd"] = command.into();
        self.request(fields)
    }

    /// Sets a fault switch of a card.
    pub fn switch(&mut self, card: u32, switch: &str, value: impl Into<Value>) -> Result<()> {
        let value: Value = value.into();
        self.card(card, "set", json!({"switch": switch, "value": value}))
            .map(drop)
    }

    /// Sets all switches of a card back.
    pub fn clear(&mut self, card: u32) -> Result<()> {
        self.card(card, "clear", json!({})).map(drop)
    }

    /// Pulls a card from its slot; returns when the guest has let it go.
    pub fn unplug(&mut self, card: u32) -> Result<()> {
        self.harness("unplug", json!({"card": card})).map(drop)
    }

    /// Plugs it in again; returns when the guest has found it, if it does so soon.
    pub fn plug(&mut self, card: u32) -> Result<()> {
        for _ in 0..PLUGS {
            let mark = kernel::mark()?;
            self.harness("plug", json!({"card": card}))?;
            if !is_let_go(card, &mark)? {
                return Ok(());
            }
        }
        bail!("the guest has let card {card} go each time that it was plugged in")
    }

    /// Sends a line for QEMU's human monitor.
    pub fn hmp(&mut self, line: &str) -> Result<String> {
        let answer = self.request(json!({"to": "qmp", "hmp": line}))?;
        Ok(answer["return"].as_str().unwrap_or_default().to_owned())
    }
}
