// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sources that are packaged without the rest of this tree have all that they include.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the script makes in a fresh directory.
fn made_by(script: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../dkms")
        .join(script);
    let output = Command::new(script).arg(dir.path()).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    dir
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (dirs, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let mut rust: Vec<_> = dirs.iter().flat_map(|dir| rust_files(dir)).collect();
    rust.extend(
        files
            .into_iter()
            .filter(|path| path.extension().is_some_and(|e| e == "rs")),
    );
    rust
}

/// Sees that what `#[path]` names is there; how many there are.
fn included(dir: &Path) -> usize {
    let mut found = 0;
    for file in rust_files(dir) {
        let text = fs::read_to_string(&file).unwrap();
        for rest in text.split("#[path = \"").skip(1) {
            let other = file.parent().unwrap().join(rest.split('"').next().unwrap());
            assert!(
                other.is_file(),
                "{} includes {}",
                file.display(),
                other.display()
            );
            found += 1;
        }
    }
    found
}

#[test]
fn source_of_the_module_is_whole() {
    let source = made_by("source-tree.sh");
    assert!(included(source.path()) > 0);
    assert!(source.path().join("uapi/ax650.h").is_file());
}

#[test]
fn sources_of_the_crates_are_whole() {
    let crates = made_by("crates.sh");
    assert!(included(crates.path()) > 0);
    let version = env!("CARGO_PKG_VERSION");
    let proto = crates.path().join(format!("ax650-{version}/proto"));
    // Files, not a link out of the package.
    assert!(!proto.is_symlink() && proto.join("axcl_rpc.proto").is_file());
}
