// SPDX-License-Identifier: MIT OR Apache-2.0

//! One emulated card: its process and its control socket (docs/emulator.md).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, Context, Result};
use serde_json::{json, Map, Value};

use crate::child::Group;
use crate::lines::Lines;

/// How long the emulator may take to be ready.
const START: Duration = Duration::from_secs(20);
/// How long it may take to answer a command, unless the command itself says more.
const PATIENCE: Duration = Duration::from_secs(20);

/// A card.
pub struct Emulator {
    program: PathBuf,
    args: Vec<String>,
    dir: PathBuf,
    log: PathBuf,
    name: String,
    process: Option<Group>,
    control: Option<Lines>,
    last_id: u64,
}

impl Emulator {
    /// Starts the card called `name`; its sockets are made in `dir`, its log goes to `log_dir`.
    pub fn start(
        program: &Path,
        args: &[String],
        name: &str,
        dir: &Path,
        log_dir: &Path,
    ) -> Result<Self> {
        let mut card = Self {
            program: program.to_owned(),
            args: args.to_owned(),
            dir: dir.to_owned(),
            log: log_dir.join(format!("{name}.log")),
            name: name.to_owned(),
            process: None,
            control: None,
            last_id: 0,
        };
        // A directory that logs are kept in may have that of an earlier run.
        File::create(&card.log).with_context(|| format!("cannot make {}", card.log.display()))?;
        card.run()?;
        Ok(card)
    }

    /// Returns the socket that QEMU connects to.
    pub fn socket(&self) -> PathBuf {
        self.dir.join(format!("{}.sock", self.name))
    }

    fn run(&mut self) -> Result<()> {
        let control = self.dir.join(format!("{}.ctl", self.name));
        for path in [self.socket(), control.clone()] {
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(e).with_context(|| format!("cannot remove {}", path.display()));
                }
                _ => {}
            }
        }
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("cannot open {}", self.log.display()))?;
        let mut command = Command::new(&self.program);
        command
            .arg("--socket")
            .arg(self.socket())
            .arg("--control")
            .arg(&control)
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let mut process = Group::spawn(&mut command, "ax650-emu")?;
        let deadline = Instant::now() + START;
        while !(self.socket().exists() && control.exists()) {
            if let Some(status) = process.poll()? {
                bail!("ax650-emu ended at once ({status}): {}", self.last_words());
            }
            if Instant::now() >= deadline {
                bail!("ax650-emu does not make its sockets: {}", self.last_words());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.control = Some(Lines::connect(&control, deadline)?);
        self.process = Some(process);
        Ok(())
    }

    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().last().unwrap_or("it said nothing").to_owned()
    }

    /// Sends a command with its arguments and returns the answer.
    pub fn command(&mut self, name: &str, arguments: &Map<String, Value>) -> Result<Value> {
        let control = self
            .control
            .as_mut()
            .ok_or_else(|| anyhow!("{} is dead", self.name))?;
        self.last_id += 1;
        let mut request = arguments.clone();
        request.insert("id".into(), self.last_id.into());
        request.insert("cmd".into(), name.into());
        control.send(&Value::Object(request))?;
        let patience = arguments
            .get("timeout_ms")
            .and_then(Value::as_u64)
            .unwrap_or(0);
        let deadline = Instant::now() + PATIENCE + Duration::from_millis(patience);
        loop {
            match control.receive(deadline)? {
                Some(answer) if answer["id"] == self.last_id => return Ok(answer),
                Some(_) => {}
                None => bail!("{} does not answer {name}", self.name),
            }
        }
    }

    /// Sends a command that takes no arguments and must succeed.
    pub fn ask(&mut self, name: &str) -> Result<Value> {
        let answer = self.command(name, &Map::new())?;
        if answer["ok"] != json!(true) {
            bail!("{}: {name}: {answer}", self.name);
        }
        Ok(answer)
    }

    /// Kills the card's process: for the guest, the card is gone.
    pub fn kill(&mut self) {
        self.control = None;
        self.process = None;
    }

    /// Starts the process anew after [`Self::kill`]: a card fresh from power-on.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        self.run()
    }

    /// Returns whether the process is there.
    pub fn alive(&mut self) -> bool {
        self.process
            .as_mut()
            .is_some_and(|p| matches!(p.poll(), Ok(None)))
    }
}
