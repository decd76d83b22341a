// SPDX-License-Identifier: MIT OR Apache-2.0

//! What operations cost: the stored counts that cases are held to, and what they have measured.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};

use crate::channel::lock;

/// Stored counts, in the tree.
const FILE: &str = "tests/costs.json";
/// Variable that has what was measured stored.
pub const UPDATE: &str = "AX650_UPDATE_COSTS";

/// What an operation is on the bus, see `Counts` of tests/kit/src/costs.rs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    messages: u64,
    doorbells: u64,
    interrupts: u64,
    reads: u64,
    writes: u64,
    config: u64,
}

impl Counts {
    fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("messages", self.messages),
            ("doorbells", self.doorbells),
            ("interrupts", self.interrupts),
            ("reads", self.reads),
            ("writes", self.writes),
            ("config", self.config),
        ]
    }

    /// Says what is more than in `stored`, and what is less.
    fn compare(&self, stored: &Self) -> (String, String) {
        let (mut more, mut less) = (Vec::new(), Vec::new());
        for ((name, now), (_, before)) in self.named().into_iter().zip(stored.named()) {
            let text = format!("{name} {before} -> {now}");
            // Before each bell the driver looks whether the card is there, if it has not heard of it for 10 ms.
            let looks = if name == "config" { self.doorbells } else { 0 };
            if now > before && now <= before + looks {
                continue;
            }
            match now.cmp(&before) {
                std::cmp::Ordering::Greater => more.push(text),
                std::cmp::Ordering::Less => less.push(text),
                std::cmp::Ordering::Equal => {}
            }
        }
        (more.join(", "), less.join(", "))
    }

    /// Returns the greater of each.
    fn max(self, other: Self) -> Self {
        Self {
            messages: self.messages.max(other.messages),
            doorbells: self.doorbells.max(other.doorbells),
            interrupts: self.interrupts.max(other.interrupts),
            reads: self.reads.max(other.reads),
            writes: self.writes.max(other.writes),
            config: self.config.max(other.config),
        }
    }

    /// Doorbells, interrupts and accesses: what is known of Axera's driver.
    fn three(&self) -> [u64; 3] {
        [
            self.doorbells,
            self.interrupts,
            self.reads + self.writes + self.config,
        ]
    }
}

/// Time of one operation, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Time {
    count: u64,
    min_us: f64,
    median_us: f64,
    p99_us: f64,
    /// CPU of the process
    process_us: f64,
    /// CPU of the driver's threads
    driver_us: f64,
}

/// A measurement of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Figure {
    operation: String,
    costs: Counts,
    exact: bool,
    time: Option<Time>,
}

/// The file: a line for each operation.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    /// doorbells, interrupts, accesses of Axera's driver, by the operation without the door's name
    axera: BTreeMap<String, [u64; 3]>,
    /// ours
    costs: BTreeMap<String, Counts>,
}

impl Stored {
    fn axera(&self, operation: &str) -> Option<[u64; 3]> {
        let (_, what) = operation.split_once(": ")?;
        self.axera.get(what).copied()
    }

    fn text(&self) -> String {
        let section = |name: &str, lines: Vec<String>| {
            format!("  \"{name}\": {{\n    {}\n  }}", lines.join(",\n    "))
        };
        let line = |name: &str, value: Value| format!("{}: {value}", json!(name));
        let axera = self.axera.iter().map(|(k, v)| line(k, json!(v))).collect();
        let costs = self.costs.iter().map(|(name, costs)| {
            let pairs = costs.named().map(|(k, v)| format!("\"{k}\": {v}"));
            format!("{}: {{{}}}", json!(name), pairs.join(", "))
        });
        format!(
            "{{\n{},\n{}\n}}\n",
            section("axera", axera),
            section("costs", costs.collect())
        )
    }
}

/// The stored counts and the measurements of this run.
pub struct Costs {
    path: PathBuf,
    stored: Stored,
    update: bool,
    /// with the guest, such as `forky`, that each was taken in
    figures: Mutex<Vec<(String, Figure)>>,
}

impl Costs {
    /// Reads the stored counts; `update`: they are to become what is measured.
    pub fn load(tree: &Path, update: bool) -> Result<Self> {
        let path = tree.join(FILE);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {FILE}"))?;
        let stored = serde_json::from_str(&text).context(FILE)?;
        Ok(Self {
            path,
            stored,
            update,
            figures: Mutex::default(),
        })
    }

    /// Returns what the operation is to cost at most; null: anything.
    pub fn stored(&self, operation: &str) -> Value {
        match self.stored.costs.get(operation) {
            Some(costs) if !self.update => json!(costs),
            _ => Value::Null,
        }
    }

    /// Takes a measurement from a case in this guest; the answer says what has become dearer.
    pub fn add(&self, guest: &str, figure: &Value) -> Result<Value> {
        let figure: Figure = serde_json::from_value(figure.clone()).context("costs")?;
        let dearer = match self.stored.costs.get(&figure.operation) {
            Some(stored) if figure.exact && !self.update => figure.costs.compare(stored).0,
            None if figure.exact && !self.update => {
                format!("nothing is stored of it in {FILE}; {}", how_to_store())
            }
            _ => String::new(),
        };
        lock(&self.figures).push((guest.to_owned(), figure));
        Ok(match dearer.as_str() {
            "" => json!({"ok": true}),
            how => json!({"ok": true, "dearer": how}),
        })
    }

    /// Ends the run: stores what is to be stored, and returns what there is to say.
    pub fn end(&self) -> Result<String> {
        let mut figures = lock(&self.figures).clone();
        figures.sort_by(|(g1, f1), (g2, f2)| (&f1.operation, g1).cmp(&(&f2.operation, g2)));
        if figures.is_empty() {
            return Ok(String::new());
        }
        let mut text = self.table(&figures);
        let mut worst: BTreeMap<&str, Counts> = BTreeMap::new();
        for (_, figure) in figures.iter().filter(|(_, figure)| figure.exact) {
            let costs = worst.entry(&figure.operation).or_default();
            *costs = costs.max(figure.costs);
        }
        if self.update {
            let mut costs = self.stored.costs.clone();
            costs.extend(worst.into_iter().map(|(name, c)| (name.to_owned(), c)));
            let axera = self.stored.axera.clone();
            std::fs::write(&self.path, Stored { axera, costs }.text())
                .with_context(|| format!("cannot write {FILE}"))?;
            writeln!(text, "stored in {FILE}")?;
            return Ok(text);
        }
        let mut cheaper = false;
        for (name, costs) in worst {
            let stored = self.stored.costs.get(name);
            let (_, less) = stored.map(|s| costs.compare(s)).unwrap_or_default();
            if !less.is_empty() {
                cheaper = true;
                writeln!(text, "cheaper than stored: {name}: {less}")?;
            }
        }
        if cheaper {
            writeln!(text, "{}", how_to_store())?;
        }
        Ok(text)
    }

    /// Writes all measurements as JSON.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        let figures: Vec<Value> = lock(&self.figures)
            .iter()
            .map(|(guest, figure)| {
                let mut value = json!(figure);
                value["guest"] = guest.as_str().into();
                value["axera"] = json!(self.stored.axera(&figure.operation));
                value
            })
            .collect();
        let text = format!("{:#}\n", json!({ "figures": figures }));
        std::fs::create_dir_all(path.parent().context("no directory")?)?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// A line for each measurement.
    fn table(&self, figures: &[(String, Figure)]) -> String {
        let title = "OPERATION|GUEST|MESSAGES|DOORBELLS|INTERRUPTS|READS|WRITES|AXERA D/I/A|OURS/AXERA|MIN|MEDIAN|P99|CPU PROCESS|CPU DRIVER";
        let mut rows: Vec<Vec<String>> = vec![title.split('|').map(String::from).collect()];
        for (guest, figure) in figures {
            let costs = figure.costs;
            let mut row = vec![figure.operation.clone(), guest.clone()];
            let numbers = [costs.messages, costs.doorbells, costs.interrupts];
            row.extend(numbers.map(|n| n.to_string()));
            row.push(match costs.config {
                0 => costs.reads.to_string(),
                config => format!("{}+{config} config", costs.reads),
            });
            row.push(costs.writes.to_string());
            let axera = self.stored.axera(&figure.operation);
            row.push(axera.map_or("".into(), |a| a.map(|n| n.to_string()).join("/")));
            row.push(axera.map_or("".into(), |a| ratios(costs.three(), a)));
            if let Some(t) = figure.time {
                let times = [t.min_us, t.median_us, t.p99_us, t.process_us, t.driver_us];
                row.extend(times.map(|us| format!("{us:.0} us")));
            }
            rows.push(row);
        }
        // Without a watch the columns of times are empty.
        let columns = rows.iter().skip(1).map(Vec::len).max().unwrap_or(0);
        let width = |at: usize| rows.iter().filter_map(|r| r.get(at)).map(String::len).max();
        let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
        let mut text = String::new();
        for row in &rows {
            let cells = row.iter().zip(&widths);
            let cells: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

fn how_to_store() -> String {
    format!("to store what is measured: make test CASES='bench/* axcl_bench/*' {UPDATE}=1")
}

/// Ours in parts of theirs.
fn ratios(ours: [u64; 3], theirs: [u64; 3]) -> String {
    let pairs = ours.into_iter().zip(theirs);
    let each: Vec<String> = pairs
        .map(|(ours, theirs)| format!("{:.2}", ours as f64 / theirs as f64))
        .collect();
    each.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
  "axera": {
    "small call": [1,1,4]
  },
  "costs": {
    "native: small call": {"messages": 2, "doorbells": 1, "interrupts": 1, "reads": 1, "writes": 3, "config": 0}
  }
}
"#;

    fn costs(update: bool) -> (tempfile::TempDir, Costs) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tests")).unwrap();
        std::fs::write(dir.path().join(FILE), TEXT).unwrap();
        let costs = Costs::load(dir.path(), update).unwrap();
        (dir, costs)
    }

    fn figure(operation: &str, interrupts: u64, writes: u64) -> Value {
        let costs = json!({"messages": 2, "doorbells": 1, "interrupts": interrupts, "reads": 1, "writes": writes, "config": 0});
        json!({"operation": operation, "costs": costs, "exact": true, "time": null, "id": 5, "to": "harness"})
    }

    #[test]
    fn dearer_is_refused_and_cheaper_is_told() {
        let (_dir, costs) = costs(false);
        let add = |interrupts, writes| {
            let figure = figure("native: small call", interrupts, writes);
            costs.add("forky", &figure).unwrap()["dearer"].clone()
        };
        assert_eq!(add(1, 3), Value::Null);
        assert!(costs.end().unwrap().contains("1.00/1.00/1.00"));
        assert!(!costs.end().unwrap().contains("cheaper"));
        assert_eq!(
            add(2, 1),
            "interrupts 1 -> 2",
            "fewer writes do not make up for it"
        );
        let other = costs.add("forky", &figure("native: x", 1, 1)).unwrap();
        assert!(
            other["dearer"].as_str().unwrap().contains(UPDATE),
            "{other}"
        );
    }

    #[test]
    fn cheaper_only_if_it_is_on_all_kernels() {
        let (_dir, costs) = costs(false);
        let name = "native: small call";
        costs.add("forky", &figure(name, 0, 3)).unwrap();
        assert!(costs.end().unwrap().contains("interrupts 1 -> 0"));
        costs.add("trixie-backports", &figure(name, 1, 3)).unwrap();
        assert!(!costs.end().unwrap().contains("cheaper"));
    }

    #[test]
    fn an_update_stores_the_dearest_and_keeps_the_rest() {
        let (dir, costs) = costs(true);
        assert_eq!(costs.stored("native: small call"), Value::Null);
        for interrupts in [3, 2] {
            let answer = costs
                .add("forky", &figure("axcl: \"x\"", interrupts, 9))
                .unwrap();
            assert_eq!(answer, json!({"ok": true}));
        }
        costs.end().unwrap();
        let again = Costs::load(dir.path(), false).unwrap();
        assert_eq!(again.stored("axcl: \"x\"")["interrupts"], 3);
        assert_eq!(again.stored("native: small call")["interrupts"], 1);
        assert_eq!(again.stored.axera("axcl: small call"), Some([1, 1, 4]));
    }

    #[test]
    fn the_file_is_as_it_would_be_written() {
        let (_dir, costs) = costs(false);
        assert_eq!(costs.stored.text(), TEXT);
        let tree = crate::paths::tree().unwrap();
        let costs = Costs::load(&tree, false).unwrap();
        assert_eq!(
            std::fs::read_to_string(tree.join(FILE)).unwrap(),
            costs.stored.text()
        );
    }
}
