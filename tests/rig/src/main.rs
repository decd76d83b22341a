// SPDX-License-Identifier: MIT OR Apache-2.0

//! Test harness of the AX650N stack: starts emulated cards and QEMU guests, runs the cases of the
//! guest's test program there and cargo's tests here, and judges them.  docs/testing.md tells how
//! it works and how to add a case.

mod arch;
mod artifacts;
mod boot;
mod case;
mod channel;
mod child;
mod costs;
mod device_tree;
mod emulator;
mod host;
mod judge;
mod kernel;
mod klog;
mod ktap;
mod lines;
mod paths;
mod profile;
mod qemu;
mod qmp;
mod report;
mod shell;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use crate::arch::Arch;
use crate::artifacts::{Artifacts, Programs};
use crate::kernel::Kernel;

/// Runs the AX650N stack in QEMU guests with emulated cards.  Run it inside the toolchain root.
#[derive(Parser)]
#[command(name = "ax650-rig", version)]
struct Cli {
    /// Architecture of the guests
    #[arg(long, value_enum, default_value = "amd64", global = true)]
    arch: Arch,
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Run test cases; the last line is `N passed, N failed, N skipped`
    Test {
        /// Only cases whose name, or last part of it, matches; may be given more than once
        /// [default: all; for arm64 those that the architecture can break]
        #[arg(long, value_name = "GLOB")]
        cases: Vec<String>,
        /// The guests to run them in
        #[arg(long, value_enum, default_value = "all")]
        kernel: Kernels,
        /// Run only cases that have a long form, in that form
        #[arg(long)]
        soak: bool,
        /// Print the names of the cases instead
        #[arg(long)]
        list: bool,
        /// Write the logs to this directory, and keep them even if all goes well
        #[arg(long, value_name = "DIR")]
        keep_logs: Option<PathBuf>,
        /// Boots at a time [default: one more than there are CPUs, as cases wait much, with --soak twice as many; at most 4]
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
        jobs: Option<u16>,
        /// Print the guests' consoles
        #[arg(short, long)]
        verbose: bool,
    },
    /// Measure what operations cost, and print and write it
    Bench {
        /// Only cases whose name, or last part of it, matches; may be given more than once
        #[arg(long, value_name = "GLOB", default_values_t = MEASURE.map(String::from))]
        cases: Vec<String>,
        /// The guests to run them in; not the debug kernel, whose times say nothing
        #[arg(long, value_enum, default_value = "all")]
        kernel: Kernels,
        /// File of the figures
        #[arg(long, value_name = "FILE", default_value = "target/bench/bench.json")]
        json: PathBuf,
        /// Print the guests' consoles
        #[arg(short, long)]
        verbose: bool,
    },
    /// Build what `guest` needs and what prepares models for its card, and stop
    Build {
        /// The guest's kernel
        #[arg(long, value_enum, default_value = "trixie-backports")]
        kernel: Kernel,
    },
    /// A prompt in a guest with cards
    Shell {
        /// The guest's kernel
        #[arg(long, value_enum, default_value = "trixie-backports")]
        kernel: Kernel,
        /// Number of cards
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=8))]
        cards: u8,
        /// Directory that the guest has on /mnt/share
        #[arg(long, value_name = "DIR")]
        share: Option<PathBuf>,
        /// Directory whose files are copied to /root/demo
        #[arg(long, value_name = "DIR")]
        files: Option<PathBuf>,
    },
    /// One command in a guest; succeeds if it does
    Guest {
        /// The guest's kernel
        #[arg(long, value_enum, default_value = "trixie-backports")]
        kernel: Kernel,
        /// Number of cards
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=8))]
        cards: u8,
        /// Directory that the guest has on /mnt/share
        #[arg(long, value_name = "DIR")]
        share: Option<PathBuf>,
        /// The command, its words parted by commas
        #[arg(long, value_name = "WORD,WORD...")]
        run: String,
        /// Seconds that it may take
        #[arg(long, value_name = "SECONDS", default_value_t = 900)]
        limit: u32,
    },
}

/// The concerns that measure.
const MEASURE: [&str; 2] = ["bench/*", "axcl_bench/*"];

#[derive(Clone, Copy, ValueEnum)]
enum Kernels {
    #[value(alias = "stock")]
    TrixieBackports,
    Forky,
    Debug,
    /// All of them; for some a sample of the cases
    All,
}

impl Kernels {
    /// Those that there are for `arch`.
    fn list(self, arch: Arch) -> Vec<Kernel> {
        match self {
            Self::All if arch != Arch::Amd64 => vec![Kernel::TrixieBackports],
            Self::TrixieBackports => vec![Kernel::TrixieBackports],
            Self::Forky => vec![Kernel::Forky],
            Self::Debug => vec![Kernel::Debug],
            Self::All => Kernel::ALL.to_vec(),
        }
    }
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("ax650-rig: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<bool> {
    child::handle_interrupts(|| eprintln!("ax650-rig: interrupted"))?;
    let tree = paths::tree()?;
    let mut artifacts = Artifacts::new(cli.arch, &tree, &paths::target(&tree));
    match cli.command {
        Action::Test {
            mut cases,
            kernel,
            soak,
            list,
            keep_logs,
            jobs,
            verbose,
        } => {
            if cases.is_empty() {
                cases.extend(cli.arch.usual_cases().iter().map(|&c| c.to_owned()));
            }
            let cpus = std::thread::available_parallelism().map_or(1, usize::from);
            // What goes on for long waits even more.
            let usual_jobs = if soak { 2 * cpus } else { cpus + 1 }.min(4);
            let options = test::Options {
                cases,
                kernels: kernel.list(cli.arch),
                samples: matches!(kernel, Kernels::All) && !soak,
                soak,
                list,
                keep_logs,
                verbose,
                jobs: jobs.map_or(usual_jobs, usize::from),
                costs: None,
            };
            test::run(&mut artifacts, &options)
        }
        Action::Bench {
            cases,
            kernel,
            json,
            verbose,
        } => {
            let options = test::Options {
                cases,
                kernels: kernel.list(cli.arch),
                samples: false,
                soak: true,
                list: false,
                keep_logs: None,
                verbose,
                // Guests at the same time would measure each other.
                jobs: 1,
                costs: Some(tree.join(json)),
            };
            test::run(&mut artifacts, &options)
        }
        Action::Build { kernel } => {
            artifacts.build(kernel, Programs::Tools)?;
            Ok(true)
        }
        Action::Shell {
            kernel,
            cards,
            share,
            files,
        } => {
            let options = shell::Options {
                kernel,
                cards: cards.into(),
                share,
                files,
                run: None,
                limit: Duration::MAX,
            };
            shell::run(&mut artifacts, &options)
        }
        Action::Guest {
            kernel,
            cards,
            share,
            run,
            limit,
        } => {
            let options = shell::Options {
                kernel,
                cards: cards.into(),
                share,
                files: None,
                run: Some(run),
                limit: Duration::from_secs(limit.into()),
            };
            shell::run(&mut artifacts, &options)
        }
    }
}
