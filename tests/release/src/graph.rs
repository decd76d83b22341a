// SPDX-License-Identifier: MIT OR Apache-2.0

//! The crates of the workspace and what they need, as `cargo metadata` tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{bail, Context, Result};
use serde::Deserialize;

/// The answer of `cargo metadata`, of which this is what matters here.
#[derive(Debug, Deserialize)]
pub struct Graph {
    packages: Vec<Package>,
    resolve: Resolve,
    workspace_members: BTreeSet<String>,
}

/// A crate.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    /// what the other lists call it
    pub id: String,
    /// its name
    pub name: String,
    /// its version
    pub version: String,
    /// an SPDX expression, as its author wrote it
    pub license: Option<String>,
    /// the registry it comes from; nothing for those of this tree
    pub source: Option<String>,
    /// what it asks for
    pub dependencies: Vec<Dependency>,
}

/// A line of a crate's `[dependencies]`.
#[derive(Debug, Clone, Deserialize)]
pub struct Dependency {
    /// of what
    pub name: String,
    /// version requirement
    pub req: String,
    /// directory, if it is one of this tree
    pub path: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
struct EdgeKind {
    /// nothing, `build` or `dev`
    kind: Option<String>,
}

impl Graph {
    /// Asks cargo, for the machines `targets`, about the workspace in `tree`.
    pub fn of(tree: &Path, targets: &[String]) -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["metadata", "--locked", "--format-version", "1"])
            .current_dir(tree)
            .stderr(Stdio::inherit());
        for target in targets {
            command.args(["--filter-platform", target]);
        }
        let output = command.output().context("cannot run cargo")?;
        if !output.status.success() {
            bail!("cargo metadata: {}", output.status);
        }
        Self::parse(&output.stdout)
    }

    /// Reads what `cargo metadata` has printed.
    pub fn parse(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).context("what cargo metadata prints is not understood")
    }

    /// The crates that are used, by name and version.
    pub fn packages(&self) -> Vec<&Package> {
        let used: BTreeSet<&str> = self.resolve.nodes.iter().map(|n| n.id.as_str()).collect();
        let mut packages: Vec<&Package> = self
            .packages
            .iter()
            .filter(|p| used.contains(p.id.as_str()))
            .collect();
        packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        packages
    }

    /// Whether it is a crate of this workspace.
    pub fn is_member(&self, package: &Package) -> bool {
        self.workspace_members.contains(&package.id)
    }

    /// What each crate needs to be built and to run, not what its tests need: ids, by id.
    pub fn needs(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let wanted = |edge: &&Edge| {
            let mut kinds = edge.dep_kinds.iter();
            kinds.any(|kind| kind.kind.as_deref() != Some("dev"))
        };
        self.resolve
            .nodes
            .iter()
            .map(|node| {
                let needs = node.deps.iter().filter(wanted);
                (node.id.as_str(), needs.map(|e| e.pkg.as_str()).collect())
            })
            .collect()
    }

    /// The crates called `names` and all that they need.
    pub fn closure(&self, names: &[&str]) -> Result<Vec<&Package>> {
        let packages = self.packages();
        let needs = self.needs();
        let mut seen = BTreeSet::new();
        let mut open = Vec::new();
        for name in names {
            let package = packages
                .iter()
                .find(|p| p.name == *name && self.is_member(p))
                .with_context(|| format!("no crate {name} in this workspace"))?;
            open.push(package.id.as_str());
        }
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(needs.get(id).into_iter().flatten());
            }
        }
        Ok(packages
            .into_iter()
            .filter(|p| seen.contains(p.id.as_str()))
            .collect())
    }
}
