// SPDX-License-Identifier: MIT OR Apache-2.0

//! The list of what a release is made of, in CycloneDX's form.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{json, Value};

use crate::graph::{Graph, Package};

/// Crates of which packages are made; the others are for tests.
pub const SHIPPED: &[&str] = &["ax650", "ax650-firmware", "ax650-uapi", "ax650-emu"];

/// `Cargo.lock`, which has the checksums.
#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

/// The document.  Nothing in it depends on when or where it is made.
pub fn document(graph: &Graph, lock: &str, version: &str) -> Result<Value> {
    let lock: Lock = toml::from_str(lock).context("Cargo.lock is not understood")?;
    let checksums: BTreeMap<(&str, &str), &str> = lock
        .package
        .iter()
        .filter_map(|p| Some(((&*p.name, &*p.version), p.checksum.as_deref()?)))
        .collect();
    let packages = graph.closure(SHIPPED)?;
    let references: BTreeMap<&str, String> = packages
        .iter()
        .map(|p| (&*p.id.repr, reference(p)))
        .collect();
    let needs = graph.needs();
    let mut components = vec![module(version)];
    let mut dependencies = Vec::new();
    for package in &packages {
        let version = package.version.to_string();
        let checksum = checksums.get(&(&*package.name, &*version));
        components.push(component(package, checksum.copied()));
        let on = needs.get(&*package.id.repr).into_iter().flatten();
        let mut on: Vec<&String> = on.filter_map(|id| references.get(id)).collect();
        on.sort();
        dependencies.push(json!({ "ref": reference(package), "dependsOn": on }));
    }
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": { "type": "application", "bom-ref": "ax650", "name": "ax650", "version": version },
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// The kernel module, which has no crates.
fn module(version: &str) -> Value {
    json!({
        "type": "device-driver",
        "bom-ref": "kmod",
        "name": "ax650.ko",
        "version": version,
        "licenses": [{ "license": { "id": "GPL-2.0-only" } }],
    })
}

fn component(package: &Package, checksum: Option<&str>) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(package),
        "name": package.name,
        "version": package.version.to_string(),
    });
    if let Some(licence) = &package.license {
        // The form from before there were expressions.
        let expression = licence.replace(" / ", " OR ").replace('/', " OR ");
        component["licenses"] = json!([{ "expression": expression }]);
    }
    if let Some(sum) = checksum {
        component["purl"] = reference(package).into();
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    component
}

/// The name by which the lists refer to it: its package URL.
fn reference(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}
