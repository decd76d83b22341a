// SPDX-License-Identifier: MIT OR Apache-2.0

//! The crates of the workspace and what they need, as `cargo metadata` tells it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, MetadataCommand, NodeDep, Resolve};
pub use cargo_metadata::{Metadata, Package};

/// Crates, with what each of them needs.
#[derive(Debug)]
pub struct Graph {
    metadata: Metadata,
    resolve: Resolve,
}

impl Graph {
    /// Asks cargo, for the machines `targets`, about the workspace in `tree`.
    pub fn of(tree: &Path, targets: &[String]) -> Result<Self> {
        let platforms = targets
            .iter()
            .flat_map(|target| ["--filter-platform".into(), target.clone()]);
        let options = ["--locked".to_owned()].into_iter().chain(platforms);
        let mut command = MetadataCommand::new();
        command
            .current_dir(tree)
            .other_options(options.collect::<Vec<_>>());
        Self::new(command.exec()?)
    }

    /// Takes what `cargo metadata` has answered.
    pub fn new(mut metadata: Metadata) -> Result<Self> {
        let resolve = metadata.resolve.take().context("cargo resolved nothing")?;
        Ok(Self { metadata, resolve })
    }

    /// The crates that are used, by name and version.
    pub fn packages(&self) -> Vec<&Package> {
        let used: BTreeSet<_> = self.resolve.nodes.iter().map(|n| &n.id).collect();
        let packages = self.metadata.packages.iter();
        let mut packages: Vec<_> = packages.filter(|p| used.contains(&p.id)).collect();
        packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        packages
    }

    /// Whether it is a crate of this workspace.
    pub fn is_member(&self, package: &Package) -> bool {
        self.metadata.workspace_members.contains(&package.id)
    }

    /// What each crate needs to be built and to run, not what its tests need: ids, by id.
    pub fn needs(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let wanted = |dep: &&NodeDep| {
            let mut kinds = dep.dep_kinds.iter();
            kinds.any(|kind| kind.kind != DependencyKind::Development)
        };
        let nodes = self.resolve.nodes.iter().map(|node| {
            let needs = node.deps.iter().filter(wanted);
            (&*node.id.repr, needs.map(|dep| &*dep.pkg.repr).collect())
        });
        nodes.collect()
    }

    /// Names of the crates that need `package` themselves.
    pub fn users(&self, package: &Package) -> Vec<&str> {
        let needs = self.needs();
        let packages = self.packages().into_iter();
        let users = packages.filter(|user| {
            let of = needs.get(&*user.id.repr);
            of.is_some_and(|of| of.contains(&*package.id.repr))
        });
        users.map(|user| user.name.as_ref()).collect()
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
            open.push(&*package.id.repr);
        }
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(needs.get(id).into_iter().flatten());
            }
        }
        Ok(packages
            .into_iter()
            .filter(|p| seen.contains(&*p.id.repr))
            .collect())
    }
}
