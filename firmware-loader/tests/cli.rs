// SPDX-License-Identifier: MIT OR Apache-2.0

//! The program: exit codes, one-line errors, files that are whole or not there.

#![allow(non_snake_case)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

fn run(directory: &Path, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_ax650-fw"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.code() != Some(2) {
        assert!(errors.lines().count() <= 1, "{arguments:?}: {errors}");
    }
    output
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("not killed")
}

fn stdout(output: &Output) -> String {
    assert_eq!(code(output), 0, "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// A directory with a small sample in it.
fn sample() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let output = run(
        directory.path(),
        &["pack", "--sample", "small", "-o", "s.pac"],
    );
    assert!(stdout(&output).starts_with("s.pac: "));
    directory
}

#[test]
fn inspect_shows_a_table() {
    let directory = sample();
    let text = stdout(&run(directory.path(), &["inspect", "s.pac"]));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 8, "{text}");
    assert!(
        lines[0].starts_with("AX650_card V0.1.0-sample-small, "),
        "{text}"
    );
    assert!(
        lines[0].ends_with(" bytes, 5 records, integrity MD5"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("MD5 ") && lines[1].ends_with(": correct"),
        "{text}"
    );
    assert!(
        lines[7].contains("ROOTFS") && lines[7].contains("0x140000000"),
        "{text}"
    );
}

#[test]
fn inspect_prints_json() {
    let directory = sample();
    let text = stdout(&run(directory.path(), &["inspect", "--json", "s.pac"]));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["digest_ok"], true);
    assert_eq!(json["digest"], json["digest_computed"]);
    assert_eq!(json["records"][0]["destination"], 0x1400_1000);
    assert_eq!(json["records"].as_array().unwrap().len(), 5);
}

#[test]
fn damage_is_found() {
    let directory = sample();
    let path = directory.path().join("s.pac");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let output = run(directory.path(), &["verify", "s.pac"]);
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).starts_with("ax650-fw: s.pac: MD5 "),
        "{output:?}"
    );
    // Still shown, but not taken apart.
    let output = run(directory.path(), &["inspect", "s.pac"]);
    assert_eq!(code(&output), 1);
    assert!(String::from_utf8_lossy(&output.stdout).contains("WRONG, content has "));
    let output = run(directory.path(), &["extract", "s.pac", "-o", "out"]);
    assert_eq!(code(&output), 1);
    assert!(!directory.path().join("out").exists());

    bytes.truncate(last);
    fs::write(&path, &bytes).unwrap();
    for command in ["verify", "inspect"] {
        let output = run(directory.path(), &[command, "s.pac"]);
        assert_eq!(code(&output), 1);
        assert!(stderr(&output).contains("container size "), "{output:?}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn verify_takes_many_files() {
    let directory = sample();
    fs::write(directory.path().join("bad"), "no").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_ax650-fw"))
        .args(["verify", "bad", "missing", "s.pac"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(code(&output), 1);
    let errors = stderr(&output);
    let errors: Vec<_> = errors.lines().collect();
    assert_eq!(errors.len(), 2);
    assert_eq!(
        errors[0],
        "ax650-fw: bad: 2 bytes are less than a header of 128"
    );
    assert!(
        errors[1].starts_with("ax650-fw: missing: No such file"),
        "{errors:?}"
    );
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(out.starts_with("s.pac: OK, AX650_card "), "{out}");
    let quiet = run(directory.path(), &["-q", "verify", "s.pac"]);
    assert_eq!((code(&quiet), quiet.stdout.len()), (0, 0));
}

#[test]
fn extract_and_pack_are_inverse() {
    let directory = sample();
    let listed = stdout(&run(directory.path(), &["extract", "s.pac", "-o", "out"]));
    assert_eq!(listed.lines().count(), 6, "{listed}");
    stdout(&run(directory.path(), &["pack", "out", "-o", "again.pac"]));
    let read = |name| fs::read(directory.path().join(name)).unwrap();
    assert!(read("s.pac") == read("again.pac"));

    stdout(&run(
        directory.path(),
        &["pack", "out", "-o", "new.pac", "--set-version", "V9.9.9"],
    ));
    let text = stdout(&run(directory.path(), &["inspect", "new.pac"]));
    assert!(text.starts_with("AX650_card V9.9.9, "), "{text}");
}

/// Without a manifest the files have the names of real firmware's.
#[test]
fn pack_with_the_default_manifest() {
    let directory = tempfile::tempdir().unwrap();
    let files = [
        "u-boot.bin",
        "AX650_card.dtb",
        "atf_bl31.img",
        "Image",
        "rootfs.ext4",
    ];
    for file in &files[..4] {
        fs::write(directory.path().join(file), file).unwrap();
    }
    let output = run(directory.path(), &["pack", ".", "-o", "f.pac"]);
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).contains("rootfs.ext4: No such file"),
        "{output:?}"
    );
    assert!(!directory.path().join("f.pac").exists());

    fs::write(directory.path().join(files[4]), files[4]).unwrap();
    stdout(&run(directory.path(), &["pack", ".", "-o", "f.pac"]));
    stdout(&run(directory.path(), &["verify", "f.pac"]));
    let manifest = stdout(&run(directory.path(), &["manifest", "--set-version", "V7"]));
    fs::write(directory.path().join("manifest.toml"), manifest).unwrap();
    stdout(&run(directory.path(), &["pack", ".", "-o", "g.pac"]));
    let text = stdout(&run(directory.path(), &["inspect", "g.pac"]));
    assert!(text.starts_with("AX650_card V7, "), "{text}");
}

#[test]
fn files_are_whole_or_not_there() {
    let directory = sample();
    let before = fs::read(directory.path().join("s.pac")).unwrap();
    let output = run(
        directory.path(),
        &["pack", "--sample", "small", "-o", "s.pac"],
    );
    assert_eq!(code(&output), 1);
    assert_eq!(
        stderr(&output),
        "ax650-fw: s.pac exists already; --force replaces it\n"
    );
    // Fails in the middle: the image is a directory, which can be opened but not read.
    fs::create_dir(directory.path().join("image")).unwrap();
    let manifest = "product = \"P\"\nversion = \"V\"\n[[record]]\nid = \"A\"\nfile = \"image\"\ndestination = 0\n";
    fs::write(directory.path().join("manifest.toml"), manifest).unwrap();
    let output = run(directory.path(), &["pack", ".", "-f", "-o", "s.pac"]);
    assert_eq!(code(&output), 1);
    assert!(fs::read(directory.path().join("s.pac")).unwrap() == before);
    // Nothing is left of it.
    let mut left: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["image", "manifest.toml", "s.pac"]);
    stdout(&run(
        directory.path(),
        &["pack", "--sample", "small", "-f", "-o", "s.pac"],
    ));
}

#[test]
fn exit_codes() {
    let directory = sample();
    for arguments in [
        &[][..],
        &["nonsense"],
        &["pack"],
        &["pack", ".", "--sample", "small", "-o", "x"],
        &["pack", "--sample", "huge", "-o", "x"],
        &["verify"],
        &["boot", "0", "1"],
    ] {
        assert_eq!(code(&run(directory.path(), arguments)), 2, "{arguments:?}");
    }
    for arguments in [
        &["inspect", "nothing"][..],
        &["inspect", "."],
        &["verify", "."],
    ] {
        assert_eq!(code(&run(directory.path(), arguments)), 1, "{arguments:?}");
    }
    assert!(stdout(&run(directory.path(), &["--help"])).contains("Exit codes:"));
}

/// An interrupt leaves nothing half done behind, not even under another name.
#[test]
fn F6_interrupted_while_packing() {
    let directory = tempfile::tempdir().unwrap();
    let pack = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ax650-fw"));
        command
            .args(["pack", "--sample", "real", "-o", "real.pac"])
            .current_dir(directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let child = pack();
    let begin = Instant::now();
    // It need not have a name yet.
    let descriptors = format!("/proc/{}/fd", child.id());
    let is_output = |name: PathBuf| {
        fs::read_link(name).is_ok_and(|target| target.starts_with(directory.path()))
    };
    let begun = || {
        fs::read_dir(&descriptors)
            .unwrap()
            .any(|entry| is_output(entry.unwrap().path()))
    };
    while !begun() {
        assert!(begin.elapsed() < Duration::from_secs(30), "nothing begun");
        std::thread::sleep(Duration::from_millis(1));
    }
    let killed = Command::new("/bin/sh")
        .args(["-c", &format!("kill -INT {}", child.id())])
        .status()
        .unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 130, "{output:?}");
    assert_eq!(stderr(&output), "ax650-fw: interrupted\n");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// Every command and option is in the manual page.
#[test]
fn manual_page_is_complete() {
    let page = include_str!("../../docs/man/ax650-fw.1").replace("\\-", "-");
    let directory = sample();
    for command in ["inspect", "verify", "pack", "extract", "manifest", "boot"] {
        assert!(page.contains(command), "{command}");
        let help = stdout(&run(directory.path(), &[command, "--help"]));
        let options = help
            .split(|c: char| c.is_whitespace() || c == ',' || c == '=')
            .filter(|word| word.starts_with("--"));
        for option in options {
            assert!(page.contains(option), "{command} {option}");
        }
    }
}

/// All names of cards that `ax650 -d` takes, of cards that nobody has.
#[test]
fn F10_cards_are_named_as_everywhere() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        &["boot", "4000000"][..],
        &["boot", "-d", "4000000"],
        &["boot", "/dev/ax650-4000000"],
        &["boot", "ax650-4000000"],
        &["boot", "ffff:ff:1f.7"],
        &["boot", "--device", "ff:1f.7"],
    ] {
        let output = run(directory.path(), arguments);
        assert_eq!(code(&output), 3, "{arguments:?}: {}", stderr(&output));
    }
    let output = Command::new(env!("CARGO_BIN_EXE_ax650-fw"))
        .arg("boot")
        .env("AX650_DEVICE", "ff:1f.7")
        .output()
        .unwrap();
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("0000:ff:1f.7"), "{output:?}");
    let output = run(directory.path(), &["boot", "first"]);
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).contains("`first` names no card"),
        "{output:?}"
    );
}

/// A full disk, and nothing at all, behind standard output.
#[test]
fn F10_what_cannot_be_written_is_one_line_and_a_status() {
    let directory = sample();
    for arguments in [
        "inspect s.pac",
        "inspect --json s.pac",
        "verify s.pac",
        "manifest",
    ] {
        for end in [">/dev/full", ">&-"] {
            let output = Command::new("/bin/sh")
                .arg("-c")
                .arg(format!(
                    "exec {} {arguments} {end}",
                    env!("CARGO_BIN_EXE_ax650-fw")
                ))
                .current_dir(directory.path())
                .output()
                .unwrap();
            let errors = stderr(&output);
            assert_eq!(code(&output), 1, "{arguments} {end}: {errors}");
            assert!(
                errors.starts_with("ax650-fw: standard output: "),
                "{arguments} {end}: {errors}"
            );
            assert_eq!(errors.lines().count(), 1, "{errors}");
        }
    }
}

#[test]
fn help_has_to_arrive() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_ax650-fw"))
        .arg("--help")
        .stdout(full)
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}
