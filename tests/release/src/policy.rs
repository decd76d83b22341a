// SPDX-License-Identifier: MIT OR Apache-2.0

//! `deny.toml`, the rules for crates, and whether they are kept.  A part of what cargo-deny does;
//! rules that are not known here are refused, so that none is believed to be checked and is not.

use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::semver::VersionReq;
use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

use crate::graph::{Graph, Package};

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    graph: Machines,
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Machines {
    targets: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Licences {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Bans {
    #[serde(rename = "multiple-versions")]
    _multiple_versions: Allow,
    #[serde(rename = "wildcards")]
    _wildcards: Deny,
    allow_wildcard_paths: bool,
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    /// Crates that may need it all the same.
    #[serde(default)]
    wrappers: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Sources {
    #[serde(rename = "unknown-registry")]
    _unknown_registry: Deny,
    #[serde(rename = "unknown-git")]
    _unknown_git: Deny,
    allow_registry: Vec<String>,
}

/// The only setting of a rule that is checked here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Deny {
    Deny,
}

/// The only setting of a rule that is not.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Allow {
    Allow,
}

impl Policy {
    /// Reads `deny.toml` of the workspace in `tree`.
    pub fn of(tree: &Path) -> Result<Self> {
        let path = tree.join("deny.toml");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Self::parse(&text).context("deny.toml")
    }

    /// Reads the rules.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context("not understood")
    }

    /// The machines that crates are looked at for.
    pub fn targets(&self) -> &[String] {
        &self.graph.targets
    }

    /// What is against the rules, a line each.
    pub fn broken(&self, graph: &Graph) -> Vec<String> {
        let mut lines = Vec::new();
        for package in graph.packages() {
            let mut say = |what: String| {
                lines.push(format!("{} {}: {what}", package.name, package.version));
            };
            if let Some(problem) = self.licence_problem(package) {
                say(problem);
            }
            if let Some(ban) = self.bans.deny.iter().find(|ban| ban.name == package.name) {
                let is_known = |user: &&str| ban.wrappers.iter().any(|known| known == user);
                match ban.wrappers.is_empty() {
                    true => say("not wanted here".into()),
                    false => graph
                        .users(package)
                        .into_iter()
                        .filter(|user| !is_known(user))
                        .for_each(|user| say(format!("not wanted here, but {user} needs it"))),
                }
            }
            if let Some(source) = &package.source {
                let known = |url: &String| source.repr.strip_prefix("registry+") == Some(url);
                if !self.sources.allow_registry.iter().any(known) {
                    say(format!("comes from {}", source.repr));
                }
            } else if !graph.is_member(package) {
                say("a directory that is not of this workspace".into());
            }
            for dependency in self.wildcards(package) {
                say(format!("any version of {dependency} would do"));
            }
        }
        lines
    }

    fn licence_problem(&self, package: &Package) -> Option<String> {
        let Some(licence) = &package.license else {
            return Some("has no licence".into());
        };
        // Old crates write `MIT/Apache-2.0`.
        let expression = match Expression::parse_mode(licence, ParseMode::LAX) {
            Ok(expression) => expression,
            Err(e) => return Some(format!("licence '{licence}': {}", e.reason)),
        };
        let exceptions = self.licenses.exceptions.iter();
        let allowed: Vec<Licensee> = exceptions
            .filter(|e| e.name == package.name)
            .flat_map(|e| &e.allow)
            .chain(&self.licenses.allow)
            .filter_map(|licence| Licensee::parse(licence).ok())
            .collect();
        let good = expression.evaluate(|needed| allowed.iter().any(|a| a.satisfies(needed)));
        (!good).then(|| format!("licence '{licence}'"))
    }

    /// Dependencies of a crate of this workspace that ask for no version, other than by path.
    fn wildcards<'a>(&self, package: &'a Package) -> impl Iterator<Item = &'a str> {
        let paths = self.bans.allow_wildcard_paths;
        let own = package.source.is_none();
        let dependencies = package.dependencies.iter();
        dependencies
            .filter(move |d| own && d.req == VersionReq::STAR && !(paths && d.path.is_some()))
            .map(|d| d.name.as_str())
    }
}
