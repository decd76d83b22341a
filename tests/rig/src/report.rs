// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the user sees: a line per case, the reasons of failures, the summary.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use crate::case::{Ended, Verdict};

/// Lines of log shown for a failure.
const LOG_LINES: usize = 25;

/// Cases of which the summary says how long they took.
const SLOWEST: usize = 12;
/// Cases above which it does.
const MANY: usize = 100;

/// Counts cases and prints them as they end.
pub struct Report {
    total: usize,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    passed: usize,
    skipped: usize,
    /// name and first reason of each
    failed: Vec<(String, String)>,
    /// name and time of each
    times: Vec<(String, Duration)>,
}

impl Counts {
    /// Returns lines that say where the time of many cases went; boots are not in it, and some run beside others.
    fn times(&self) -> String {
        if self.times.len() <= MANY {
            return String::new();
        }
        let mut groups: BTreeMap<&str, Duration> = BTreeMap::new();
        for (name, time) in &self.times {
            *groups
                .entry(name.split('/').next().unwrap_or(name))
                .or_default() += *time;
        }
        let groups = groups
            .iter()
            .map(|(name, time)| format!("{name} {} s", time.as_secs()));
        let mut slowest: Vec<_> = self.times.iter().collect();
        slowest.sort_by_key(|(_, time)| Reverse(*time));
        let slowest = slowest.iter().take(SLOWEST);
        let slowest = slowest.map(|(name, time)| format!("{name} {} s", time.as_secs()));
        format!(
            "time of cases: {}\nslowest: {}\n",
            groups.collect::<Vec<_>>().join(", "),
            slowest.collect::<Vec<_>>().join(", ")
        )
    }
}

impl Report {
    /// Begins a report of so many cases.
    pub fn new(total: usize) -> Self {
        Self {
            total,
            counts: Mutex::default(),
        }
    }

    /// Prints the line of a case, and why it failed; `logs` is where the whole of its log is.
    pub fn case(&self, ended: &Ended, logs: &Path) {
        let mut counts = crate::channel::lock(&self.counts);
        let word = match &ended.verdict {
            Verdict::Passed => {
                counts.passed += 1;
                "ok  "
            }
            Verdict::Failed(reasons) => {
                let reason = reasons.first().cloned().unwrap_or_default();
                counts.failed.push((ended.name.clone(), reason));
                "FAIL"
            }
            Verdict::Skipped(_) => {
                counts.skipped += 1;
                "skip"
            }
        };
        counts.times.push((ended.name.clone(), ended.time));
        let number = counts.passed + counts.failed.len() + counts.skipped;
        let width = self.total.to_string().len();
        let mut text = format!(
            "[{number:width$}/{}] {word} {} {:.1} s",
            self.total,
            ended.name,
            ended.time.as_secs_f64()
        );
        match &ended.verdict {
            Verdict::Passed => {}
            Verdict::Skipped(reason) => text.push_str(&format!(": {reason}")),
            Verdict::Failed(reasons) => {
                for reason in reasons {
                    text.push_str(&format!("\n    {reason}"));
                }
                for line in &ended.log[ended.log.len().saturating_sub(LOG_LINES)..] {
                    text.push_str(&format!("\n    | {line}"));
                }
                text.push_str(&format!("\n    logs: {}", logs.display()));
            }
        }
        // One call, so that lines of several boots do not mix; the lock is still held.
        println!("{text}");
    }

    /// Cases that failed so far.
    pub fn failed(&self) -> usize {
        crate::channel::lock(&self.counts).failed.len()
    }

    /// Returns the last lines: where the time went, what failed once more, since the reasons may be far up, and the
    /// counts.
    pub fn summary(&self) -> String {
        let counts = crate::channel::lock(&self.counts);
        let mut text = counts.times();
        for (name, reason) in &counts.failed {
            text.push_str(&format!("failed: {name}: {reason}\n"));
        }
        text.push_str(&format!(
            "{} passed, {} failed, {} skipped",
            counts.passed,
            counts.failed.len(),
            counts.skipped
        ));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_counts_each_kind() {
        let report = Report::new(4);
        let verdicts = [
            Verdict::Passed,
            Verdict::Passed,
            Verdict::Failed(vec!["why".into()]),
            Verdict::Skipped("no".into()),
        ];
        for verdict in verdicts {
            let ended = Ended {
                name: "a/b/c".into(),
                verdict,
                time: Duration::ZERO,
                log: Vec::new(),
            };
            report.case(&ended, Path::new("logs"));
        }
        assert_eq!(
            report.summary(),
            "failed: a/b/c: why\n2 passed, 1 failed, 1 skipped"
        );
        assert_eq!(report.failed(), 1);
    }

    #[test]
    fn times_of_many_cases_are_added_up() {
        let mut counts = Counts::default();
        let case = |n: usize| {
            (
                format!("debug/a/{n}"),
                Duration::from_millis(500 + n as u64),
            )
        };
        counts.times = (0..MANY).map(case).collect();
        assert_eq!(counts.times(), "");
        counts
            .times
            .push(("host/slow".into(), Duration::from_secs(9)));
        let text = counts.times();
        assert!(
            text.starts_with("time of cases: debug 54 s, host 9 s\nslowest: host/slow 9 s, "),
            "{text}"
        );
    }
}
