// SPDX-License-Identifier: MIT OR Apache-2.0

//! Arrows between directories point down, as the tables of the documents say ("may use").

#[path = "support/modules.rs"]
mod modules;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use modules::Crate;
use proc_macro2::{TokenStream, TokenTree};
use support::{files, quoted, read, rows};

/// Where the rooms of a crate are listed: document, heading, the crate's root.
const TABLES: &[(&str, &str, &str)] = &[
    (
        "docs/architecture.md",
        "## The kernel module",
        "kmod/ax650_main.rs",
    ),
    (
        "docs/emulator.md",
        "### Rooms of the hardware",
        "tests/emulator/src/lib.rs",
    ),
    (
        "docs/emulator.md",
        "### Rooms of the service",
        "tests/emulator/daemon/src/lib.rs",
    ),
    (
        "docs/emulator.md",
        "### Rooms of the codec",
        "tests/emulator/media/src/lib.rs",
    ),
];
/// Crates that have no table of rooms, and how many of their files may name each other in a circle.
const NO_TABLE: &[(&str, usize)] = &[
    // A session owns what is still to be ended, which are calls of streams of the session.
    ("userlib/src/lib.rs", 5),
    ("userlib/src/bin/ax650/main.rs", CIRCLE),
];
/// What lies in a crate's directory and is no part of it: its tests, and programs with a root of their own.
const NOT_IN_CRATE: &[&str] = &["tests/", "tests.rs", "bin/", "main.rs"];
/// What a table may name that is none of its rooms.
const OUTSIDE: &[&str] = &["core only", "kernel", "bindings", "nothing"];
/// So many files may name each other in a circle.
const CIRCLE: usize = 3;

type Arrows<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Returns the directory of the crate at `root` that `file` is in; a file at the top is a room of its own.
fn room<'a>(file: &'a str, root: &str) -> &'a str {
    if file == root {
        return "main";
    }
    let inside = &file[root.rsplit_once('/').expect("a directory").0.len() + 1..];
    match inside.split_once('/') {
        Some((directory, _)) => directory,
        None => inside.strip_suffix(".rs").expect("Rust"),
    }
}

/// Returns the crate at `root`.
fn read_crate(root: &str) -> Crate {
    let directory = root.rsplit_once('/').expect("a directory").0;
    let mut files = files(directory, &[".rs"]);
    files.retain(|(name, _)| {
        let inside = &name[directory.len() + 1..];
        name == root || !NOT_IN_CRATE.iter().any(|part| inside.starts_with(part))
    });
    Crate::read(root, files)
}

/// Returns the rooms of a table, and what each may use.
fn table(document: &str, heading: &str, root: &str) -> BTreeMap<String, BTreeSet<String>> {
    let text = read(document);
    let (_, section) = text
        .split_once(&format!("{heading}\n"))
        .unwrap_or_else(|| panic!("{document} has no {heading}"));
    let depth = heading.split(' ').next().expect("a heading");
    let section = section
        .split(&format!("\n{depth} "))
        .next()
        .expect("a part")
        .split("\n## ")
        .next()
        .expect("a part");
    // The first table.
    let at = section.find("| may use |").expect("a table with its head");
    let section = section[at..].split("\n\n").next().expect("a table");
    let name = |cell: &str| {
        let cell = cell.trim_matches('`').trim_end_matches('/');
        match root.ends_with(&format!("/{cell}")) {
            true => "main".to_owned(),
            false => cell.trim_end_matches(".rs").to_owned(),
        }
    };
    let rooms: BTreeMap<String, BTreeSet<String>> = rows(section)
        .into_iter()
        .filter(|row| row.len() == 3)
        .map(|row| {
            let uses = row[2]
                .split(", ")
                .filter(|used| !OUTSIDE.contains(used))
                .map(name)
                .collect();
            (name(quoted(row[0])[0]), uses)
        })
        .collect();
    assert!(rooms.len() > 2, "{document}, {heading}: no table");
    for (from, uses) in &rooms {
        for to in uses {
            assert!(
                rooms.contains_key(to),
                "{document}: {from} may use {to}, which has no row"
            );
        }
    }
    rooms
}

/// Returns the sets of two and more that reach each other.
fn circles<'a>(arrows: &Arrows<'a>) -> Vec<BTreeSet<&'a str>> {
    let reach = |from: &'a str| {
        let mut seen = BTreeSet::new();
        let mut left = vec![from];
        while let Some(at) = left.pop() {
            for &to in arrows.get(at).into_iter().flatten() {
                if seen.insert(to) {
                    left.push(to);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        arrows.keys().map(|&from| (from, reach(from))).collect();
    let mut found: Vec<BTreeSet<&str>> = Vec::new();
    for (&from, there) in &reached {
        let circle: BTreeSet<&str> = there
            .iter()
            .copied()
            .filter(|to| reached.get(to).is_some_and(|back| back.contains(from)))
            .collect();
        if circle.len() > 1 && !found.contains(&circle) {
            found.push(circle);
        }
    }
    found
}

#[test]
fn directories_use_what_their_table_allows() {
    let mut wrong = Vec::new();
    for &(document, heading, root) in TABLES {
        let rooms = table(document, heading, root);
        let allowed: Arrows = rooms
            .iter()
            .map(|(from, to)| (from.as_str(), to.iter().map(String::as_str).collect()))
            .collect();
        for circle in circles(&allowed) {
            wrong.push(format!("{document}: a circle of {circle:?}"));
        }
        for (from, to) in read_crate(root).arrows() {
            let of = room(from, root);
            if !rooms.contains_key(of) {
                wrong.push(format!("{document}: no row for {of} ({from})"));
                continue;
            }
            for to in to {
                let used = room(to, root);
                if used != of && !rooms[of].contains(used) {
                    wrong.push(format!("{from} names {to}; {of} may not use {used}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn circles_of_files_are_small() {
    let mut wrong = Vec::new();
    let roots = TABLES.iter().map(|&(_, _, root)| (root, CIRCLE));
    for (root, limit) in roots.chain(NO_TABLE.iter().copied()) {
        let tree = read_crate(root);
        assert!(tree.files().count() > 3, "{root}: few files");
        for circle in circles(&tree.arrows()) {
            if circle.len() > limit {
                wrong.push(format!("{root}: {} files: {circle:?}", circle.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_glue_is_unsafe() {
    fn is_unsafe(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == "unsafe",
            TokenTree::Group(group) => is_unsafe(group.stream()),
            _ => false,
        })
    }
    let mut wrong = Vec::new();
    let mut count = 0;
    for (path, text) in files("kmod", &[".rs"]) {
        if is_unsafe(text.parse().unwrap_or_else(|e| panic!("{path}: {e}"))) {
            count += 1;
            if !path.starts_with("kmod/glue/") {
                wrong.push(path);
            }
        }
    }
    for (path, _) in files("kmod", &[".c", ".h"]) {
        if !path.starts_with("kmod/glue/") {
            wrong.push(path);
        }
    }
    assert!(
        count > 5,
        "unsafe in {count} files only: what did this read?"
    );
    assert!(wrong.is_empty(), "outside kmod/glue: {}", wrong.join(", "));
}

#[test]
fn paths_are_found_in_all_their_forms() {
    let texts = [
        ("x/lib.rs", "mod a; mod b; pub use a::Top; struct Root;"),
        (
            "x/a/mod.rs",
            "mod one; mod two; pub(crate) use one::Deep as Renamed;",
        ),
        (
            "x/a/one.rs",
            "use super::two::{self, Thing}; fn f() { let crate_ = 1; }",
        ),
        (
            "x/a/two.rs",
            "// crate::b\nmod t { use super::super::one; }",
        ),
        (
            "x/b.rs",
            "m!(crate::a::Renamed::new()); use crate::{a::two, Top};",
        ),
    ];
    let owned = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
    let tree = Crate::read("x/lib.rs", texts.into_iter().map(owned).collect());
    assert_eq!(tree.files().count(), 5);
    let arrows = tree.arrows();
    let of = |file: &str| arrows[file].iter().copied().collect::<Vec<_>>();
    assert_eq!(of("x/a/one.rs"), ["x/a/two.rs"]);
    assert_eq!(of("x/a/two.rs"), ["x/a/one.rs"]);
    assert_eq!(of("x/b.rs"), ["x/a/mod.rs", "x/a/one.rs", "x/a/two.rs"]);
    assert_eq!(of("x/a/mod.rs"), [] as [&str; 0]);
    assert_eq!(circles(&arrows).len(), 1);
    assert_eq!(room("x/a/one.rs", "x/lib.rs"), "a");
    assert_eq!(room("x/b.rs", "x/lib.rs"), "b");
    assert_eq!(room("x/lib.rs", "x/lib.rs"), "main");
}
