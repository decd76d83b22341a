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

/// More cases than that do not fail for want of a quiet machine.
const AGAIN: usize = 24;

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
    failed: Vec<Failed>,
    /// those that are to be tried again, or have been
    again: Vec<Failed>,
    /// name and time of each
    times: Vec<(String, Duration)>,
    /// how many of these are of the first try
    first: usize,
}

/// A case that failed.
struct Failed {
    name: String,
    /// the first
    reason: String,
    /// see [`Ended::evidence`]
    evidence: bool,
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
                counts.failed.push(Failed {
                    name: ended.name.clone(),
                    reason,
                    evidence: ended.evidence,
                });
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

    /// Returns the names of the cases that failed and deserve a second try, which are no longer counted: in a run of
    /// many cases, which share the machine with compilers and other guests, a few that failed by nothing but their own
    /// word.
    pub fn begin_second_try(&self) -> Vec<String> {
        let mut counts = crate::channel::lock(&self.counts);
        if self.total <= MANY || counts.failed.len() > AGAIN {
            return Vec::new();
        }
        let failed = std::mem::take(&mut counts.failed);
        counts.first = counts.times.len();
        (counts.failed, counts.again) = failed.into_iter().partition(|case| case.evidence);
        counts.again.iter().map(|case| case.name.clone()).collect()
    }

    /// Counts those of the cases that were to be tried again, and for which no line has come since, as failed.
    pub fn end_second_try(&self) {
        let mut counts = crate::channel::lock(&self.counts);
        let counts = &mut *counts;
        let (tried, lost): (Vec<_>, Vec<_>) = std::mem::take(&mut counts.again)
            .into_iter()
            .partition(|case| {
                counts.times[counts.first..]
                    .iter()
                    .any(|(name, _)| *name == case.name)
            });
        counts.again = tried;
        counts.failed.extend(lost);
    }

    /// Returns the last lines: where the time went, what passed at its second try only, what failed once more, since
    /// the reasons may be far up, and the counts.
    pub fn summary(&self) -> String {
        let counts = crate::channel::lock(&self.counts);
        let mut text = counts.times();
        let failed = |name: &str| counts.failed.iter().any(|case| case.name == name);
        for Failed { name, reason, .. } in counts.again.iter().filter(|case| !failed(&case.name)) {
            text.push_str(&format!("passed at its second try: {name}: {reason}\n"));
        }
        for Failed { name, reason, .. } in &counts.failed {
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
                evidence: false,
            };
            report.case(&ended, Path::new("logs"));
        }
        assert_eq!(report.begin_second_try(), [""; 0], "few cases");
        assert_eq!(
            report.summary(),
            "failed: a/b/c: why\n2 passed, 1 failed, 1 skipped"
        );
        assert_eq!(report.failed(), 1);
    }

    #[test]
    fn a_few_of_many_are_tried_again() {
        let ended = |name: &str, evidence| Ended {
            name: name.into(),
            verdict: Verdict::Failed(vec!["why".into()]),
            time: Duration::ZERO,
            log: Vec::new(),
            evidence,
        };
        let report = Report::new(MANY + 1);
        let case = |ended: &Ended| report.case(ended, Path::new("logs"));
        ["slow", "wrong", "lost"]
            .iter()
            .for_each(|name| case(&ended(name, false)));
        case(&ended("oops", true));
        assert_eq!(report.begin_second_try(), ["slow", "wrong", "lost"]);
        assert_eq!(report.failed(), 1);
        case(&Ended {
            verdict: Verdict::Passed,
            ..ended("slow", false)
        });
        case(&ended("wrong", false));
        report.end_second_try();
        assert_eq!(
            report.summary(),
            "passed at its second try: slow: why\nfailed: oops: why\nfailed: wrong: why\nfailed: lost: why\n1 passed, 3 failed, 0 skipped"
        );
        let report = Report::new(MANY + 1);
        (0..=AGAIN).for_each(|n| report.case(&ended(&n.to_string(), false), Path::new("logs")));
        assert_eq!(report.begin_second_try(), [""; 0], "no accident");
        assert_eq!(report.failed(), AGAIN + 1);
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
