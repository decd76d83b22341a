// SPDX-License-Identifier: MIT OR Apache-2.0

//! The part of KTAP that the guest's runner speaks (Documentation/dev-tools/ktap.rst), one line
//! at a time, plus the diagnostic `# start NAME` that it prints before each case.

/// What a line of KTAP says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// `KTAP version 1`
    Version,
    /// `1..N`: so many results follow.
    Plan(usize),
    /// `# start NAME`: the case begins.
    Start(String),
    /// `ok N NAME`, `not ok N NAME`, either with `# SKIP reason` or `# reason`.
    Result {
        /// Name of the case.
        name: String,
        /// How it ended.
        outcome: Outcome,
    },
    /// Any other `# text`.
    Note(String),
}

/// How a case ended, in the guest's eyes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// `ok`
    Passed,
    /// `not ok`, with the reason if one was given
    Failed(String),
    /// `ok ... # SKIP reason`
    Skipped(String),
}

/// Reads one line; `Err` names what is wrong with it.
pub fn parse(line: &str) -> Result<Line, String> {
    let line = line.trim_end();
    if line == "KTAP version 1" {
        return Ok(Line::Version);
    }
    if let Some(text) = line.strip_prefix("# start ") {
        return Ok(Line::Start(text.trim().to_owned()));
    }
    if let Some(text) = line.strip_prefix('#') {
        return Ok(Line::Note(text.trim().to_owned()));
    }
    if let Some(count) = line.strip_prefix("1..") {
        return count
            .parse()
            .map(Line::Plan)
            .map_err(|_| format!("bad plan: {line}"));
    }
    let (good, rest) = match (line.strip_prefix("ok "), line.strip_prefix("not ok ")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return Err(format!("not KTAP: {line}")),
    };
    let (number, rest) = rest
        .split_once(' ')
        .ok_or_else(|| format!("no name: {line}"))?;
    number
        .parse::<usize>()
        .map_err(|_| format!("no number: {line}"))?;
    let rest = rest.strip_prefix("- ").unwrap_or(rest);
    let (name, reason) = match rest.split_once(" # ") {
        Some((name, reason)) => (name, reason.trim()),
        None => (rest, ""),
    };
    let outcome = match (good, reason.strip_prefix("SKIP")) {
        (true, Some(reason)) => Outcome::Skipped(reason.trim().to_owned()),
        (true, None) => Outcome::Passed,
        (false, _) => Outcome::Failed(reason.to_owned()),
    };
    Ok(Line::Result {
        name: name.trim().to_owned(),
        outcome,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(name: &str, outcome: Outcome) -> Result<Line, String> {
        Ok(Line::Result {
            name: name.into(),
            outcome,
        })
    }

    #[test]
    fn results() {
        assert_eq!(
            parse("ok 1 R06_unplug"),
            result("R06_unplug", Outcome::Passed)
        );
        assert_eq!(
            parse("ok 2 - R06_unplug\n"),
            result("R06_unplug", Outcome::Passed)
        );
        assert_eq!(
            parse("not ok 3 P1_kill # canary took 3 s"),
            result("P1_kill", Outcome::Failed("canary took 3 s".into()))
        );
        assert_eq!(
            parse("not ok 3 P1_kill"),
            result("P1_kill", Outcome::Failed(String::new()))
        );
        assert_eq!(
            parse("ok 4 R09 # SKIP no S3 here"),
            result("R09", Outcome::Skipped("no S3 here".into()))
        );
    }

    #[test]
    fn a_failed_case_cannot_call_itself_skipped() {
        assert_eq!(
            parse("not ok 4 R09 # SKIP really"),
            result("R09", Outcome::Failed("SKIP really".into()))
        );
    }

    #[test]
    fn other_lines() {
        assert_eq!(parse("KTAP version 1\r\n"), Ok(Line::Version));
        assert_eq!(parse("1..12"), Ok(Line::Plan(12)));
        assert_eq!(
            parse("# start R06_unplug"),
            Ok(Line::Start("R06_unplug".into()))
        );
        assert_eq!(parse("# 12 bytes"), Ok(Line::Note("12 bytes".into())));
    }

    #[test]
    fn rubbish_is_an_error() {
        for line in [
            "",
            "ok",
            "ok 1",
            "ok x y",
            "1..",
            "1..x",
            "okay 1 y",
            "[ 0.1] panic",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
