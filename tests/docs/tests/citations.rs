// SPDX-License-Identifier: MIT OR Apache-2.0

//! Citations of the protocol documents, the requirements and the decisions name what exists.
//! `docs/protocol/README.md` says how they are written.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use support::{anchor, files, read, rows, top};

const TEXTS: &[&str] = &[
    ".rs", ".c", ".h", ".md", ".txt", ".sh", ".proto", ".toml", ".py", ".in",
];

/// A citation as it has to be written.
static CITATION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\[(pcie|rpc) (\d+(?:\.\d+)?)\]").expect("a pattern"));
/// A section that is named in another way.
static OTHERWISE: LazyLock<Regex> = LazyLock::new(|| {
    let space = r"(?:[ \t]|\r?\n[ \t]*(?://[/!]?|\*|#)?[ \t]*)+";
    let pattern =
        format!(r"(?i)\b(?:spec|rpc|pcie)(?:{space}notes)?,?{space}(?:sections?{space})?\d+");
    Regex::new(&pattern).expect("a pattern")
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

/// Ends a document whose citations are links: Markdown's definitions follow, which
/// `AX650_UPDATE_DOCS=1` writes.
const LINKS: &str = "\n<!-- where the sections are -->\n";

/// Returns the definition of the link for a section, in a document of `docs/` in `directory`.
fn definition(directory: &str, document: &str, section: &str) -> Option<String> {
    let heading = Regex::new(r"^#{1,4} (\d+(?:\.\d+)?)\.? ").expect("a pattern");
    let (path, anchor) = files("docs/protocol", &[".md"])
        .into_iter()
        .filter(|(path, _)| {
            path.rsplit('/')
                .next()
                .is_some_and(|f| f.starts_with(document))
        })
        .flat_map(|(path, text)| {
            let found: Vec<_> = text
                .lines()
                .filter(|line| heading.captures(line).is_some_and(|c| &c[1] == section))
                .map(|line| (path.clone(), anchor(line)))
                .collect();
            found
        })
        // `pcie.md` and `rpc.md`, which come last, may only point to the document with the section.
        .next()?;
    let name = path.rsplit('/').next()?;
    let way = match directory {
        "docs/protocol" => "",
        "docs" => "protocol/",
        _ => "../protocol/",
    };
    Some(format!("[{document} {section}]: {way}{name}#{anchor}\n"))
}

#[test]
fn citations_are_links_where_they_shall_be() {
    let mut count = 0;
    for (path, text) in files("docs", &[".md"]) {
        let Some((body, _)) = text.split_once(LINKS) else {
            continue;
        };
        count += 1;
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let cited: BTreeSet<(&str, &str)> = citations(body)
            .into_iter()
            .map(|(_, document, section)| (document, section))
            .collect();
        let wanted: String = std::iter::once("\n".to_owned())
            .chain(
                cited
                    .into_iter()
                    .filter_map(|(d, s)| definition(directory, d, s)),
            )
            .collect();
        let wanted = [body, LINKS, &wanted].concat();
        ax650_test_docs::same(&top().join(&path), wanted.as_bytes());
    }
    assert!(count > 2, "only {count} documents have links");
}

/// Returns the line of a place in `text`, from 1.
fn line(text: &str, place: usize) -> usize {
    text[..place].matches('\n').count() + 1
}

/// Finds the citations in `text`: line, document, section.
fn citations(text: &str) -> Vec<(usize, &str, &str)> {
    CITATION
        .captures_iter(text)
        .map(|found| {
            let (all, [document, section]) = found.extract();
            let place = all.as_ptr() as usize - text.as_ptr() as usize;
            (line(text, place), document, section)
        })
        .collect()
}

/// Finds the sections in `text` that are named in another form: line, words.
fn otherwise(text: &str) -> Vec<(usize, &str)> {
    OTHERWISE
        .find_iter(text)
        .filter(|found| !text[..found.start()].ends_with('['))
        .map(|found| (line(text, found.start()), found.as_str()))
        .collect()
}

#[test]
fn citations_have_one_form() {
    let two = "x [pcie 4.5]\n/// and [rpc 9], [rpc-4]";
    assert_eq!(citations(two), [(1, "pcie", "4.5"), (2, "rpc", "9")]);
    assert_eq!(otherwise(two), []);
    assert_eq!(otherwise("\n(spec 4.5)"), [(2, "spec 4")]);
    assert_eq!(otherwise("as Spec\n/// 3.3 says").len(), 1);
    assert_eq!(otherwise("pcie notes, section 5").len(), 1);
    assert_eq!(otherwise("rpc.md, spec.rs, spec-4, aspec 4"), []);
}

#[test]
fn sections_that_are_cited_exist() {
    let documents: BTreeMap<&str, BTreeSet<String>> = ["pcie", "rpc"]
        .into_iter()
        .map(|document| (document, sections(document)))
        .collect();
    let mut count = 0;
    let mut wrong = Vec::new();
    for (path, text) in files(".", TEXTS) {
        // This file has examples of what is none; the index of the documents has ranges.
        if path.ends_with("tests/citations.rs") || path.ends_with("docs/protocol/README.md") {
            continue;
        }
        for (line, document, section) in citations(&text) {
            count += 1;
            if !documents[document].contains(section) {
                wrong.push(format!(
                    "{path}:{line}: {document} {section} does not exist"
                ));
            }
        }
        for (line, words) in otherwise(&text) {
            wrong.push(format!("{path}:{line}: \"{words}\" is not how to cite"));
        }
    }
    assert!(count > 300, "only {count} citations found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
