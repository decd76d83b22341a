// SPDX-License-Identifier: MIT OR Apache-2.0

//! The source archive of a release: the same bytes from different places, times and settings.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What `dist.sh source` makes in `tree`.
fn archive(tree: &Path, setting: &[(&str, &str)]) -> (PathBuf, Vec<u8>) {
    let out = tree.join("dist");
    let mut script = Command::new(tree.join("dkms/dist.sh"));
    script
        .arg("source")
        .env_remove("SOURCE_DATE_EPOCH")
        .env("OUT", &out)
        .envs(setting.iter().copied());
    run(&mut script);
    let name = format!("ax650-{}.tar.xz", env!("CARGO_PKG_VERSION"));
    let file = out.join(name);
    let bytes = fs::read(&file).unwrap();
    (file, bytes)
}

/// A repository of its own with a few files of this tree, and then some that are no part of it.
fn repository(dir: &Path) {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    run(Command::new("cp")
        .args([
            "-r",
            "Cargo.toml",
            ".gitignore",
            "CHANGELOG.md",
            "dkms",
            "uapi",
        ])
        .arg(dir)
        .current_dir(tree));
    std::os::unix::fs::symlink("../uapi", dir.join("dkms/link")).unwrap();
    let git = |args: &[&str]| {
        run(Command::new("git")
            .args(["-c", "user.name=x", "-c", "user.email=x@example.org"])
            .args(args)
            .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")
            .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
            .current_dir(dir));
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "x"]);
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let first = tempfile::tempdir().unwrap();
    let second = tempfile::tempdir().unwrap();
    repository(first.path());
    repository(second.path());
    let (file, bytes) = archive(first.path(), &[]);

    // Another place, time, permission, left-overs of builds, and settings of tar and xz.
    let other = second.path();
    fs::set_permissions(other.join("Cargo.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    run(Command::new("touch")
        .arg("-d")
        .arg("2001-01-01")
        .arg(other.join("Cargo.toml")));
    fs::create_dir(other.join("target")).unwrap();
    fs::write(other.join("target/left-over"), "x").unwrap();
    fs::write(other.join("uapi/left-over.o"), "x").unwrap();
    let settings = [
        ("XZ_OPT", "-9 -T2"),
        ("TZ", "Asia/Tokyo"),
        ("TAR_OPTIONS", "--format=pax"),
    ];
    assert!(archive(other, &settings).1 == bytes);

    // An unpacked archive, without git's data, with crates unpacked over it.
    let third = tempfile::tempdir().unwrap();
    run(Command::new("tar")
        .arg("-xJf")
        .arg(&file)
        .arg("--strip-components=1")
        .arg("-C")
        .arg(third.path()));
    assert!(!third.path().join(".git").exists());
    let link = fs::read_link(third.path().join("dkms/link")).unwrap();
    assert_eq!(link, Path::new("../uapi"));
    fs::create_dir_all(third.path().join("vendor/crate")).unwrap();
    fs::write(third.path().join("vendor/crate/lib.rs"), "x").unwrap();
    fs::create_dir_all(third.path().join("target")).unwrap();
    fs::write(third.path().join("target/left-over"), "x").unwrap();
    assert!(archive(third.path(), &[]).1 == bytes);
    assert!(archive(third.path(), &[("SOURCE_DATE_EPOCH", "1")]).1 != bytes);

    // And a change shows.
    fs::write(other.join("uapi/src/lib.rs"), "// other").unwrap();
    assert!(archive(other, &[]).1 != bytes);
}
