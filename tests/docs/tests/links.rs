// SPDX-License-Identifier: MIT OR Apache-2.0

//! Links between the documents lead somewhere.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;
use support::{anchor, files, top};

/// Returns the anchors of the headings of a document, made as its usual readers make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    text.lines()
        .filter(|line| {
            if line.starts_with("```") {
                fenced = !fenced;
            }
            !fenced && line.starts_with('#')
        })
        .map(anchor)
        .collect()
}

#[test]
fn links_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").expect("a pattern");
    let top = top();
    let mut count = 0;
    let mut broken = Vec::new();
    for (path, text) in files(".", &[".md"]) {
        let here = Path::new(&path).parent().expect("a file's directory");
        for found in link.captures_iter(&text) {
            let target = &found[1];
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            count += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let full = if file.is_empty() {
                top.join(&path)
            } else {
                top.join(here).join(file)
            };
            let found = if anchor.is_empty() {
                full.exists()
            } else {
                fs::read_to_string(&full).is_ok_and(|text| anchors(&text).contains(anchor))
            };
            if !found {
                broken.push(format!("{path}: {target}"));
            }
        }
    }
    assert!(count > 20, "only {count} links found");
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

/// Comments, messages and packages name documents without a link.
#[test]
fn documents_that_are_named_exist() {
    let name = Regex::new(r"\bdocs/[A-Za-z0-9_/-]+\.md\b").expect("a pattern");
    let top = top();
    let mut count = 0;
    let mut missing = Vec::new();
    for (path, text) in files(".", &[".rs", ".c", ".h", ".md", ".sh", ".proto", ".toml"]) {
        for (number, line) in text.lines().enumerate() {
            for found in name.find_iter(line) {
                count += 1;
                if !top.join(found.as_str()).exists() {
                    missing.push(format!("{path}:{}: {}", number + 1, found.as_str()));
                }
            }
        }
    }
    assert!(count > 50, "only {count} names found");
    assert!(
        missing.is_empty(),
        "no such document:\n{}",
        missing.join("\n")
    );
}

/// Says whether the file that a document names is in the tree: by its name from the top, or, for what stands next to
/// another name, by the end of one.
fn is_there(name: &str, tree: &BTreeSet<String>) -> bool {
    let top = name.split('/').next().unwrap_or_default();
    let from_top = tree.iter().any(|path| path.split('/').next() == Some(top));
    tree.contains(name) || !from_top && tree.iter().any(|path| path.ends_with(&format!("/{name}")))
}

#[test]
fn sources_that_documents_name_exist() {
    let name = Regex::new(r"`([A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)+\.(?:rs|c|h|sh|proto))`")
        .expect("a pattern");
    let tree = files(".", &[".rs", ".c", ".h", ".sh", ".proto"])
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    let mut count = 0;
    let mut missing = Vec::new();
    for (path, text) in files("docs", &[".md"]) {
        for (number, line) in (1..).zip(text.lines()) {
            for found in name.captures_iter(line) {
                count += 1;
                if !is_there(&found[1], &tree) {
                    missing.push(format!("{path}:{number}: {}", &found[1]));
                }
            }
        }
    }
    assert!(count > 50, "only {count} names found");
    assert!(missing.is_empty(), "no such file:\n{}", missing.join("\n"));
}

#[test]
fn moved_sources_are_found() {
    let tree = ["kmod/link/rx.rs".to_owned()].into();
    assert!(is_there("kmod/link/rx.rs", &tree));
    assert!(is_there("link/rx.rs", &tree));
    assert!(!is_there("kmod/transport/rx.rs", &tree));
    assert!(!is_there("transport/rx.rs", &tree));
}

#[test]
fn anchors_are_those_of_the_usual_readers() {
    let text = "# 6. Engine service (service 2)\n```\n# not one\n```\n## `a_b` & C\n";
    let expected = ["6-engine-service-service-2", "a_b--c"];
    assert_eq!(anchors(text), expected.map(str::to_owned).into());
}
