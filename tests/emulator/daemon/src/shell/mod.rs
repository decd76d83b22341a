// SPDX-License-Identifier: MIT OR Apache-2.0

//! The card's shell, as far as property queries use it [rpc 4.2] and people type at it.  Nothing is run
//! on this machine: a few harmless commands are interpreted, all others are not found.

mod clock;
mod files;
mod grep;
mod outcome;
mod syntax;
mod system;

use crate::machine::card::Card;
use outcome::Outcome;
use syntax::{Joint, Stage};

/// Runs a command line.
pub(crate) fn run(card: &Card, line: &str) -> Outcome {
    let list = match syntax::parse(line) {
        Ok(list) => list,
        Err(near) => return Outcome::fail(2, format!("sh: syntax error: unexpected \"{near}\"\n")),
    };
    let mut all = Outcome::ok("");
    for (joint, pipeline) in list {
        let wanted = match joint {
            Joint::Always => true,
            Joint::And => all.status == 0,
            Joint::Or => all.status != 0,
        };
        if wanted {
            let outcome = run_pipeline(card, &pipeline);
            all.status = outcome.status;
            all.output.push_str(&outcome.output);
        }
    }
    all
}

/// Runs stages joined by `|`.  What earlier stages say on their error output is kept.
fn run_pipeline(card: &Card, stages: &[Stage]) -> Outcome {
    let mut input = String::new();
    let mut errors = String::new();
    let mut status = 0;
    for stage in stages {
        let outcome = run_stage(card, stage, &input);
        status = outcome.status;
        if outcome.status > 1 || (outcome.status == 1 && stage.name() == "cat") {
            errors.push_str(&outcome.output);
            input = String::new();
        } else {
            input = outcome.output;
        }
    }
    Outcome {
        status,
        output: errors + &input,
    }
}

fn run_stage(card: &Card, stage: &Stage, input: &str) -> Outcome {
    let outcome = command(card, stage, input);
    let Some(path) = &stage.target else {
        return outcome;
    };
    if outcome.status != 0 {
        return outcome;
    }
    match files::write(card, path, &outcome.output) {
        Ok(()) => Outcome::ok(""),
        Err(why) => Outcome::fail(1, format!("sh: can't create {path}: {why}\n")),
    }
}

fn command(card: &Card, stage: &Stage, input: &str) -> Outcome {
    let args = stage.args();
    match stage.name() {
        "cat" => cat(card, args, input),
        "grep" => grep::run(args, input),
        "echo" => Outcome::ok(args.join(" ") + "\n"),
        "true" => Outcome::ok(""),
        "false" => Outcome::fail(1, ""),
        "uname" => system::uname(card, args),
        "date" => system::date(args),
        "uptime" => system::uptime(card),
        "free" => system::free(card, args),
        "df" => system::df(card, args),
        "ps" => system::ps(card, args),
        "dmesg" => system::dmesg(card),
        "top" => system::top(card, args)
            .unwrap_or_else(|| Outcome::fail(1, "top: only -b -n1 is known here\n")),
        other => Outcome::fail(127, format!("sh: {other}: not found\n")),
    }
}

fn cat(card: &Card, paths: &[String], input: &str) -> Outcome {
    if paths.is_empty() {
        return Outcome::ok(input);
    }
    let mut all = Outcome::ok("");
    for path in paths {
        match files::read(card, path) {
            Some(text) => all.output.push_str(&text),
            None => {
                all.status = 1;
                let error = format!("cat: can't open '{path}': No such file or directory\n");
                all.output.push_str(&error);
            }
        }
    }
    all
}
