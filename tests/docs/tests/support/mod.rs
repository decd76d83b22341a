// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the tests of the documents have in common: the files of the tree, and tables in Markdown.

// Each test uses a part of it.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};

/// Directories that hold nothing of the tree's own.
const NOT_OURS: &[&str] = &["target", "dist", "demo-output", "vendor"];

/// Returns the top of the tree.
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Reads a file of the tree, named from its top.
pub fn read(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Returns the text files below `directory` whose names end in one of `endings`, named from the top, sorted.
pub fn files(directory: &str, endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(&top(), Path::new(directory), endings, &mut found);
    found.sort();
    found
}

fn walk(top: &Path, directory: &Path, endings: &[&str], found: &mut Vec<(String, String)>) {
    let entries = fs::read_dir(top.join(directory))
        .unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
    for entry in entries {
        let entry = entry.expect("an entry of a directory");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if directory == Path::new(".") {
            PathBuf::from(&name)
        } else {
            directory.join(&name)
        };
        let kind = entry.file_type().expect("a file or directory");
        if kind.is_dir() && !name.starts_with('.') && !NOT_OURS.contains(&name.as_str()) {
            walk(top, &path, endings, found);
        } else if kind.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
            if let Ok(text) = fs::read_to_string(entry.path()) {
                found.push((path.to_string_lossy().into_owned(), text));
            }
        }
    }
}

/// Returns the cells of all rows of tables in `text`, without heads.
pub fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_rule = |line: &&str| line.starts_with('|') && line.chars().all(|c| "|-: ".contains(c));
    (0..lines.len())
        .filter(|&at| lines[at].starts_with('|') && !is_rule(&lines[at]))
        .filter(|&at| !lines.get(at + 1).is_some_and(is_rule))
        .map(|at| {
            lines[at]
                .trim_matches('|')
                .split(" | ")
                .map(str::trim)
                .collect()
        })
        .collect()
}

/// Returns the anchor of a heading, made as its usual readers make it.
pub fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            '-' | '_' => Some(c),
            c if c.is_alphanumeric() => Some(c),
            _ => None,
        })
        .collect()
}

/// Returns what stands between backquotes in `text`.
pub fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Says whether `name` is what the glob `pattern` means, where only `*` is special.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(rest) = name.strip_prefix(head) else {
        return false;
    };
    (0..=rest.len())
        .filter(|&at| rest.is_char_boundary(at))
        .any(|at| matches(tail, &rest[at..]))
}
