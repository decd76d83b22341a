// SPDX-License-Identifier: MIT OR Apache-2.0

//! Citations of the protocol documents, the requirements and the decisions name what exists.
//! `docs/protocol/README.md` says how they are written.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use support::{files, quoted, read, rows};

const TEXTS: &[&str] = &[
    ".rs", ".c", ".h", ".md", ".txt", ".sh", ".proto", ".toml", ".py", ".in",
];

/// White space, also that between two lines of a comment.
const SPACE: &str = r"(?:[ \t]|\r?\n[ \t]*(?://[/!]?|\*|#)?[ \t]*)+";

/// A section's number.
const NUMBER: &str = r"\d+(?:\.\d+)?";
static EACH: LazyLock<Regex> = LazyLock::new(|| Regex::new(NUMBER).expect("a pattern"));
/// A document's short name, and one or more sections.
static LIST: LazyLock<Regex> = LazyLock::new(|| {
    let head = format!(r"\b(spec|rpc|pcie)(?:{SPACE}notes)?,?{SPACE}(?:sections?{SPACE})?");
    let more = format!(r"(?:(?:,|{SPACE}to|,?{SPACE}and){SPACE}{NUMBER})*");
    Regex::new(&format!(r"(?i){head}({NUMBER}{more})\b")).expect("a pattern")
});

/// Returns the numbers of the sections of a document, which may be several files.
fn sections(document: &str) -> BTreeSet<String> {
    let heading = Regex::new(r"(?m)^#{1,4} (\d+(?:\.\d+)?)\.? ").expect("a pattern");
    files("docs/protocol", &[".md"])
        .iter()
        .filter(|(path, _)| {
            path.rsplit('/')
                .next()
                .is_some_and(|f| f.starts_with(document))
        })
        .flat_map(|(_, text)| {
            heading
                .captures_iter(text)
                .map(|c| c[1].to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Returns what "spec" means below which path.
fn meanings() -> BTreeMap<String, String> {
    rows(&read("docs/protocol/README.md"))
        .into_iter()
        .filter(|row| row.len() == 2 && ["pcie", "rpc"].contains(&row[1]))
        .map(|row| (quoted(row[0])[0].to_owned(), row[1].to_owned()))
        .collect()
}

/// A citation: line, document, section.
type Citation = (usize, String, String);

/// Finds the citations in `text`, where "spec" means the document `spec`.
fn citations(text: &str, spec: &str) -> Vec<Citation> {
    let mut found = Vec::new();
    for citation in LIST.captures_iter(text) {
        let before = &text[..citation.get(0).expect("all of it").start()];
        let line = before.matches('\n').count() + 1;
        let document = match citation[1].to_lowercase().as_str() {
            "spec" => spec.to_owned(),
            other => other.to_owned(),
        };
        for section in EACH.find_iter(&citation[2]) {
            found.push((line, document.clone(), section.as_str().to_owned()));
        }
    }
    found
}

#[test]
fn citations_are_found_in_all_their_forms() {
    let of = |text: &str| -> Vec<String> {
        citations(text, "pcie")
            .into_iter()
            .map(|(_, document, section)| format!("{document} {section}"))
            .collect()
    };
    assert_eq!(of("(spec 4.5)"), ["pcie 4.5"]);
    assert_eq!(of("Spec 3.3 gives"), ["pcie 3.3"]);
    assert_eq!(of("spec 1 to 6, 12"), ["pcie 1", "pcie 6", "pcie 12"]);
    assert_eq!(of("rpc 1 and 2; x"), ["rpc 1", "rpc 2"]);
    assert_eq!(of("(notes on the RPC, section 9)"), ["rpc 9"]);
    assert_eq!(of("pcie notes, section 5"), ["pcie 5"]);
    assert_eq!(
        of("/// (spec\n    /// 2.4,\n    /// 12.1)"),
        ["pcie 2.4", "pcie 12.1"]
    );
    assert_eq!(of("rpc.md, spec.rs, spec-4, aspec 4"), [] as [&str; 0]);
    assert_eq!(
        citations("x\nspec 4", "rpc"),
        [(2, "rpc".into(), "4".into())]
    );
}

#[test]
fn sections_that_are_cited_exist() {
    let documents: BTreeMap<&str, BTreeSet<String>> = ["pcie", "rpc"]
        .into_iter()
        .map(|document| (document, sections(document)))
        .collect();
    let meanings = meanings();
    assert!(
        meanings.contains_key("."),
        "no table in docs/protocol/README.md"
    );
    let mut count = 0;
    let mut missing = Vec::new();
    for (path, text) in files(".", TEXTS) {
        let spec = meanings
            .iter()
            .filter(|(prefix, _)| prefix.as_str() == "." || path.starts_with(prefix.as_str()))
            .max_by_key(|(prefix, _)| prefix.len())
            .map(|(_, document)| document.as_str())
            .expect("the row of the top");
        // This file has examples of what is none.
        if path.ends_with("tests/citations.rs") {
            continue;
        }
        for (line, document, section) in citations(&text, spec) {
            count += 1;
            if !documents[document.as_str()].contains(&section) {
                missing.push(format!("{path}:{line}: {document} {section}"));
            }
        }
    }
    assert!(count > 200, "only {count} citations found");
    assert!(
        missing.is_empty(),
        "no such sections:\n{}",
        missing.join("\n")
    );
}

#[test]
fn requirements_that_are_cited_exist() {
    let text = read("docs/requirements.md");
    let known: BTreeSet<&str> = rows(&text).into_iter().map(|row| row[0]).collect();
    // P0 to P3 are ports too.
    let id = Regex::new(r"\b(R\d\d|P[4-9]|P[1-9]\d)(?:\b|_)").expect("a pattern");
    let mut missing = Vec::new();
    for (path, text) in files(".", TEXTS) {
        for (line, content) in text.lines().enumerate() {
            for found in id.captures_iter(content) {
                if !known.contains(&found[1]) && &found[1] != "P99" {
                    missing.push(format!("{path}:{}: {}", line + 1, &found[1]));
                }
            }
        }
    }
    assert!(
        missing.is_empty(),
        "not in docs/requirements.md:\n{}",
        missing.join("\n")
    );
}

#[test]
fn decisions_that_are_cited_exist() {
    let heading = Regex::new(r"(?m)^# (D\d+): ").expect("a pattern");
    let known: BTreeSet<String> = files("docs/decisions", &[".md"])
        .iter()
        .filter_map(|(_, text)| Some(heading.captures(text)?[1].to_owned()))
        .collect();
    let index = read("docs/decisions/README.md");
    for id in &known {
        assert!(
            index.contains(&format!("| {id} |")),
            "{id} is not in the index"
        );
    }
    let id = Regex::new(r"(?:[Dd]ecisions? |design(?:\.md)?,? |\()(D\d+)\b").expect("a pattern");
    let mut missing = Vec::new();
    for (path, text) in files(".", TEXTS) {
        for (line, content) in text.lines().enumerate() {
            for found in id.captures_iter(content) {
                if !known.contains(&found[1]) {
                    missing.push(format!("{path}:{}: {}", line + 1, &found[1]));
                }
            }
        }
    }
    assert!(
        missing.is_empty(),
        "not in docs/decisions:\n{}",
        missing.join("\n")
    );
}
