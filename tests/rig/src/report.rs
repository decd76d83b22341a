// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the user sees: a line per case, the reasons of failures, the summary.

use std::path::Path;
use std::sync::Mutex;

use crate::case::{Ended, Verdict};

/// Lines of log shown for a failure.
const LOG_LINES: usize = 25;

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

    /// Returns the last lines: what failed once more, since the reasons may be far up, and the
    /// counts.
    pub fn summary(&self) -> String {
        let counts = crate::channel::lock(&self.counts);
        let mut text = String::new();
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
    use std::time::Duration;

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
}
