// SPDX-License-Identifier: MIT OR Apache-2.0

//! The verdict on the cases of one boot, from what arrives in the order it arrives: lines of the
//! console (with markers that say which case they belong to) and lines of KTAP.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::case::{Ended, GuestRun, Verdict};
use crate::channel::FREED_IN_USE;
use crate::klog::{self, LockReport, Mark, Reports};
use crate::ktap::{self, Line, Outcome};

/// The console is slower than the KTAP port: how long the end marker may take to come.  After that
/// the case's log is not complete, and the case fails.
const CONSOLE_LAG: Duration = Duration::from_secs(60);
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
    reports: Reports,
    /// the case judged last, which answers for what the kernel reports until the next one begins
    held: Option<Ended>,
    /// cases whose verdict is final
    settled: VecDeque<Ended>,
    /// the kernel has reported something between two cases
    spoiled: bool,
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
    /// Makes a judge of these cases, in the order in which the guest will run them.
    pub fn new(runs: impl IntoIterator<Item = GuestRun>) -> Self {
        Self {
            waiting: runs.into_iter().collect(),
            current: None,
            section: VecDeque::new(),
            reports: Reports::default(),
            held: None,
            settled: VecDeque::new(),
            spoiled: false,
            lock_report: None,
            lockdep_off: false,
            begun: None,
            ended: None,
            protocol_errors: Vec::new(),
        }
    }

    /// Returns whether all cases have been judged.
    pub fn done(&self) -> bool {
        self.waiting.is_empty() && self.current.is_none()
    }

    /// Returns the case that runs now.
    pub fn current(&self) -> Option<&GuestRun> {
        self.current.as_ref().map(|c| &c.run)
    }

    /// Returns the cases that have to run in another guest.
    pub fn into_waiting(mut self) -> Vec<GuestRun> {
        // One that was begun in a guest with a damaged kernel has not been judged.
        if let Some(current) = self.current.take().filter(|_| self.spoiled) {
            self.waiting.push_front(current.run);
        }
        self.waiting.into()
    }

    /// Takes a case whose verdict is final.
    pub fn settled(&mut self) -> Option<Ended> {
        self.settled.pop_front()
    }

    /// Returns whether the kernel has reported something between two cases: this guest is of no
    /// more use.
    pub fn spoiled(&self) -> bool {
        self.spoiled
    }

    /// Takes a line of the console.
    pub fn console(&mut self, line: &str) {
        match klog::mark(line) {
            // A case that reboots the guest begins more than once.
            Some(Mark::Begin(name)) if self.begun.as_deref() != Some(name) => {
                let name = name.to_owned();
                // What comes before the first case is not the driver's: it is not loaded.
                self.settle(None);
                self.begun = Some(name);
                self.ended = None;
                self.section.clear();
                self.reports.take();
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
        } else {
            self.reports.push(line);
        }
        if self.section.len() == KEEP {
            self.section.pop_front();
        }
        self.section.push_back(line.to_owned());
    }

    fn end_lock_report(&mut self) {
        if let Some(report) = self.lock_report.take() {
            self.lockdep_off = true;
            self.reports.add(report.into_reports());
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

    /// Returns whether the current case can be judged now: all of its log is here, or will not
    /// come.
    pub fn ready(&self) -> bool {
        let Some(current) = &self.current else {
            return false;
        };
        let Some((_, at)) = &current.result else {
            return false;
        };
        self.ended.as_ref() == Some(&current.run.case.name) || at.elapsed() > CONSOLE_LAG
    }

    /// Returns whether the current case is so late that the guest must be hung.
    pub fn late(&self) -> bool {
        self.current.as_ref().is_some_and(|current| {
            current.result.is_none()
                && current.started.elapsed() > current.run.timeout() + RUNNER_GRACE
        })
    }

    /// Judges the current case, which is [`Self::ready`] and saw these DMA faults.  Its verdict is
    /// final when the next case begins, or by [`Self::settle`].
    pub fn judge(&mut self, faults: &[String]) -> Option<Next> {
        let current = self.current.as_ref()?;
        let name = Some(&current.run.case.name);
        let outcome = current.result.clone().map(|(outcome, _)| outcome);
        let mut reasons = Vec::new();
        // Without both markers nobody knows which reports are the case's.
        for (marker, seen) in [("begin", &self.begun), ("end", &self.ended)] {
            if seen.as_ref() != name {
                reasons.push(format!("no {marker} marker in the kernel log"));
            }
        }
        let lost = !reasons.is_empty();
        let next = self.close(outcome, faults, reasons)?;
        Some(if lost { Next::Abandon } else { next })
    }

    /// Judges the case that took the guest down in this way: the current one, or the one before
    /// if none has begun since.  Whether there is one.
    pub fn guest_lost(&mut self, how: &str, faults: &[String]) -> bool {
        let current = self.close(None, faults, vec![how.to_owned()]).is_some();
        let any = current || self.held.is_some();
        self.settle((!current).then_some(how));
        any
    }

    /// Makes the verdict on the case judged last final: it fails for what the kernel has reported
    /// since, and for what else is known to be `wrong`.
    pub fn settle(&mut self, wrong: Option<&str>) {
        self.end_lock_report();
        let Some(mut ended) = self.held.take() else {
            return;
        };
        let mut reasons: Vec<String> = wrong.into_iter().map(str::to_owned).collect();
        let reports = self.reports.take();
        self.spoiled |= !reports.is_empty();
        reasons.extend(
            reports
                .iter()
                .flatten()
                .take(3)
                .map(|line| format!("kernel log after the case: {line}")),
        );
        if !reasons.is_empty() {
            ended.evidence = true;
            if let Verdict::Failed(earlier) = ended.verdict {
                reasons.splice(0..0, earlier);
            }
            ended.verdict = Verdict::Failed(reasons);
            ended.log.extend(self.section.drain(..));
        }
        self.settled.push_back(ended);
    }

    fn close(
        &mut self,
        outcome: Option<Outcome>,
        faults: &[String],
        mut reasons: Vec<String>,
    ) -> Option<Next> {
        self.end_lock_report();
        let current = self.current.take()?;
        // It could be here still if the case's begin marker was lost.
        self.settled.extend(self.held.take());
        let mut next = Next::Continue;
        // The rest shall have its lockdep, but for those that would end it anyhow.
        let ends_lockdep = |run: &GuestRun| ["unplug", "last"].contains(&run.case.concern.as_str());
        if self.lockdep_off && !self.waiting.iter().all(ends_lockdep) {
            next = Next::Abandon;
        }
        let allow = &current.run.case.allow;
        let allowed = |line: &String| allow.iter().any(|text| line.contains(text.as_str()));
        // Each has to be one that is allowed: a case that expects one may cause another.
        let mut reports = self.reports.take();
        reports.retain(|lines| !lines.first().is_some_and(allowed));
        if !reports.is_empty() {
            // lockdep falls silent after its first report, and who knows what else is broken.
            next = Next::Abandon;
            reasons.extend(
                reports
                    .iter()
                    .flatten()
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
        // What comes last in a boot speaks for all of it, and cannot be tried alone.
        let evidence = !reasons.is_empty() || current.run.case.profiles.is_empty();
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
        self.held = Some(Ended {
            name: current.run.name(),
            verdict,
            time: current.started.elapsed(),
            log,
            evidence,
        });
        Some(next)
    }

    /// Returns the log since the last marker: what is left to show when the guest does not get
    /// anywhere.
    pub fn last_lines(&self) -> Vec<String> {
        self.section.iter().cloned().collect()
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
