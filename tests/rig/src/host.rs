// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cases that need no guest: cargo's tests, lints, format; the module's lints and format.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use serde_json::Value;

use crate::arch::Arch;
use crate::artifacts::Artifacts;
use crate::case::{Ended, Verdict};
use crate::child::Group;

/// No host case may take longer.
const LIMIT: Duration = Duration::from_secs(1800);
/// Lines of a failed test in the summary: where, the assertion, and both of its sides.
const SAID: usize = 4;

/// One command whose exit status is the verdict.
#[derive(Clone)]
pub struct HostCase {
    /// full name, e.g. `host/test/ax650-uapi`
    pub name: String,
    program: Program,
    args: Vec<String>,
    /// the C compiler, if it is not the usual one
    compiler: Option<&'static str>,
}

#[derive(Clone, Copy)]
enum Program {
    Cargo,
    /// of this directory
    Script(&'static str, &'static str),
}

/// Lists all cases that need no guest.
pub fn list(artifacts: &Artifacts) -> Result<Vec<HostCase>> {
    match artifacts.arch() {
        Arch::Amd64 => list_all(artifacts),
        // The rest is the same whatever the guests are.
        arch @ Arch::Arm64 => Ok(list_foreign(arch)),
    }
}

/// Tests of what guests run, built for their architecture and run by QEMU's user mode emulation.
/// Those that start programs cannot be run so.
fn list_foreign(arch: Arch) -> Vec<HostCase> {
    let packages = [
        "ax650-uapi",
        "ax650-wire-tests",
        "ax650 --lib",
        "ax650-firmware --lib",
    ];
    let case = |package: &str| {
        let name = package.split(' ').next().unwrap_or(package);
        let args = format!(
            "test --locked --target {} --package {package}",
            arch.triple()
        );
        HostCase {
            name: format!("host/{}/{name}", arch.name()),
            program: Program::Cargo,
            args: args.split(' ').map(str::to_owned).collect(),
            // A test compares the C header with the crate.
            compiler: arch.compiler(),
        }
    };
    packages.into_iter().map(case).collect()
}

fn list_all(artifacts: &Artifacts) -> Result<Vec<HostCase>> {
    let case = |name: &str, program: Program, args: &str| HostCase {
        name: format!("host/{name}"),
        program,
        args: args.split_whitespace().map(str::to_owned).collect(),
        compiler: None,
    };
    let mut cases = vec![
        case("fmt/workspace", Program::Cargo, "fmt --all --check"),
        case(
            "clippy/workspace",
            Program::Cargo,
            "clippy --workspace --all-targets --locked -- -D warnings",
        ),
    ];
    cases.push(case(
        "check/fuzz",
        Program::Cargo,
        "check --locked --package ax650-fuzz --features libfuzzer --bins",
    ));
    for package in packages(artifacts)? {
        let args = format!("test --locked --package {package}");
        cases.push(case(&format!("test/{package}"), Program::Cargo, &args));
    }
    cases.push(case(
        "python",
        Program::Script("tests/python", "host.sh"),
        "",
    ));
    cases.push(case(
        "fmt/module",
        Program::Script("tests/env", "module.sh"),
        "fmt",
    ));
    cases.push(case(
        "clippy/module",
        Program::Script("tests/env", "module.sh"),
        "clippy",
    ));
    Ok(cases)
}

/// Names of the workspace's packages.
fn packages(artifacts: &Artifacts) -> Result<Vec<String>> {
    let output = artifacts
        .cargo(&["metadata", "--no-deps", "--format-version", "1"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("cargo metadata failed ({})", output.status);
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?;
    Ok(packages
        .iter()
        .filter_map(|p| Some(p["name"].as_str()?.to_owned()))
        .collect())
}

impl HostCase {
    /// Runs it; its output goes to a file in `logs`.
    pub fn run(&self, artifacts: &Artifacts, logs: &Path) -> Ended {
        let begin = Instant::now();
        let path = logs.join(format!("{}.log", self.name.replace('/', "-")));
        let result = self.execute(artifacts, &path);
        let mut text = String::new();
        // For the report only: without the log it has one reason less to show.
        if let Ok(mut file) = std::fs::File::open(&path) {
            let _ = file.read_to_string(&mut text);
        }
        let verdict = match result {
            Ok(()) => Verdict::Passed,
            Err(e) => Verdict::Failed(vec![format!("{e:#}{}", failed_tests(&text))]),
        };
        let log = text.lines().map(str::to_owned).collect();
        Ended {
            name: self.name.clone(),
            verdict,
            time: begin.elapsed(),
            log,
            evidence: false,
        }
    }

    fn execute(&self, artifacts: &Artifacts, log: &Path) -> Result<()> {
        let file = std::fs::File::create(log).with_context(|| format!("{}", log.display()))?;
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let mut command: Command = match self.program {
            Program::Cargo => {
                let mut cargo = artifacts.cargo(&args);
                if std::env::var_os("AX650_FUZZ_SECONDS").is_none() {
                    cargo.env("AX650_FUZZ_SECONDS", "10");
                }
                cargo
            }
            Program::Script(dir, name) => artifacts.script_of(dir, name, &args),
        };
        if let Some(compiler) = self.compiler {
            command.env("CC", compiler);
        }
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let mut group = Group::spawn(&mut command, &self.name)?;
        match group.wait_until(Instant::now() + LIMIT)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!(
                "{} {}: {status}",
                command.get_program().to_string_lossy(),
                args.join(" ")
            ),
            None => bail!("time-out after {} s", LIMIT.as_secs()),
        }
    }
}

/// What of the output of `cargo test` belongs on the one line of the summary: where tests panicked
/// and what they said.  Empty if none did.
fn failed_tests(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    let mut text = String::new();
    for (i, line) in lines.iter().enumerate() {
        if !(line.starts_with("thread '") && line.contains(" panicked at ")) {
            continue;
        }
        // Threads with other names are a test's own; what they say is seldom the verdict.
        let name = line.split('\'').nth(1).unwrap_or_default();
        if !lines.contains(&format!("test {name} ... FAILED").as_str()) {
            continue;
        }
        let end = |line: &&&str| {
            !(line.is_empty() || line.starts_with("note:") || line.starts_with("stack backtrace"))
        };
        let said: Vec<&str> = lines[i..]
            .iter()
            .take_while(end)
            .take(SAID)
            .map(|l| l.trim())
            .collect();
        text.push_str("; ");
        text.push_str(&said.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::failed_tests;

    #[test]
    fn failed_tests_are_named_with_what_they_said() {
        let output = "\
test heartbeat ... ok
test all_ones ... FAILED

---- all_ones stdout ----

thread 'all_ones' (71) panicked at tests/life.rs:7:5:
assertion `left == right` failed
  left: 1
 right: 2
note: run with `RUST_BACKTRACE=1`

thread 'card' (72) panicked at src/x.rs:1:1:
expected by a test that passed
";
        assert_eq!(
            failed_tests(output),
            "; thread 'all_ones' (71) panicked at tests/life.rs:7:5: \
             assertion `left == right` failed left: 1 right: 2"
        );
        assert_eq!(failed_tests("error: could not compile"), "");
    }
}
