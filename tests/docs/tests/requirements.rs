// SPDX-License-Identifier: MIT OR Apache-2.0

//! `docs/requirements.md` names cases that exist, and every case that carries a requirement's
//! number has a row there.

mod support;

use std::collections::BTreeSet;

use regex::Regex;
use support::{files, matches, quoted, read, rows};

/// Returns the names of the cases in guests: `concern/name`.
fn guest_cases() -> BTreeSet<String> {
    let list = Regex::new(r#"(?s)cases!\["([a-z_]+)":(.*?)\n\];"#).expect("a pattern");
    let name = Regex::new(r"(?m)^\s{4}([A-Za-z]\w+)").expect("a pattern");
    ["tests/guest/src/cases", "tests/axcl/src/cases"]
        .into_iter()
        .flat_map(|directory| files(directory, &[".rs"]))
        .flat_map(|(_, text)| {
            list.captures_iter(&text)
                .flat_map(|found| {
                    name.captures_iter(&found[2])
                        .map(|case| format!("{}/{}", &found[1], &case[1]))
                        .collect::<Vec<_>>()
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Returns the names of the host tests: `package::function`.
fn host_tests() -> BTreeSet<String> {
    let package = Regex::new(r#"(?m)^name = "(.*)""#).expect("a pattern");
    let function = Regex::new(r"(?m)^\s*(?:async )?fn (\w+)\(").expect("a pattern");
    let attribute = Regex::new(r"(?m)^\s*#\[(?:\w+::)?test\]|proptest!").expect("a pattern");
    let mut packages: Vec<(String, String)> = files(".", &["Cargo.toml"])
        .into_iter()
        .filter_map(|(path, text)| {
            let name = package.captures(&text)?[1].to_owned();
            Some((path.strip_suffix("Cargo.toml")?.to_owned(), name))
        })
        .collect();
    // The innermost first.
    packages.sort_by_key(|(directory, _)| std::cmp::Reverse(directory.len()));
    files(".", &[".rs"])
        .into_iter()
        .filter(|(_, text)| attribute.is_match(text))
        .flat_map(|(path, text)| {
            let package = packages
                .iter()
                .find(|(directory, _)| path.starts_with(directory.as_str()))
                .map_or("", |(_, name)| name);
            let tests: Vec<String> = function
                .captures_iter(&text)
                .map(|found| format!("{package}::{}", &found[1]))
                .collect();
            tests
        })
        .collect()
}

/// Returns the names of the cases of `make test-packages`: `packages/group/name`.
fn package_cases() -> BTreeSet<String> {
    let debian = read("tests/packages/groups/debian.sh");
    let step = Regex::new(r#"(?:case_|step) "\$suite/([a-z-]+)""#).expect("a pattern");
    let boot = Regex::new(r"for name in ([a-z ]+); do").expect("a pattern");
    let mut found = BTreeSet::new();
    for suite in Regex::new(r"(?m)^debian ([a-z]+)$")
        .expect("a pattern")
        .captures_iter(&debian)
    {
        for case in step.captures_iter(&debian) {
            found.insert(format!("packages/{}/{}", &suite[1], &case[1]));
        }
        for names in boot.captures_iter(&debian) {
            for name in names[1].split_whitespace() {
                found.insert(format!("packages/{}/boot/{name}", &suite[1]));
            }
        }
    }
    let files = read("tests/packages/groups/files.sh");
    let case = Regex::new(r"(?m)^case_ (files/[a-z-]+) ").expect("a pattern");
    found.extend(
        case.captures_iter(&files)
            .map(|c| format!("packages/{}", &c[1])),
    );
    let formats = read("tests/packages/groups/formats.sh");
    let names = Regex::new(r"(?s)formats_cases='([^']*)'").expect("a pattern");
    for list in names.captures_iter(&formats) {
        found.extend(
            list[1]
                .split_whitespace()
                .map(|name| format!("packages/formats/{name}")),
        );
    }
    found
}

#[test]
fn the_cases_are_found() {
    let guest = guest_cases();
    assert!(guest.len() > 250, "only {} cases in guests", guest.len());
    assert!(guest.contains("unplug/R06_unplug_idle"));
    assert!(guest.contains("axcl_abi/S7_2_contiguous"));
    let host = host_tests();
    assert!(host.contains("ax650-test-docs::the_cases_are_found"));
    assert!(host.contains("ax650-wire-tests::pointers_are_checked"));
    let packages = package_cases();
    for name in [
        "trixie/install",
        "forky/boot/node",
        "files/scripts",
        "formats/rpm/lint",
    ] {
        assert!(packages.contains(&format!("packages/{name}")), "{name}");
    }
}

#[test]
fn every_requirement_has_its_cases() {
    let text = read("docs/requirements.md");
    let all: BTreeSet<String> = guest_cases()
        .into_iter()
        .chain(host_tests())
        .chain(package_cases())
        .collect();
    let mut wrong = Vec::new();
    let mut ids = Vec::new();
    for row in rows(&text) {
        let [id, _, _, cases] = row[..] else {
            panic!("not four columns: {row:?}");
        };
        ids.push(id);
        let globs: Vec<&str> = quoted(cases);
        for glob in &globs {
            if !all.iter().any(|name| matches(glob, name)) {
                wrong.push(format!("{id}: no case is called {glob}"));
            }
        }
        let excuse = cases
            .split_once("not tested: ")
            .is_some_and(|(_, why)| why.len() > 10);
        if globs.is_empty() && !excuse {
            wrong.push(format!("{id}: neither a case nor why there is none"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let wanted: Vec<String> = (1..=53)
        .map(|n| format!("R{n:02}"))
        .chain((1..=33).map(|n| format!("P{n}")))
        .collect();
    assert_eq!(ids, wanted, "rows of docs/requirements.md");
}

/// A case that is named after a fault names one that is written down.
#[test]
fn faults_that_name_cases_are_known() {
    let text = [read("docs/faults.md"), read("docs/crossings.md")].concat();
    let known: BTreeSet<&str> = rows(&text).into_iter().map(|row| row[0]).collect();
    assert!(known.contains("U9") && known.contains("D2"));
    // S and a digit is a section for cases of the AXCL ABI.
    let id = Regex::new(r"^(?:.*(?:/|::))([BCDEFKU]\d+)_").expect("a pattern");
    let unknown: Vec<String> = guest_cases()
        .into_iter()
        .chain(host_tests())
        .filter(|name| id.captures(name).is_some_and(|c| !known.contains(&c[1])))
        .collect();
    assert!(unknown.is_empty(), "not in docs/faults.md: {unknown:#?}");
}

/// Each fault of the driver says how it was found to be true, where it is mended and by what that shows, or why
/// nothing shows it; a case that is named after it is in its row.
#[test]
fn every_fault_of_the_driver_has_its_cases() {
    let text = read("docs/faults.md");
    let all: BTreeSet<String> = guest_cases().into_iter().chain(host_tests()).collect();
    let own = Regex::new(r"^(?:.*(?:/|::))(K\d+)_").expect("a pattern");
    let mut wrong = Vec::new();
    let mut ids = Vec::new();
    for row in rows(&text) {
        let [id, _, _, _, cases] = row[..] else {
            continue;
        };
        ids.push(id);
        let globs: Vec<&str> = quoted(cases);
        for glob in &globs {
            if !all.iter().any(|name| matches(glob, name)) {
                wrong.push(format!("{id}: no case is called {glob}"));
            }
        }
        if globs.is_empty() && !cases.starts_with("none: ") {
            wrong.push(format!("{id}: neither a case nor why there is none"));
        }
        let named = all
            .iter()
            .filter(|name| own.captures(name).is_some_and(|c| &c[1] == id));
        for name in named {
            if !globs.iter().any(|glob| matches(glob, name)) {
                wrong.push(format!("{id}: {name} is not in its row"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let wanted: Vec<String> = (1..=40).map(|n| format!("K{n}")).collect();
    assert_eq!(ids, wanted, "rows of docs/faults.md");
}

/// A requirement's own cases are in its row, so that the table cannot fall behind.
#[test]
fn every_case_of_a_requirement_is_in_its_row() {
    let text = read("docs/requirements.md");
    let rows = rows(&text);
    let ids = Regex::new(r"^[a-z_]+/((?:[RP]\d+_)+)").expect("a pattern");
    let mut missing = Vec::new();
    for name in guest_cases() {
        let Some(found) = ids.captures(&name) else {
            continue;
        };
        for id in found[1].split_terminator('_') {
            let listed = rows
                .iter()
                .filter(|row| row[0] == id)
                .flat_map(|row| quoted(row[3]))
                .any(|glob| matches(glob, &name));
            if !listed {
                missing.push(format!("{name} is not in the row of {id}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
