// SPDX-License-Identifier: MIT OR Apache-2.0

//! All places that repeat the version agree with `Cargo.toml`, and the check of that can fail.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn version(tree: &Path, args: &[&str]) -> Output {
    let mut script = Command::new(tree.join("dkms/version.sh"));
    script.args(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn all_places_agree() {
    let output = version(&tree(), &["check"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let printed = version(&tree(), &[]).stdout;
    assert_eq!(
        String::from_utf8_lossy(&printed).trim(),
        env!("CARGO_PKG_VERSION")
    );
}

#[test]
fn a_place_that_differs_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let copied = Command::new("cp")
        .arg("-r")
        .args(["dkms", "kmod", "userlib", "Cargo.toml", "CHANGELOG.md"])
        .arg(dir.path())
        .current_dir(tree())
        .status()
        .unwrap();
    assert!(copied.success());
    assert!(version(dir.path(), &["check"]).status.success());

    let module = dir.path().join("kmod/glue/version.c");
    let text = std::fs::read_to_string(&module).unwrap();
    let other = text.replace(env!("CARGO_PKG_VERSION"), "99.0.0");
    std::fs::write(&module, other).unwrap();
    let output = version(dir.path(), &["check"]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("kmod/glue/version.c has \"99.0.0\""));
}
