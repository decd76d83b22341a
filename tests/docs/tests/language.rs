// SPDX-License-Identifier: MIT OR Apache-2.0

//! The language of documents and comments. Documentation of public items says what they are or do: no
//! pronouns in place of a name, a verb for what is done. Axera has a name.

mod support;

use regex::Regex;
use support::files;

/// Directories whose public items are judged.
const JUDGED: &[&str] = &[
    "userlib/src",
    "userlib/command/src",
    "firmware-loader/src",
    "uapi/src",
    "fuzz/src",
    "tests/kit/src",
    "tests/rig/src",
    "kmod",
];

/// A beginning that leaves open what is meant.
const VAGUE: &str = r"^(It|Its|They|Them|Their|This|That|Those|These|The same|Of|As|Here|There)\b";
/// A line that declares a function.
const FUNCTION: &str = r#"^pub(\([a-z]+\))?( (const|async|unsafe|extern "C"))* fn "#;
/// A verb in the third person.
const VERB: &str = r"^[A-Z][a-z-]+s\b";

/// Returns whether a line declares an item that others may use, be it within the crate: all of the kernel
/// module is one.
fn is_public(line: &str) -> bool {
    line.starts_with("pub ") || line.starts_with("pub(")
}

/// Returns the first paragraphs of the documentation of public items with the line that declares the
/// item, and its number.
fn documented(text: &str) -> Vec<(usize, String, &str)> {
    let mut found = Vec::new();
    let mut paragraph = String::new();
    let mut ended = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(words) = line.strip_prefix("///") {
            ended |= words.trim().is_empty();
            if !ended {
                paragraph.push_str(words);
            }
        } else if !line.starts_with('#') || line.starts_with("#[doc") {
            if is_public(line) && !paragraph.is_empty() {
                found.push((number + 1, paragraph.trim().to_owned(), line));
            }
            paragraph.clear();
            ended = false;
        }
    }
    found
}

/// Says what is wrong with the first paragraph of an item's documentation.
fn fault(paragraph: &str, item: &str) -> Option<&'static str> {
    let matches = |pattern: &str| Regex::new(pattern).expect("a pattern").is_match(paragraph);
    let is_function = Regex::new(FUNCTION).expect("a pattern").is_match(item);
    let words = paragraph.split_whitespace().count();
    if matches(VAGUE) {
        Some("begins with a pronoun or without a noun")
    } else if is_function && !matches(VERB) {
        Some("does not begin with a verb")
    } else if is_function && words < 3 {
        Some("does not name its object")
    } else {
        None
    }
}

#[test]
fn documentation_names_its_object() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for (path, text) in JUDGED.iter().flat_map(|d| files(d, &[".rs"])) {
        for (line, paragraph, item) in documented(&text) {
            count += 1;
            if let Some(fault) = fault(&paragraph, item) {
                wrong.push(format!("{path}:{line}: \"{paragraph}\" {fault}"));
            }
        }
    }
    assert!(count > 500, "only {count} items found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// "Vendor" is the PCI id's.
#[test]
fn axera_is_named() {
    let vendor = Regex::new(r"(?i)\bvendor's\b").expect("a pattern");
    let texts = ["docs", "userlib/src", "kmod", "tests/axcl", "tests/guest"]
        .into_iter()
        .flat_map(|directory| files(directory, &[".md", ".rs"]))
        .chain([("README.md".to_owned(), support::read("README.md"))]);
    let wrong: Vec<String> = texts
        .flat_map(|(path, text)| {
            let lines: Vec<String> = (1..)
                .zip(text.lines())
                .filter(|(_, line)| vendor.is_match(line))
                .map(|(number, line)| format!("{path}:{number}: {line}"))
                .collect();
            lines
        })
        .collect();
    assert!(wrong.is_empty(), "Axera is meant:\n{}", wrong.join("\n"));
}

#[test]
fn vague_documentation_is_found() {
    let text = "/// Forgets it.\n#[must_use]\npub fn forget() {}\n/// Returns\n/// the ports.\n///\n/// It.\n\
                pub const fn ports() {}\n/// Its name.\npub name: u8,\n/// It.\nprivate: u8,\n\
                /// Wakes it.\npub(crate) fn wake(&self) {\n";
    let faults: Vec<_> = documented(text)
        .iter()
        .map(|(line, paragraph, item)| (*line, fault(paragraph, item).is_some()))
        .collect();
    assert_eq!(faults, [(3, true), (8, false), (10, true), (14, true)]);
    assert!(fault("The model of the card.", "pub fn model(&self) -> &Model {").is_some());
    assert!(fault("The model of the card.", "pub model: Model,").is_none());
    assert!(fault("Of the same card.", "pub struct Twin;").is_some());
}
