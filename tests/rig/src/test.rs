// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650-rig test`: picks the cases, shares them out, sums up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{bail, Context, Result};

use crate::artifacts::Artifacts;
use crate::boot::{run_cases, Bench};
use crate::case::{expand, list_guest_cases, Filter, GuestRun};
use crate::channel::lock;
use crate::costs::{Costs, UPDATE};
use crate::host::{self, HostCase};
use crate::kernel::{Kernel, Sample};
use crate::report::Report;

/// What the command line says.
#[derive(Clone)]
pub struct Options {
    /// patterns
    pub cases: Vec<String>,
    /// kernels
    pub kernels: Vec<Kernel>,
    /// of kernels that have a sample of cases only that
    pub samples: bool,
    /// only cases that have a long form, in that form
    pub soak: bool,
    /// only print the names
    pub list: bool,
    /// where to leave the logs in any case
    pub keep_logs: Option<PathBuf>,
    /// print consoles as well
    pub verbose: bool,
    /// boots at a time
    pub jobs: usize,
    /// where to write what operations cost
    pub costs: Option<PathBuf>,
}

/// A part of the work that is done in one piece.
enum Batch {
    Host(Vec<HostCase>),
    Guest(String, Vec<GuestRun>),
}

impl Batch {
    /// How many cases it has.
    fn cases(&self) -> usize {
        match self {
            Self::Host(cases) => cases.len(),
            Self::Guest(_, runs) => runs.len(),
        }
    }
}

/// Runs the cases; whether all went well.
pub fn run(artifacts: &mut Artifacts, options: &Options) -> Result<bool> {
    let filter = Filter::new(&options.cases)?;
    let mut host_cases = host::list(artifacts)?;
    host_cases.retain(|case| !options.soak && filter.matches(&case.name));
    // Naming host cases only shall not cost the making of a guest.
    let mut patterns = options.cases.iter().flat_map(|p| p.split_whitespace());
    let only_host = !options.cases.is_empty() && patterns.all(|p| p.starts_with("host/"));
    let mut runs = if only_host {
        Vec::new()
    } else {
        artifacts.build_guest_programs()?;
        let mut cases = list_guest_cases(artifacts.guest_command("selftest"))?;
        if options.soak {
            cases.retain(|case| case.soak_s > 0 || case.profiles.is_empty());
        }
        let filter_of = |kernel: Kernel| {
            let sample = if options.samples {
                kernel.sample()
            } else {
                &Sample::ALL
            };
            Ok((kernel, filter.sampled(sample, &cases)?))
        };
        let kernels: Result<Vec<_>> = options.kernels.iter().map(|&k| filter_of(k)).collect();
        let mut runs = expand(&cases, artifacts.arch(), &kernels?);
        runs.iter_mut().for_each(|run| run.soak = options.soak);
        runs
    };
    if options.list {
        for name in host_cases
            .iter()
            .map(|c| c.name.clone())
            .chain(runs.iter().map(GuestRun::name))
        {
            println!("{name}");
        }
        return Ok(true);
    }
    if host_cases.is_empty() && runs.is_empty() {
        bail!("no case matches {}", options.cases.join(" "));
    }
    if runs.iter().any(|run| run.profile.cards > 0) {
        artifacts.build_emulator()?;
    }
    for &kernel in Kernel::ALL {
        if runs.iter().any(|run| run.kernel == kernel) {
            artifacts.build_guest(kernel)?;
        }
    }

    let temporary;
    let logs = match &options.keep_logs {
        Some(dir) => {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot make {}", dir.display()))?;
            dir.clone()
        }
        None => {
            temporary = crate::paths::make_log_dir(&artifacts.tree().join("target/rig-logs"))?;
            temporary
        }
    };
    let prefix = artifacts.arch().prefix();
    let most = options.cases_in_a_boot();
    let first = batches(prefix, host_cases.clone(), runs.clone(), most);
    let report = Report::new(first.iter().map(Batch::cases).sum());
    let update = std::env::var_os(UPDATE).is_some_and(|value| !value.is_empty());
    let costs = Arc::new(Costs::load(artifacts.tree(), update)?);
    work(artifacts, options, &report, &logs, &costs, first);
    let names = if options.soak || crate::child::interrupted() {
        Vec::new()
    } else {
        report.begin_second_try()
    };
    if !names.is_empty() {
        host_cases.retain(|case| names.contains(&case.name));
        runs.retain(|run| names.contains(&run.name()));
        // One after the other: each has the machine for itself.
        let options = Options {
            jobs: 1,
            ..options.clone()
        };
        let second = batches(prefix, host_cases, runs, most);
        let logs = logs.join("second-try");
        std::fs::create_dir_all(&logs)
            .with_context(|| format!("cannot make {}", logs.display()))?;
        work(artifacts, &options, &report, &logs, &costs, second);
        report.end_second_try();
    }
    print!("{}", costs.end()?);
    if let Some(path) = &options.costs {
        costs.write_json(path)?;
        let shown = path.strip_prefix(artifacts.tree()).unwrap_or(path);
        println!("figures: {}", shown.display());
    }

    let good = report.failed() == 0;
    if good && names.is_empty() && options.keep_logs.is_none() {
        std::fs::remove_dir_all(&logs)
            .with_context(|| format!("cannot remove {}", logs.display()))?;
    } else {
        let shown = logs.strip_prefix(artifacts.tree()).unwrap_or(&logs);
        println!("logs: {}", shown.display());
    }
    println!("{}", report.summary());
    Ok(good)
}

/// Cases in one boot: few enough that the work can be shared out evenly, many enough that booting is a
/// small part of it.
const CASES_IN_A_BOOT: usize = 60;

impl Options {
    /// Returns how many cases share a boot: those that take an hour each none, if another guest can run meanwhile.
    fn cases_in_a_boot(&self) -> usize {
        match self.soak && self.jobs > 1 {
            true => 1,
            false => CASES_IN_A_BOOT,
        }
    }
}

/// Shares the cases of one machine out to boots of so many, each with the cases that come last in every boot.
fn boots(runs: Vec<GuestRun>, most: usize) -> Vec<Vec<GuestRun>> {
    let (last, runs): (Vec<_>, Vec<_>) = runs
        .into_iter()
        .partition(|run| run.case.profiles.is_empty());
    let count = runs.len().div_ceil(most).max(1);
    runs.chunks(runs.len().div_ceil(count).max(1))
        .map(|part| part.iter().chain(&last).cloned().collect())
        .collect()
}

/// One batch for the host's cases, and some for each combination of kernel and machine. Without guests
/// all workers are free, and each of the host's cases is a batch.
/// `arch` begins the names of the guests' logs; `most` cases share a boot.
fn batches(arch: &str, host_cases: Vec<HostCase>, runs: Vec<GuestRun>, most: usize) -> Vec<Batch> {
    let mut guests: BTreeMap<(Kernel, String), Vec<GuestRun>> = BTreeMap::new();
    for run in runs {
        guests
            .entry((run.kernel, run.profile.to_string()))
            .or_default()
            .push(run);
    }
    let mut batches: Vec<Batch> = guests
        .into_iter()
        .flat_map(|((kernel, profile), runs)| {
            let label: String = format!("{arch}{}{profile}", kernel.name())
                .chars()
                .map(|c| {
                    if c.is_ascii_alphanumeric() || "+-=.".contains(c) {
                        c
                    } else {
                        '_'
                    }
                })
                .collect();
            let parts = boots(runs, most).into_iter().enumerate();
            parts.map(move |(part, runs)| Batch::Guest(format!("{label}.{}", part + 1), runs))
        })
        .collect();
    // The longest first, by what they may take: then all workers end at about the same time.
    batches.sort_by_key(|batch| match batch {
        Batch::Guest(_, runs) => std::cmp::Reverse(runs.iter().map(|run| run.timeout()).sum()),
        Batch::Host(_) => std::cmp::Reverse(std::time::Duration::ZERO),
    });
    if batches.is_empty() {
        let each = host_cases.into_iter().map(|case| Batch::Host(vec![case]));
        return each.collect();
    }
    if !host_cases.is_empty() {
        batches.insert(0, Batch::Host(host_cases));
    }
    batches
}

fn work(
    artifacts: &Artifacts,
    options: &Options,
    report: &Report,
    logs: &Path,
    costs: &Arc<Costs>,
    batches: Vec<Batch>,
) {
    let queue = Mutex::new(batches.into_iter());
    let bench = Bench {
        artifacts,
        logs,
        costs,
        report: &|ended, logs| {
            report.case(ended, logs.strip_prefix(artifacts.tree()).unwrap_or(logs));
        },
        echo: &|line| {
            if options.verbose {
                println!("  {line}");
            }
        },
    };
    let worker = || loop {
        let Some(batch) = lock(&queue).next() else {
            return;
        };
        match batch {
            Batch::Host(cases) => {
                for case in cases {
                    (bench.report)(&case.run(artifacts, logs), logs);
                }
            }
            Batch::Guest(label, runs) => run_cases(&bench, &label, runs),
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(worker);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Arch;
    use crate::case::GuestCase;
    use crate::profile::Profile;

    fn run(name: String, last: bool) -> GuestRun {
        GuestRun {
            case: GuestCase {
                name,
                concern: "abi".into(),
                kernels: vec![Kernel::Debug],
                profiles: if last {
                    vec![]
                } else {
                    vec![Profile::default()]
                },
                timeout_s: 60,
                soak_s: 0,
                allow: vec![],
                dma_faults: false,
            },
            arch: Arch::Amd64,
            kernel: Kernel::Debug,
            profile: Profile::default(),
            soak: false,
        }
    }

    #[test]
    fn long_lists_are_shared_out() {
        let mut runs: Vec<GuestRun> = (0..130).map(|n| run(format!("case{n}"), false)).collect();
        runs.push(run("unload".into(), true));
        let boots = boots(runs, CASES_IN_A_BOOT);
        let sizes: Vec<usize> = boots.iter().map(Vec::len).collect();
        assert_eq!(sizes, [45, 45, 43]);
        let ends_with_unload = |boot: &Vec<GuestRun>| boot.last().unwrap().case.name == "unload";
        assert!(boots.iter().all(ends_with_unload));
        let names = boots.iter().flatten().map(|run| &run.case.name);
        let distinct: std::collections::BTreeSet<_> = names.collect();
        assert_eq!(distinct.len(), 131, "none is lost");
    }

    #[test]
    fn a_few_stay_together() {
        let runs = || {
            vec![
                run("one".into(), false),
                run("two".into(), false),
                run("unload".into(), true),
            ]
        };
        let sizes = |boots: Vec<Vec<GuestRun>>| boots.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(boots(runs(), CASES_IN_A_BOOT)), [3]);
        assert_eq!(sizes(boots(runs(), 1)), [2, 2]);
    }
}
