// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is shown, and what keys do to it.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use serde_json::{json, Value};

use super::history::{History, Row};
use crate::sample::Sample;
use crate::text;

/// What clients are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Jobs a second.
    #[default]
    Jobs,
    /// Bytes a second, both directions.
    Bytes,
    /// Host memory.
    Memory,
    /// Process.
    Pid,
}

const SORTS: [Sort; 4] = [Sort::Jobs, Sort::Bytes, Sort::Memory, Sort::Pid];

/// Heads of the columns of clients.
pub const COLUMNS: [&str; 9] = [
    "CARD",
    "PID",
    "INTERFACE",
    "JOBS/s",
    "TO CARD/s",
    "FROM CARD/s",
    "HOST MEM",
    "JOBS",
    "COMMAND",
];

impl Sort {
    /// Returns the column that is sorted by.
    pub fn column(self) -> usize {
        match self {
            Self::Jobs => 3,
            Self::Bytes => 4,
            Self::Memory => 6,
            Self::Pid => 1,
        }
    }

    fn next(self, steps: usize) -> Self {
        let at = SORTS.iter().position(|sort| *sort == self).unwrap_or(0);
        SORTS[(at + steps) % SORTS.len()]
    }
}

/// All that is shown.
#[derive(Default)]
pub struct App {
    /// The cards.
    pub cards: Vec<History>,
    /// The row that is marked, if there are so many.
    pub selected: usize,
    /// The order of clients.
    pub sort: Sort,
    /// Smallest first.
    pub inverted: bool,
    /// The list of keys is shown.
    pub help: bool,
    /// The figures stand still.
    pub paused: bool,
}

impl App {
    /// Takes a sample of each card; those that are not among them are gone.
    pub fn take(&mut self, samples: Vec<Sample>) {
        if self.paused {
            return;
        }
        let mut old = std::mem::take(&mut self.cards);
        for sample in samples {
            // By the address: the number of a node may be another's later.
            match old
                .iter()
                .position(|card| card.last.bus_id == sample.bus_id)
            {
                Some(at) => {
                    let mut card = old.remove(at);
                    card.take(sample);
                    self.cards.push(card);
                }
                None => self.cards.push(History::new(sample)),
            }
        }
        self.limit();
    }

    fn limit(&mut self) {
        let count: usize = self
            .cards
            .iter()
            .filter_map(|card| Some(card.last.clients.as_ref()?.len()))
            .sum();
        self.selected = self.selected.min(count.saturating_sub(1));
    }

    /// Obeys a key, as htop does; true: the end.
    pub fn on_key(&mut self, key: KeyEvent) -> bool {
        if key.kind == KeyEventKind::Release {
            return false;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return matches!(key.code, KeyCode::Char('c'));
        }
        if self.help {
            self.help = false;
            return false;
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::F(10) | KeyCode::Esc => return true,
            KeyCode::Char('h' | '?') | KeyCode::F(1) => self.help = true,
            KeyCode::Up => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down => self.selected += 1,
            KeyCode::PageUp => self.selected = self.selected.saturating_sub(10),
            KeyCode::PageDown => self.selected += 10,
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.selected = usize::MAX,
            KeyCode::Char('>') | KeyCode::Right | KeyCode::F(6) => self.sort = self.sort.next(1),
            KeyCode::Char('<') | KeyCode::Left => self.sort = self.sort.next(SORTS.len() - 1),
            KeyCode::Char('I') | KeyCode::F(5) => self.inverted = !self.inverted,
            KeyCode::Char('M') => self.sort = Sort::Memory,
            KeyCode::Char('P') => self.sort = Sort::Jobs,
            KeyCode::Char('N') => self.sort = Sort::Pid,
            KeyCode::Char('Z' | ' ') => self.paused = !self.paused,
            _ => {}
        }
        self.limit();
        false
    }

    /// Returns the clients of all cards, sorted.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = self.cards.iter().flat_map(History::rows).collect();
        let key = |row: &Row| match self.sort {
            Sort::Jobs => -row.jobs,
            Sort::Bytes => -(row.to_card + row.from_card),
            Sort::Memory => -(row.client.raw.buffer_bytes as f64),
            Sort::Pid => f64::from(row.client.raw.pid),
        };
        rows.sort_by(|a, b| key(a).total_cmp(&key(b)));
        if self.inverted {
            rows.reverse();
        }
        rows
    }

    /// Returns cards and clients as two tables.
    pub fn text(&self) -> String {
        let head = [
            "CARD",
            "STATE",
            "NPU",
            "CPU",
            "CMM",
            "TEMP",
            "JOBS/s",
            "DOORBELLS/s",
            "INTERRUPTS/s",
            "TO CARD/s",
            "FROM CARD/s",
        ];
        let mut table = vec![head.map(String::from).to_vec()];
        table.extend(self.cards.iter().map(card_cells));
        let mut text = text::table(&table);
        let rows = self.rows();
        if !rows.is_empty() {
            let mut table = vec![COLUMNS.map(String::from).to_vec()];
            table.extend(rows.iter().map(|row| cells(row).to_vec()));
            text.push('\n');
            text.push_str(&text::table(&table));
        }
        for card in &self.cards {
            if let Some(error) = &card.last.error {
                text.push_str(&format!("{}: {error}\n", card.last.name));
            }
        }
        text
    }

    /// Returns cards and clients as JSON.
    pub fn json(&self) -> Value {
        let cards: Vec<_> = self.cards.iter().map(card_json).collect();
        json!({ "cards": cards })
    }
}

fn unknown() -> String {
    "-".into()
}

/// Writes a number of events a second.
pub fn per_second(rate: Option<f64>) -> String {
    match rate {
        None => unknown(),
        Some(rate) if rate < 100.0 => format!("{rate:.1}"),
        Some(rate) => format!("{rate:.0}"),
    }
}

fn bytes(rate: Option<f64>) -> String {
    rate.map_or_else(unknown, |rate| text::bytes(rate as u64))
}

/// Returns the cells of a card.
fn card_cells(card: &History) -> Vec<String> {
    let last = &card.last;
    let share = |share: Option<f64>| share.map_or_else(unknown, text::percent);
    vec![
        last.name.clone(),
        last.state.clone(),
        share(card.npu_share()),
        share(last.telemetry.cpu_load),
        last.telemetry
            .cmm
            .map_or_else(unknown, |cmm| text::bytes(cmm.used)),
        last.telemetry
            .temperature
            .map_or_else(unknown, |t| format!("{t:.1} C")),
        per_second(card.rate("jobs")),
        per_second(card.rate("doorbells")),
        per_second(card.rate("interrupts")),
        bytes(card.rate("bytes_to_card")),
        bytes(card.rate("bytes_from_card")),
    ]
}

/// Returns the cells of a client.
pub fn cells(row: &Row) -> [String; 9] {
    let client = &row.client;
    [
        row.card.clone(),
        client.pid.map_or_else(unknown, |pid| pid.to_string()),
        if client.axcl { "AXCL" } else { "native" }.into(),
        per_second((!client.axcl).then_some(row.jobs)),
        bytes(Some(row.to_card)),
        bytes(Some(row.from_card)),
        text::bytes(client.raw.buffer_bytes),
        if client.axcl {
            unknown()
        } else {
            client.raw.jobs.to_string()
        },
        client.command.clone(),
    ]
}

fn card_json(card: &History) -> Value {
    let last = &card.last;
    let usage = |usage: Option<ax650::Usage>| {
        usage.map(|u| json!({ "used_bytes": u.used, "total_bytes": u.total }))
    };
    let clients: Vec<_> = card
        .rows()
        .iter()
        .map(|row| {
            json!({
                "pid": row.client.pid,
                "command": row.client.command,
                "interface": if row.client.axcl { "AXCL" } else { "native" },
                "session": row.client.raw.session,
                "jobs": row.client.raw.jobs,
                "jobs_per_second": row.jobs,
                "to_card_bytes_per_second": row.to_card,
                "from_card_bytes_per_second": row.from_card,
                "buffer_bytes": row.client.raw.buffer_bytes,
            })
        })
        .collect();
    json!({
        "name": last.name,
        "bus_id": last.bus_id,
        "state": last.state,
        "firmware": last.firmware,
        "npu_busy": card.npu_share(),
        "npu_load": last.telemetry.npu_load,
        "cpu_load": last.telemetry.cpu_load,
        "temperature_c": last.telemetry.temperature,
        "memory": usage(last.telemetry.memory),
        "cmm": usage(last.telemetry.cmm),
        "jobs_per_second": card.rate("jobs"),
        "doorbells_per_second": card.rate("doorbells"),
        "interrupts_per_second": card.rate("interrupts"),
        "to_card_bytes_per_second": card.rate("bytes_to_card"),
        "from_card_bytes_per_second": card.rate("bytes_from_card"),
        "error": last.error,
        "clients": clients,
    })
}
