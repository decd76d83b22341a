// SPDX-License-Identifier: MIT OR Apache-2.0

//! QEMU's monitor protocol.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use serde_json::{json, Value};

use crate::lines::Lines;

/// How long QEMU may take to answer a command.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to QEMU's monitor.
pub struct Qmp {
    lines: Lines,
    events: Vec<Value>,
    last_id: u64,
}

impl Qmp {
    /// Connects to the monitor's socket and leaves negotiation mode.
    pub fn connect(path: &Path, deadline: Instant) -> Result<Self> {
        let mut lines = Lines::connect(path, deadline)?;
        match lines.receive(deadline)? {
            Some(greeting) if greeting.get("QMP").is_some() => {}
            other => bail!("QEMU's monitor greets with {other:?}"),
        }
        let mut qmp = Self {
            lines,
            events: Vec::new(),
            last_id: 0,
        };
        qmp.execute("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    /// Runs a command and returns what it returns.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        self.last_id += 1;
        let id = self.last_id;
        self.lines
            .send(&json!({"execute": command, "arguments": arguments, "id": id}))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Some(message) = self.lines.receive(deadline)? else {
                bail!("QEMU does not answer {command}");
            };
            if message.get("event").is_some() {
                self.events.push(message);
            } else if message.get("id").and_then(Value::as_u64) == Some(id) {
                if let Some(error) = message.get("error") {
                    bail!("{command}: {}", error["desc"].as_str().unwrap_or("error"));
                }
                return Ok(message["return"].clone());
            }
        }
    }

    /// Runs a command of the human monitor.
    pub fn human(&mut self, line: &str) -> Result<String> {
        let answer = self.execute("human-monitor-command", &json!({"command-line": line}))?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    /// Waits for an event with this name, whose data has `device` if one is given; returns its data.
    pub fn wait_event(
        &mut self,
        name: &str,
        device: Option<&str>,
        limit: Duration,
    ) -> Result<Value> {
        let deadline = Instant::now() + limit;
        loop {
            let found = self.events.iter().position(|event| {
                event["event"] == name && device.is_none_or(|d| event["data"]["device"] == d)
            });
            if let Some(index) = found {
                return Ok(self.events.remove(index)["data"].clone());
            }
            match self.lines.receive(deadline)? {
                Some(event) if event.get("event").is_some() => self.events.push(event),
                Some(_) => {}
                None => bail!("no event {name} within {} s", limit.as_secs()),
            }
        }
    }

    /// Forgets events that have come so far.
    pub fn forget_events(&mut self) -> Result<()> {
        self.execute("query-status", &json!({}))
            .context("asking QEMU for its state")?;
        self.events.clear();
        Ok(())
    }
}
