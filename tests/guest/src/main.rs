// SPDX-License-Identifier: MIT OR Apache-2.0

//! Test cases that run in the guest, and the program that runs them there (docs/testing.md).
//!
//! ```text
//! selftest list [--json]      names of the cases, or all that the harness wants to know of them
//! selftest run CASE...        run them, KTAP on stdout
//! selftest run --from-host    run what the harness says, KTAP on its port
//! ```

mod ax650_llm;
mod card;
mod cases;
mod client;
mod frame;
mod runner;

use ax650_test_kit::{
    case, cases, errors, failures, guarded, host, kernel, map, onnx, process, random,
};

use std::process::ExitCode;

use anyhow::{bail, Result};

const USAGE: &str = "usage: selftest list [--json] | run CASE... | run --from-host";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("selftest: {e:#}");
            ExitCode::from(2)
        }
    }
}

fn run(words: &[&str]) -> Result<bool> {
    match words {
        ["list"] => {
            for case in cases::all() {
                println!("{}/{}", case.concern, case.name);
            }
            Ok(true)
        }
        ["list", "--json"] => {
            println!("{}", case::describe(&cases::all()));
            Ok(true)
        }
        ["run", "--from-host"] => runner::run_from_host(),
        ["run", names @ ..] if !names.is_empty() => runner::run_named(names),
        ["case", name, phase] => runner::run_one(name, phase.parse()?),
        _ => bail!(USAGE),
    }
}
