// SPDX-License-Identifier: MIT OR Apache-2.0

//! Cases: what they are called, what they need, how they end.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use anyhow::{bail, Context, Result};
use serde::Deserialize;

use crate::arch::Arch;
use crate::kernel::{Kernel, Sample};
use crate::profile::Profile;

/// What the guest's test program says of one of its cases (`selftest list --json`).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestCase {
    /// its name, e.g. `R06_unplug_during_boot`
    pub name: String,
    /// the file it is in, e.g. `unplug`
    pub concern: String,
    /// kernels it makes sense on
    pub kernels: Vec<Kernel>,
    /// machines it is to be run on; empty: every boot, after all other cases
    pub profiles: Vec<Profile>,
    /// seconds it may take on an idle machine with a distribution's kernel
    pub timeout_s: u64,
    /// the same when it goes on for long; 0: it has no long form
    pub soak_s: u64,
    /// kernel log reports it provokes: texts that their lines contain
    pub allow: Vec<String>,
    /// it makes the card touch memory that is not mapped for it
    pub dma_faults: bool,
}

/// A case to be run on a certain guest.
#[derive(Debug, Clone)]
pub struct GuestRun {
    /// what to run
    pub case: GuestCase,
    /// on which architecture
    pub arch: Arch,
    /// on which kernel
    pub kernel: Kernel,
    /// on which machine
    pub profile: Profile,
    /// in its long form, if it has one
    pub soak: bool,
}

impl GuestRun {
    /// Returns the full name, e.g. `debug+noiommu/buffers/R49_data` or
    /// `arm64-trixie-backports/buffers/R44_zeroed`.
    pub fn name(&self) -> String {
        format!(
            "{}{}{}/{}/{}",
            self.arch.prefix(),
            self.kernel.name(),
            self.profile,
            self.case.concern,
            self.case.name
        )
    }

    /// Returns how long the case may take on this kernel.
    pub fn timeout(&self) -> Duration {
        let seconds = if self.soak {
            self.case.soak_s.max(self.case.timeout_s)
        } else {
            self.case.timeout_s
        };
        Duration::from_secs(seconds) * self.kernel.slowness()
    }
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// as it should
    Passed,
    /// not so, for these reasons
    Failed(Vec<String>),
    /// it could not be run, because of this
    Skipped(String),
}

/// A case that has ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// full name
    pub name: String,
    /// how it ended
    pub verdict: Verdict,
    /// time it took
    pub time: Duration,
    /// the end of its log, for failures
    pub log: Vec<String>,
    /// more than the case speaks against it: the kernel's log, the IOMMU, a guest that was lost
    pub evidence: bool,
}

/// Picks cases by name: a pattern matches the full name, its end from the concern on, or its last
/// part.
#[derive(Clone)]
pub struct Filter {
    patterns: Vec<glob::Pattern>,
    /// what must match as well; empty: nothing must
    sample: Vec<glob::Pattern>,
    /// what must not match
    left_out: Vec<glob::Pattern>,
}

impl Filter {
    /// Compiles the patterns; without any, everything matches.
    pub fn new(patterns: &[String]) -> Result<Self> {
        let compile =
            |p: &String| glob::Pattern::new(p).with_context(|| format!("bad pattern '{p}'"));
        let patterns = patterns
            .iter()
            .flat_map(|p| p.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .map(|p| compile(&p))
            .collect::<Result<_>>()?;
        Ok(Self {
            patterns,
            sample: Vec::new(),
            left_out: Vec::new(),
        })
    }

    /// Makes a filter that takes of `cases` the sample only.
    pub fn sampled(&self, sample: &Sample, cases: &[GuestCase]) -> Result<Self> {
        let compile = |names: &[&str]| -> Result<Vec<_>> {
            let pattern = |name: &&str| {
                let pattern =
                    glob::Pattern::new(name).with_context(|| format!("bad pattern '{name}'"))?;
                let known = |c: &GuestCase| pattern.matches(&format!("{}/{}", c.concern, c.name));
                if !cases.iter().any(known) {
                    bail!("no case is called {name}: correct kernel.rs");
                }
                Ok(pattern)
            };
            names.iter().map(pattern).collect()
        };
        Ok(Self {
            sample: compile(sample.only)?,
            left_out: compile(sample.but)?,
            ..self.clone()
        })
    }

    /// Returns whether the case called `name` is wanted.
    pub fn matches(&self, name: &str) -> bool {
        let one = |patterns: &[glob::Pattern]| {
            let ends = name
                .match_indices('/')
                .filter_map(|(at, _)| name.get(at + 1..));
            let mut names = ends.chain([name]);
            names.any(|name| patterns.iter().any(|p| p.matches(name)))
        };
        let any = |patterns: &[glob::Pattern]| patterns.is_empty() || one(patterns);
        any(&self.patterns) && any(&self.sample) && !one(&self.left_out)
    }
}

/// Asks the guest's test program for its cases; `selftest` runs it on this machine.
pub fn list_guest_cases(mut selftest: Command) -> Result<Vec<GuestCase>> {
    let output = selftest
        .args(["list", "--json"])
        .output()
        .with_context(|| format!("cannot run {}", selftest.get_program().to_string_lossy()))?;
    if !output.status.success() {
        bail!(
            "selftest list: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let cases: Vec<GuestCase> =
        serde_json::from_slice(&output.stdout).context("what selftest lists is not understood")?;
    let mut names: Vec<&str> = cases.iter().map(|c| c.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        bail!("two cases are called {}", pair[0]);
    }
    Ok(cases)
}

/// Returns every combination of case, kernel and machine that the kernel's filter wants, and for
/// each machine that is booted for them the cases that come last in every boot.
pub fn expand(cases: &[GuestCase], arch: Arch, kernels: &[(Kernel, Filter)]) -> Vec<GuestRun> {
    let mut runs = Vec::new();
    for (kernel, filter) in kernels {
        let kernel = *kernel;
        let mut machines = BTreeSet::new();
        for case in cases.iter().filter(|c| c.kernels.contains(&kernel)) {
            let there = case.profiles.iter().filter(|p| arch.has_machine(p));
            for profile in there {
                let run = GuestRun {
                    case: case.clone(),
                    arch,
                    kernel,
                    profile: profile.clone(),
                    soak: false,
                };
                if filter.matches(&run.name()) {
                    machines.insert(run.profile.clone());
                    runs.push(run);
                }
            }
        }
        for profile in machines {
            for case in cases.iter().filter(|c| c.kernels.contains(&kernel)) {
                if case.profiles.is_empty() {
                    runs.push(GuestRun {
                        case: case.clone(),
                        arch,
                        kernel,
                        profile: profile.clone(),
                        soak: false,
                    });
                }
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(patterns: &[&str]) -> Filter {
        Filter::new(&patterns.iter().map(|&p| p.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn filters() {
        assert!(filter(&[]).matches("trixie-backports/abi/R03_x"));
        assert!(filter(&["R03*"]).matches("trixie-backports/abi/R03_x"));
        assert!(filter(&["trixie-backports/*"]).matches("trixie-backports/abi/R03_x"));
        assert!(filter(&["*/abi/*"]).matches("trixie-backports/abi/R03_x"));
        assert!(filter(&["abi/*"]).matches("trixie-backports/abi/R03_x"));
        assert!(!filter(&["bi/*"]).matches("trixie-backports/abi/R03_x"));
        assert!(filter(&["R04* R03*"]).matches("trixie-backports/abi/R03_x"));
        assert!(!filter(&["R04*"]).matches("trixie-backports/abi/R03_x"));
        assert!(!filter(&["debug/*", "abi"]).matches("trixie-backports/abi/R03_x"));
        assert!(Filter::new(&["[".into()]).is_err());
    }

    #[test]
    fn expansion() {
        let case = |name: &str, profiles: Vec<Profile>| GuestCase {
            name: name.into(),
            concern: "buffers".into(),
            kernels: vec![Kernel::TrixieBackports, Kernel::Debug],
            profiles,
            timeout_s: 10,
            soak_s: 0,
            allow: vec![],
            dma_faults: false,
        };
        let off = Profile {
            iommu: crate::profile::Iommu::Off,
            ..Profile::default()
        };
        let cases = [
            case("R49_data", vec![Profile::default(), off]),
            case("R44_zeroed", vec![Profile::default()]),
            case("unload", vec![]),
        ];
        let names = |kernels: &[Kernel], pattern: &str| -> Vec<String> {
            let kernels: Vec<(Kernel, Filter)> =
                kernels.iter().map(|&k| (k, filter(&[pattern]))).collect();
            let runs = expand(&cases, Arch::Amd64, &kernels);
            runs.iter().map(GuestRun::name).collect()
        };
        assert_eq!(
            names(&[Kernel::TrixieBackports], "R49*"),
            [
                "trixie-backports/buffers/R49_data",
                "trixie-backports+noiommu/buffers/R49_data",
                "trixie-backports/buffers/unload",
                "trixie-backports+noiommu/buffers/unload"
            ]
        );
        assert_eq!(
            names(&[Kernel::TrixieBackports, Kernel::Debug], "debug/*"),
            [
                "debug/buffers/R49_data",
                "debug/buffers/R44_zeroed",
                "debug/buffers/unload"
            ]
        );
        assert!(
            names(&[Kernel::TrixieBackports], "unload").is_empty(),
            "not by itself"
        );

        let sampled = |only: &'static [&'static str], but: &'static [&'static str]| {
            let sample = filter(&[]).sampled(&Sample { only, but }, &cases)?;
            let runs = expand(&cases, Arch::Amd64, &[(Kernel::Debug, sample)]);
            Ok::<_, anyhow::Error>(runs.iter().map(GuestRun::name).collect::<Vec<String>>())
        };
        let zeroed = ["debug/buffers/R44_zeroed", "debug/buffers/unload"];
        assert_eq!(sampled(&["buffers/R44*"], &[]).unwrap(), zeroed);
        assert_eq!(sampled(&[], &["buffers/R49*"]).unwrap(), zeroed);
        assert!(sampled(&["buffers/gone"], &[]).is_err());
        assert!(sampled(&[], &["buffers/gone"]).is_err());
    }
}
