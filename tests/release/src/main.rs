// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650-release sbom`: prints the list of what this tree's packages are made of.
//! `ax650-release crates`: prints the crates, but those that only other systems need.
//! `ax650-release check`: checks the crates against `deny.toml`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{bail, Context, Result};
use ax650_release::graph::Graph;
use ax650_release::policy::Policy;
use ax650_release::sbom;

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("release: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    let tree = Path::new(".");
    let policy = Policy::of(tree)?;
    let graph = Graph::of(tree, policy.targets())?;
    match args {
        [what] if what == "check" => {
            let broken = policy.broken(&graph);
            if !broken.is_empty() {
                bail!("{}", broken.join("\n"));
            }
            Ok(())
        }
        [what] if what == "crates" => {
            let mut out = std::io::stdout().lock();
            for package in graph.packages() {
                writeln!(out, "{}-{}", package.name, package.version).context("standard output")?;
            }
            Ok(())
        }
        [what] if what == "sbom" => {
            let lock = std::fs::read_to_string("Cargo.lock").context("Cargo.lock")?;
            let document = sbom::document(&graph, &lock, env!("CARGO_PKG_VERSION"))?;
            let mut out = std::io::stdout().lock();
            serde_json::to_writer_pretty(&mut out, &document)?;
            writeln!(out).context("standard output")
        }
        _ => bail!("usage: ax650-release sbom|crates|check, at the top of the tree"),
    }
}
