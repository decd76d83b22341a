// SPDX-License-Identifier: MIT OR Apache-2.0

//! The host channel: what a case in the guest can ask of the host, so that the whole of a case is
//! written in one place.  One JSON document a line; each request has an `id`, which its answer
//! repeats, and `to`, its addressee:
//!
//! * `card0`, `card1` ...: the rest goes to that card's control socket, with its answer back;
//! * `qmp`: `execute` and `arguments`, or `hmp` with a line for the human monitor;
//! * `harness`: `cmd` is one of those in [`Desk::harness`].

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, Context, Result};
use serde_json::{json, Map, Value};

use crate::costs::Costs;
use crate::emulator::Emulator;
use crate::lines::Lines;
use crate::qemu::card_device;
use crate::qmp::Qmp;

/// How long the guest may take to let go of a card that is being pulled.
const UNPLUG: Duration = Duration::from_secs(60);
/// A slot's indicator may blink for as long: five seconds after a button was pressed, and for what is done then.
const BLINKS: Duration = Duration::from_secs(30);
/// Between two looks at a slot whose indicator blinks.
const LOOK: Duration = Duration::from_millis(200);
/// How long it may take to judge a case once it has ended.
const JUDGE: Duration = Duration::from_secs(90);

/// What the requests work on.
pub struct Desk {
    /// the cards
    pub cards: Vec<Mutex<Emulator>>,
    /// QEMU's monitor
    pub qmp: Mutex<Qmp>,
    /// what the guest is to run
    pub script: Mutex<Script>,
    /// signalled when a case has been judged
    pub judged: Condvar,
    /// what operations cost
    pub costs: Arc<Costs>,
    /// what the guest is called in measurements
    pub guest: String,
}

/// Begins the lines of [`Channel::faults`] that are about card memory.  A case that provokes them
/// lists this among its `allow`.
pub const FREED_IN_USE: &str = "card memory freed in use";

/// What the guest is to run, and what is known of it so far.
#[derive(Default)]
pub struct Script {
    /// cases not yet ended, the current one first
    cases: Vec<String>,
    /// the current case is about to reboot the guest and wants to go on with this phase
    phase: Option<u64>,
    /// times that the guest asked for the cases
    pub asked: u32,
    /// times that it asked without having announced its reboot
    pub unannounced: u32,
    /// the last case that was judged
    judged: Option<String>,
    /// the guest is to power off instead of beginning another case
    stop: bool,
    /// the cases are to be run in their long form
    soak: bool,
}

impl Script {
    /// Makes a script of the cases with these names, in order; `soak`: in their long form.
    pub fn new(cases: Vec<String>, soak: bool) -> Self {
        Self {
            cases,
            soak,
            ..Self::default()
        }
    }
}

/// Locks also after the panic of another holder: the data are valid at any time.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Desk {
    /// Serves one connection until it closes.
    pub fn serve(&self, stream: UnixStream) {
        let mut lines = Lines::new(stream);
        loop {
            let request = match lines.receive(Instant::now() + Duration::from_secs(3600)) {
                Ok(Some(request)) => request,
                Ok(None) => continue,
                Err(_) => return,
            };
            let mut answer = match self.answer(&request) {
                Ok(answer) => answer,
                Err(e) => json!({"ok": false, "error": format!("{e:#}")}),
            };
            answer["id"] = request["id"].clone();
            if lines.send(&answer).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &Value) -> Result<Value> {
        let fields = request.as_object().context("a request is an object")?;
        let text = |key: &str| {
            fields
                .get(key)
                .and_then(Value::as_str)
                .ok_or_else(|| anyhow!("no {key} in {request}"))
        };
        match text("to")? {
            "qmp" => self.monitor(fields),
            "harness" => self.harness(text("cmd")?, fields),
            card => {
                let index = card.strip_prefix("card").and_then(|n| n.parse().ok());
                let card = self.card(index.with_context(|| format!("no addressee {card}"))?)?;
                let mut arguments = fields.clone();
                for key in ["to", "cmd", "id"] {
                    arguments.remove(key);
                }
                lock(card).command(text("cmd")?, &arguments)
            }
        }
    }

    fn card(&self, index: u64) -> Result<&Mutex<Emulator>> {
        self.cards
            .get(index as usize)
            .ok_or_else(|| anyhow!("there is no card {index}"))
    }

    fn monitor(&self, fields: &Map<String, Value>) -> Result<Value> {
        let mut qmp = lock(&self.qmp);
        let result = if let Some(line) = fields.get("hmp").and_then(Value::as_str) {
            Value::String(qmp.human(line)?)
        } else {
            let command = fields
                .get("execute")
                .and_then(Value::as_str)
                .context("no execute")?;
            qmp.execute(command, fields.get("arguments").unwrap_or(&json!({})))?
        };
        Ok(json!({"ok": true, "return": result}))
    }

    /// The commands that the harness itself serves.
    ///
    /// * `cases`: the names of the cases to run, and the phase to begin the first one in;
    /// * `phase` {phase}: the current case is going to reboot the guest;
    /// * `begin`: clears all fault switches and the cards' lists of DMA faults;
    /// * `end` {case}: returns when the case has been judged, and whether to `stop` here;
    /// * `unplug` {card}: pulls the card, politely; returns when the guest has let it go;
    /// * `plug` {card}: plugs it in again;
    /// * `kill`, `restart` {card}: ends the emulator's process, or starts a fresh one;
    /// * `stored_costs` {operation}: what it is to cost at most;
    /// * `costs` {operation, costs, exact, time}: what it has cost; the answer says what has become dearer.
    fn harness(&self, command: &str, fields: &Map<String, Value>) -> Result<Value> {
        let number = |key: &str| {
            fields
                .get(key)
                .and_then(Value::as_u64)
                .ok_or_else(|| anyhow!("{command}: no {key}"))
        };
        let name = || {
            fields
                .get("case")
                .and_then(Value::as_str)
                .with_context(|| format!("{command}: no case"))
        };
        match command {
            "cases" => return Ok(self.cases()),
            "phase" => lock(&self.script).phase = Some(number("phase")?),
            "begin" => self.begin()?,
            "end" => return self.end(name()?),
            "unplug" => self.unplug(number("card")?)?,
            "plug" => self.plug(number("card")?)?,
            "kill" => lock(self.card(number("card")?)?).kill(),
            "restart" => lock(self.card(number("card")?)?).restart()?,
            "stored_costs" => {
                let operation = fields.get("operation").and_then(Value::as_str);
                let operation = operation.with_context(|| format!("{command}: no operation"))?;
                return Ok(json!({"ok": true, "costs": self.costs.stored(operation)}));
            }
            "costs" => return self.costs.add(&self.guest, &Value::Object(fields.clone())),
            other => bail!("the harness has no command {other}"),
        }
        Ok(json!({"ok": true}))
    }

    fn cases(&self) -> Value {
        let mut script = lock(&self.script);
        let phase = script.phase.take();
        if script.asked > 0 && phase.is_none() {
            script.unannounced += 1;
        }
        script.asked += 1;
        json!({
            "ok": true, "cases": script.cases, "phase": phase.unwrap_or(0), "soak": script.soak,
            "seed": std::env::var("AX650_SEED").ok(), "part": std::env::var("AX650_PART").ok(),
        })
    }

    fn begin(&self) -> Result<()> {
        for card in &self.cards {
            let mut card = lock(card);
            if !card.alive() {
                card.restart()?;
            }
            card.ask("clear")?;
        }
        // What has happened until now is not this case's fault.
        self.faults();
        Ok(())
    }

    /// Waits until the harness has judged `case`, which has ended.
    fn end(&self, case: &str) -> Result<Value> {
        let deadline = Instant::now() + JUDGE;
        let mut script = lock(&self.script);
        while script.judged.as_deref() != Some(case) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("{case} was not judged");
            }
            script = match self.judged.wait_timeout(script, left) {
                Ok((script, _)) => script,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        Ok(json!({"ok": true, "stop": script.stop}))
    }

    /// Lets [`Self::end`] go on.
    pub fn case_judged(&self, case: &str, stop: bool) {
        let mut script = lock(&self.script);
        script.judged = Some(case.to_owned());
        script.stop = stop;
        script.cases.retain(|name| name != case);
        self.judged.notify_all();
    }

    /// Returns what the cards have done to memory that was not mapped for them since this was last
    /// asked, a line for each kind, and card memory that was freed while the card was at work on
    /// it.
    pub fn faults(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (index, card) in self.cards.iter().enumerate() {
            let mut arguments = Map::new();
            arguments.insert("reset".into(), true.into());
            // A card that was killed has nothing to say.
            let Ok(answer) = lock(card).command("faults", &arguments) else {
                continue;
            };
            let list = answer["faults"]["list"].as_array();
            // Without bus mastering, or a host, nothing has left the card.
            for fault in list.into_iter().flatten() {
                if fault["kind"] == "unmapped" || fault["kind"] == "permission" {
                    lines.push(format!("DMA fault of card{index}: {fault}"));
                }
            }
            let freed = answer["faults"]["freed_in_use"]["list"].as_array();
            for free in freed.into_iter().flatten() {
                lines.push(format!("{FREED_IN_USE} of card{index}: {free}"));
            }
        }
        lines
    }

    fn unplug(&self, index: u64) -> Result<()> {
        let device = format!("card{index}");
        let deadline = Instant::now() + BLINKS;
        let mut qmp = lock(&self.qmp);
        qmp.forget_events()?;
        // The guest has not done with the slot's last event while its indicator blinks: whoever stands at a slot waits
        // for that, and QEMU refuses those who do not.
        while let Err(error) = qmp.execute("device_del", &json!({"id": device})) {
            if !error.to_string().contains("blinking") || Instant::now() >= deadline {
                return Err(error);
            }
            std::thread::sleep(LOOK);
        }
        qmp.wait_event("DEVICE_DELETED", Some(&device), UNPLUG)?;
        Ok(())
    }

    fn plug(&self, index: u64) -> Result<()> {
        let socket = lock(self.card(index)?).socket();
        lock(&self.qmp).execute("device_add", &card_device(index as usize, &socket))?;
        Ok(())
    }
}
