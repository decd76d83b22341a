// SPDX-License-Identifier: MIT OR Apache-2.0

//! Manual pages and completions are made from the definition of a command line, and are in the tree
//! for those who package or read it.  Tests of the programs call this to keep them up to date; with
//! the environment variable [`UPDATE`] set they write them instead.

use std::fs;
use std::path::Path;

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

/// Set to anything: tests write the files.
pub const UPDATE: &str = "AX650_UPDATE_DOCS";

/// `docs/` of this tree.
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");

/// Compares `docs/man/NAME.1` with the page of `command`, whose last part is `end` (in roff).
///
/// # Panics
///
/// If they differ, or the file cannot be written.
pub fn manual_page(command: Command, name: &str, end: &str) {
    let mut page = Vec::new();
    // No date and no version: they would change without a change of the text.
    Man::new(command.version(None::<&'static str>))
        .title(name.to_uppercase())
        .date("")
        .source("ax650")
        .render(&mut page)
        .expect("writing to memory");
    page.extend_from_slice(end.as_bytes());
    same(
        &Path::new(DOCS).join("man").join(format!("{name}.1")),
        &page,
    );
}

/// Compares a section of `docs/man/NAME.1`, a page written by hand, with `wanted`, which begins with `heading`.
///
/// # Panics
///
/// If they differ, the page has no such section, or it cannot be written.
pub fn manual_section(name: &str, heading: &str, wanted: &str) {
    let path = Path::new(DOCS).join("man").join(format!("{name}.1"));
    let page = fs::read_to_string(&path).expect("the page in docs/");
    let (before, rest) = page.split_once(heading).expect("the section");
    let after = rest.find(".SH ").map_or("", |at| &rest[at..]);
    same(&path, format!("{before}{wanted}{after}").as_bytes());
}

/// Compares what stands between the two comments `begin: MARK` and `end: MARK` of `docs/FILE` with `wanted`.
///
/// # Panics
///
/// If they differ, the document has no such comments, or it cannot be written.
pub fn marked(file: &str, mark: &str, wanted: &str) {
    let path = Path::new(DOCS).join(file);
    let page = fs::read_to_string(&path).expect("the document");
    let (begin, end) = (
        format!("<!-- begin: {mark} -->\n"),
        format!("<!-- end: {mark} -->\n"),
    );
    let (before, rest) = page.split_once(&begin).expect("where it begins");
    let (_, after) = rest.split_once(&end).expect("where it ends");
    same(
        &path,
        format!("{before}{begin}{wanted}{end}{after}").as_bytes(),
    );
}

/// Compares the completions for all shells in `docs/completions` with those of `command`.
///
/// # Panics
///
/// If they differ, or a file cannot be written.
pub fn completions(mut command: Command, name: &str) {
    // The names by which the shells look for them.
    for (shell, file) in [
        (Shell::Bash, name.to_owned()),
        (Shell::Zsh, format!("_{name}")),
        (Shell::Fish, format!("{name}.fish")),
    ] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command, name, &mut script);
        same(&Path::new(DOCS).join("completions").join(file), &script);
    }
}

/// Compares a file with `wanted`.
///
/// # Panics
///
/// If they differ, or the file cannot be written.
pub fn same(path: &Path, wanted: &[u8]) {
    if std::env::var_os(UPDATE).is_some() {
        let directory = path.parent().expect("a file in docs/");
        fs::create_dir_all(directory).expect("the directory in docs/");
        fs::write(path, wanted).expect("the file in docs/");
    }
    assert!(
        fs::read(path).unwrap_or_default() == wanted,
        "{} is out of date: run this test with {UPDATE}=1",
        path.display()
    );
}
