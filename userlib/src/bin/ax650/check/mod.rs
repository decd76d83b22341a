// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 check`: what keeps this system from using its cards, and what to do about it.

mod access;
mod bus;
mod software;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::Write;

use serde_json::{json, Value};

use crate::args::Check;
use crate::failure::{Failure, PROBLEMS, WARNINGS};
use crate::host::{PciCard, System};
use crate::standard;
use access::Person;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// As it should be.
    Ok,
    /// Good to know.
    Info,
    /// It works, but not as well or not as safely as it could.
    Warn,
    /// It does not work.
    Fail,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}

/// A line of the report.
#[derive(Debug, Clone)]
struct Finding {
    /// What was looked at: one word, the same in all versions of the program.
    check: &'static str,
    level: Level,
    message: String,
    remedy: Option<String>,
}

impl Finding {
    fn new(level: Level, check: &'static str, message: impl Into<String>) -> Self {
        Self {
            check,
            level,
            message: message.into(),
            remedy: None,
        }
    }

    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Ok, check, message)
    }

    fn info(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Info, check, message)
    }

    fn warn(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Warn, check, message)
    }

    fn fail(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Fail, check, message)
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    fn text(&self) -> String {
        let Self {
            check,
            level,
            message,
            remedy,
        } = self;
        let remedy = remedy
            .as_ref()
            .map(|remedy| format!("\n                -> {remedy}"));
        format!(
            "{level:4}  {check:8}  {message}{}\n",
            remedy.unwrap_or_default()
        )
    }

    fn json(&self) -> Value {
        json!({
            "check": self.check,
            "level": self.level.to_string(),
            "message": self.message,
            "remedy": self.remedy,
        })
    }
}

/// Checks this system.
pub fn check(device: Option<&str>, options: &Check) -> Result<(), Failure> {
    let system = options
        .sysroot
        .as_ref()
        .map_or_else(System::here, System::at);
    let findings = examine(&system, &Person::me(), device)?;
    standard::output()?.write_all(report(&findings, options.json).as_bytes())?;
    verdict(&findings)
}

fn report(findings: &[Finding], as_json: bool) -> String {
    if !as_json {
        return findings.iter().map(Finding::text).collect();
    }
    let healthy = verdict(findings).is_ok();
    let findings: Vec<_> = findings.iter().map(Finding::json).collect();
    format!("{}\n", json!({ "healthy": healthy, "findings": findings }))
}

/// What the exit code is made of.
fn verdict(findings: &[Finding]) -> Result<(), Failure> {
    let count = |level| {
        findings
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    };
    match (count(Level::Fail), count(Level::Warn)) {
        (0, 0) => Ok(()),
        (0, warnings) => Err(Failure::new(
            WARNINGS,
            format!("{warnings} of {} checks warn", findings.len()),
        )),
        (failed, _) => Err(Failure::new(
            PROBLEMS,
            format!("{failed} of {} checks failed", findings.len()),
        )),
    }
}

/// All findings, in the order in which things have to work.
fn examine(
    system: &System,
    person: &Person,
    device: Option<&str>,
) -> Result<Vec<Finding>, Failure> {
    let mut cards = system.cards();
    let mut findings = vec![bus::presence(system, &cards)];
    let nodes = bus::nodes(system);
    if cards.is_empty() && !nodes.is_empty() {
        // A container, which is not shown more than that.
        findings.extend(nodes.iter().map(|node| access(system, node, person)));
        return Ok(findings);
    }
    if let Some(name) = device {
        let Some(card) = system.card(Some(name)) else {
            return Err(Failure::new(
                crate::failure::NO_CARD,
                format!("`{name}` names no card of this system, see `ax650 list`"),
            ));
        };
        cards = vec![card];
    }
    findings.extend(software::module(system));
    findings.extend(software::axcl(system));
    findings.push(software::firmware(system, &cards));
    for card in &cards {
        findings.extend(on_card(system, person, card));
    }
    Ok(findings)
}

fn on_card(system: &System, person: &Person, card: &PciCard) -> Vec<Finding> {
    let mut findings = vec![bus::driver(system, card)];
    findings.extend(bus::state(card));
    if let Some(index) = card.index {
        let node = format!("/dev/ax650-{index}");
        findings.push(access(system, &node, person));
    }
    findings.extend(bus::link(card));
    findings.push(bus::iommu(card));
    findings
}

fn access(system: &System, node: &str, person: &Person) -> Finding {
    match access::may_open(system, node, person) {
        Ok(()) => Finding::ok("access", format!("{node} can be opened")),
        Err(refusal) => Finding::fail("access", refusal.message).remedy(refusal.remedy),
    }
}
