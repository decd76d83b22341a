// SPDX-License-Identifier: MIT OR Apache-2.0

//! The verdict on the cases of one boot, from what arrives in the order it arrives: lines of the
//! console (with markers that say which case they belong to) and lines of KTAP.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::case::{Ended, GuestRun, Verdict};
use crate::channel::FREED_IN_USE;
use crate::klog::{self, LockReport, Mark};
use crate::ktap::{self, Line, Outcome};

/// The console is slower than the KTAP port: how long the end marker may take to come.
const CONSOLE_LAG: Duration = Duration::from_secs(20);
/// The guest's runner ends a case that is late; this much later the harness does.
const RUNNER_GRACE: Duration = Duration::from_secs(30);
/// Lines of a case's log that are kept for the report.
const KEEP: usize = 400;

struct Current {
    run: GuestRun,
    started: Instant,
    /// the guest's verdict and when it came
    result: Option<(Outcome, Instant)>,
    notes: Vec<String>,
}

/// What the caller has to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// go on
    Continue,
    /// this guest is of no more use: boot a fresh one for the rest
    Abandon,
}

/// Judges the cases of one boot.
pub struct Judge {
    waiting: VecDeque<GuestRun>,
    current: Option<Current>,
    /// log lines since the last begin marker
    section: VecDeque<String>,
    /// reports among them
    reports: Vec<String>,
    /// a report of lockdep that has not ended
    lock_report: Option<LockReport>,
    /// lockdep has given its one report
    lockdep_off: bool,
    /// name of the last case whose begin marker was seen
    begun: Option<String>,
    /// the same for the end marker
    ended: Option<String>,
    protocol_errors: Vec<String>,
}

impl Judge {
    /// For these cases, in the order in which the guest will run them.
    pub fn new(runs: impl IntoIterator<Item = GuestRun>) -> Self {
        Self {
            waiting: runs.into_iter().collect(),
            current: None,
            section: VecDeque::new(),
            reports: Vec::new(),
            lock_report: None,
            lockdep_off: false,
            begun: None,
            ended: None,
            protocol_errors: Vec::new(),
        }
    }

    /// Whether all cases have been judged.
    pub fn done(&self) -> bool {
        self.waiting.is_empty() && self.current.is_none()
    }

    /// The case that runs now.
    pub fn current(&self) -> Option<&GuestRun> {
        self.current.as_ref().map(|c| &c.run)
    }

    /// The cases that were not begun.
    pub fn into_waiting(self) -> Vec<GuestRun> {
        self.waiting.into()
    }

    /// Takes a line of the console.
    pub fn console(&mut self, line: &str) {
        match klog::mark(line) {
            // A case that reboots the guest begins more than once.
            Some(Mark::Begin(name)) if self.begun.as_deref() != Some(name) => {
                self.begun = Some(name.to_owned());
                self.ended = None;
                self.section.clear();
                self.reports.clear();
            }
            Some(Mark::Begin(_)) => {}
            Some(Mark::End(name)) => self.ended = Some(name.to_owned()),
            None => {}
        }
        if LockReport::begins(line) {
            self.end_lock_report();
            self.lock_report = Some(LockReport::default());
        }
        if let Some(report) = &mut self.lock_report {
            if report.push(line) {
                self.end_lock_report();
            }
        } else if klog::is_report(line) && self.reports.len() < KEEP {
            self.reports.push(line.to_owned());
        }
        if self.section.len() == KEEP {
            self.section.pop_front();
        }
        self.section.push_back(line.to_owned());
    }

    fn end_lock_report(&mut self) {
        if let Some(report) = self.lock_report.take() {
            self.lockdep_off = true;
            self.reports.extend(report.into_reports());
        }
    }

    /// Takes a line of KTAP.
    pub fn ktap(&mut self, line: &str) {
        match ktap::parse(line) {
            Ok(Line::Start(name)) => self.start(&name),
            Ok(Line::Result { name, outcome }) => self.result(&name, outcome),
            Ok(Line::Note(text)) => {
                if let Some(current) = &mut self.current {
                    if current.notes.len() < KEEP {
                        current.notes.push(text);
                    }
                }
            }
            Ok(Line::Version | Line::Plan(_)) => {}
            Err(e) => self.protocol_errors.push(e),
        }
    }

    fn start(&mut self, name: &str) {
        // The same case again after a reboot that it announced.
        if self
            .current
            .as_ref()
            .is_some_and(|c| c.run.case.name == name && c.result.is_none())
        {
            return;
        }
        match self.waiting.iter().position(|run| run.case.name == name) {
            Some(0) if self.current.is_none() => {
                let run = self.waiting.pop_front();
                self.current = run.map(|run| Current {
                    run,
                    started: Instant::now(),
                    result: None,
                    notes: Vec::new(),
                });
            }
            _ => self
                .protocol_errors
                .push(format!("{name} began out of order")),
        }
    }

    fn result(&mut self, name: &str, outcome: Outcome) {
        match &mut self.current {
            Some(current) if current.run.case.name == name && current.result.is_none() => {
                current.result = Some((outcome, Instant::now()));
            }
            _ => self
                .protocol_errors
                .push(format!("{name} ended without having begun")),
        }
    }

    /// Whether the current case can be judged now: all of its log is here, or will not come.
    pub fn ready(&self) -> bool {
        let Some(current) = &self.current else {
            return false;
        };
        let Some((_, at)) = &current.result else {
            return false;
        };
        self.ended.as_ref() == Some(&current.run.case.name) || at.elapsed() > CONSOLE_LAG
    }

    /// Whether the current case is so late that the guest must be hung.
    pub fn late(&self) -> bool {
        self.current.as_ref().is_some_and(|current| {
            current.result.is_none()
                && current.started.elapsed() > current.run.timeout() + RUNNER_GRACE
        })
    }

    /// Judges the current case, which is [`Self::ready`] and saw these DMA faults.
    pub fn judge(&mut self, faults: &[String]) -> Option<(Ended, Next)> {
        let outcome = self
            .current
            .as_ref()?
            .result
            .clone()
            .map(|(outcome, _)| outcome);
        self.close(outcome, faults, Vec::new())
    }

    /// Judges the current case, which took the guest down in this way.
    pub fn guest_lost(&mut self, how: &str, faults: &[String]) -> Option<Ended> {
        self.close(None, faults, vec![how.to_owned()])
            .map(|(ended, _)| ended)
    }

    fn close(
        &mut self,
        outcome: Option<Outcome>,
        faults: &[String],
        mut reasons: Vec<String>,
    ) -> Option<(Ended, Next)> {
        self.end_lock_report();
        let current = self.current.take()?;
        let mut next = Next::Continue;
        // The rest shall have its lockdep, but for those that would end it anyhow.
        let ends_lockdep = |run: &GuestRun| ["unplug", "last"].contains(&run.case.concern.as_str());
        if self.lockdep_off && !self.waiting.iter().all(ends_lockdep) {
            next = Next::Abandon;
        }
        let allow = &current.run.case.allow;
        let allowed = |line: &String| allow.iter().any(|text| line.contains(text.as_str()));
        // A report comes with a call trace and so on: one that is allowed allows all of it.
        let excused = self.reports.iter().any(allowed);
        let reports = if excused {
            Vec::new()
        } else {
            std::mem::take(&mut self.reports)
        };
        if !reports.is_empty() {
            // lockdep falls silent after its first report, and who knows what else is broken.
            next = Next::Abandon;
            reasons.extend(
                reports
                    .iter()
                    .take(3)
                    .map(|line| format!("kernel log: {line}")),
            );
        }
        let dma_faults = current.run.case.dma_faults;
        let expected = |line: &&String| {
            let dma = !line.starts_with(FREED_IN_USE);
            (dma && dma_faults) || allowed(line)
        };
        let faults = faults.iter().filter(|line| !expected(line));
        reasons.extend(faults.take(3).cloned());
        reasons.append(&mut self.protocol_errors);
        let verdict = match outcome {
            Some(Outcome::Failed(reason)) => {
                // Neither would the next case find things in order.
                if reason.starts_with("time-out") || reason.starts_with("set-up") {
                    next = Next::Abandon;
                }
                reasons.insert(0, reason);
                Verdict::Failed(reasons)
            }
            _ if !reasons.is_empty() => Verdict::Failed(reasons),
            Some(Outcome::Passed) => Verdict::Passed,
            Some(Outcome::Skipped(reason)) => Verdict::Skipped(reason),
            None => Verdict::Failed(vec!["no result".into()]),
        };
        let mut log = current.notes;
        log.extend(self.section.drain(..));
        self.reports.clear();
        let name = current.run.name();
        Some((
            Ended {
                name,
                verdict,
                time: current.started.elapsed(),
                log,
            },
            next,
        ))
    }

    /// The log since the last marker: what is left to show when the guest does not get anywhere.
    pub fn last_lines(&self) -> Vec<String> {
        self.section.iter().cloned().collect()
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
