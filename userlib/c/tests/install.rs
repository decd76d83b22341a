// SPDX-License-Identifier: MIT OR Apache-2.0

//! The library as it is installed: its symbols, and programs that are built the way users build them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Returns the archive that cargo has made for this test; it lies beside it.
fn archive() -> PathBuf {
    let exe = std::env::current_exe().expect("the test's own file");
    let files = exe.parent().expect("a directory").read_dir().expect("read");
    let archives = files.filter_map(Result::ok).filter(|file| {
        let name = file.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libax650_c-") && name.ends_with(".a")
    });
    let newest = archives.max_by_key(|file| file.metadata().and_then(|data| data.modified()).ok());
    newest.expect("an archive of the library").path()
}

fn run(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn good(command: &mut Command) -> String {
    let output = run(command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn build(source: &str, compiler: &str, prefix: &Path, out: &Path) {
    let flags = good(
        Command::new("pkg-config")
            .args(["--cflags", "--libs", "libax650"])
            .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")),
    );
    good(
        Command::new(compiler)
            .args(["-Wall", "-Wextra", "-Werror", "-o"])
            .arg(out)
            .arg(source)
            .args(flags.split_whitespace()),
    );
}

#[test]
fn installed_library_is_what_programs_need() {
    let dir = tempfile::tempdir().expect("a directory");
    let prefix = dir.path().join("usr");
    good(
        Command::new("./build.sh")
            .arg("")
            .arg(&prefix)
            .env("AX650_C_ARCHIVE", archive()),
    );
    let library = prefix.join("lib/libax650.so.0");
    let dynamic = good(Command::new("readelf").arg("-d").arg(&library));
    assert!(dynamic.contains("soname: [libax650.so.0]"), "{dynamic}");
    // What is not the interface must not meet the symbols of programs.
    let symbols = good(
        Command::new("nm")
            .args(["-D", "--defined-only"])
            .arg(&library),
    );
    let names: Vec<_> = symbols
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .filter(|name| *name != "AX650_0")
        .collect();
    assert!(names.contains(&"ax650_card_open@@AX650_0"), "{symbols}");
    for name in names {
        assert!(
            name.starts_with("ax650_") && name.ends_with("@@AX650_0"),
            "{name}"
        );
    }
    for (source, compiler, arguments) in [
        ("infer.c", "cc", &["x", "y"][..]),
        ("transcode.cpp", "c++", &["x", "y"]),
        ("scale.c", "cc", &["x", "2", "2", "y", "2", "2"]),
    ] {
        let program = dir.path().join(source).with_extension("out");
        build(&format!("examples/{source}"), compiler, &prefix, &program);
        let output = run(Command::new(&program)
            .args(arguments)
            // One makes its output before it looks for a card.
            .current_dir(dir.path())
            .env("AX650_DEVICE", "/nothing/here")
            .env("LD_LIBRARY_PATH", prefix.join("lib")));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{source}: {said}");
        let why = ["/nothing/here", "parameter set"];
        assert!(why.iter().any(|why| said.contains(why)), "{source}: {said}");
    }
    let cmake = std::fs::read_to_string(prefix.join("lib/cmake/ax650/ax650-config.cmake"));
    assert!(!cmake.expect("a file").contains('@'));
}
