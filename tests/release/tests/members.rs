// SPDX-License-Identifier: MIT OR Apache-2.0

//! Versions of crates are in the workspace's `Cargo.toml` and nowhere else; packages get theirs from there.

use std::path::{Path, PathBuf};
use std::process::Command;

use toml::{Table, Value};

fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> Table {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.parse()
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Names of what a manifest depends on, with what it says of them.
fn dependencies(manifest: &Table) -> Vec<(&str, &Value)> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flat_map(|targets| targets.values());
    std::iter::once(manifest)
        .chain(tables.filter_map(Value::as_table))
        .flat_map(|table| {
            ["dependencies", "dev-dependencies", "build-dependencies"]
                .iter()
                .filter_map(|kind| table.get(*kind)?.as_table())
        })
        .flat_map(|list| list.iter().map(|(name, said)| (name.as_str(), said)))
        .collect()
}

/// Those that name a version of their own.
fn with_versions(manifest: &Table) -> Vec<&str> {
    dependencies(manifest)
        .into_iter()
        .filter(|(_, said)| said.is_str() || said.get("version").is_some())
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn versions_are_in_the_workspace_only() {
    let root = read(&tree().join("Cargo.toml"));
    let members = root["workspace"]["members"].as_array().unwrap();
    assert!(members.len() > 10);
    let mut used = Vec::new();
    for member in members {
        let path = member.as_str().unwrap();
        let manifest = read(&tree().join(path).join("Cargo.toml"));
        let wrong = with_versions(&manifest);
        assert!(
            wrong.is_empty(),
            "{path}/Cargo.toml: the versions of {wrong:?} belong into [workspace.dependencies] of /Cargo.toml"
        );
        let names = dependencies(&manifest);
        used.extend(names.into_iter().map(|(name, _)| name.to_owned()));
    }
    for name in root["workspace"]["dependencies"].as_table().unwrap().keys() {
        assert!(used.contains(name), "no member uses {name}");
    }
}

#[test]
fn a_version_in_a_member_is_seen() {
    let manifest = |text: &str| text.parse::<Table>().unwrap();
    for bad in [
        "[dependencies]\nx = \"1\"",
        "[dev-dependencies]\nx = { version = \"1\", default-features = false }",
        "[build-dependencies.x]\nversion = \"1\"",
        "[target.'cfg(unix)'.dependencies]\nx = \"1\"",
    ] {
        assert_eq!(with_versions(&manifest(bad)), ["x"], "{bad}");
    }
    let good = "[dependencies]\nx.workspace = true\ny = { workspace = true, features = [\"a\"] }\nz = { path = \"z\" }";
    assert!(with_versions(&manifest(good)).is_empty());
}

/// What packages install must be whole without the workspace.
#[test]
fn packaged_crates_have_the_versions_of_the_workspace() {
    let dir = tempfile::tempdir().unwrap();
    let status = Command::new(tree().join("dkms/crates.sh"))
        .arg(dir.path())
        .status();
    assert!(status.unwrap().success());
    let root = read(&tree().join("Cargo.toml"));
    let said = &root["workspace"]["dependencies"];
    let version = |value: &Value| match value {
        Value::String(version) => version.clone(),
        table => table["version"].as_str().unwrap().to_owned(),
    };
    for (name, source) in [
        ("ax650", "userlib"),
        ("ax650-uapi", "uapi"),
        ("ax650-firmware", "firmware-loader"),
    ] {
        let directory = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
        let path = dir.path().join(directory).join("Cargo.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("workspace"), "{text}");
        let manifest = read(&path);
        let own = read(&tree().join(source).join("Cargo.toml"));
        let mut found = 0;
        for (dependency, packaged) in dependencies(&manifest) {
            found += 1;
            assert_eq!(
                version(packaged),
                version(&said[dependency]),
                "{dependency}"
            );
            let kinds = ["dependencies", "build-dependencies"];
            let mut kinds = kinds
                .iter()
                .filter_map(|kind| own.get(*kind)?.get(dependency));
            let wanted = kinds.next().unwrap();
            for key in ["features", "optional"] {
                assert_eq!(packaged.get(key), wanted.get(key), "{dependency}");
            }
            // A member that wants the defaults says so where the workspace turns them off.
            let off = said[dependency].get("default-features").is_some();
            let on = wanted.get("default-features") == Some(&Value::Boolean(true));
            let expected = match (off, on) {
                (true, false) => Some(false),
                _ => None,
            };
            let got = packaged.get("default-features").and_then(Value::as_bool);
            assert_eq!(got, expected, "{dependency}");
        }
        assert!(found > 0, "{name}");
    }
}
