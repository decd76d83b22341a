// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT

//! `ax650.rs` is what bindgen makes of `ax650.h`, in the form that the crate and the driver share.
//!
//! With the environment variable `AX650_UPDATE_ABI` set the test writes the file instead.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

const HEADER: &str = include_str!("../ax650.h");

const HEAD: &str = "\
// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT

//! Declarations of `ax650.h`, made of it by `AX650_UPDATE_ABI=1 cargo test -p ax650-uapi`: not to be
//! edited.  Who includes this file says with two macros what a structure and a request's code are.

use super::{plain, requests};
";

/// What bindgen makes of the header; one declaration, attribute or field in a line.
fn bindings() -> String {
    let output = Command::new("bindgen")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("ax650.h"))
        .args(["--allowlist-file", ".*/ax650.h"])
        .args(["--default-enum-style", "consts", "--no-prepend-enum-name"])
        .args(["--explicit-padding", "--use-core"])
        .args(["--no-derive-debug", "--no-derive-copy"])
        .output()
        .unwrap_or_else(|error| {
            panic!("bindgen, of Debian's package of that name, is needed: {error}")
        });
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "bindgen: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// The header's macros, of whose comments bindgen knows nothing: name, value, comment.
fn macros() -> Vec<(&'static str, &'static str, &'static str)> {
    let define = "\n#define ";
    let found = HEADER.match_indices(define).filter_map(|(at, _)| {
        let (name, value) = HEADER[at + define.len()..].split_once(' ')?;
        let value = value
            .trim_start_matches(['\\', '\n', '\t'])
            .lines()
            .next()?;
        let comment = HEADER[..at].strip_suffix("\n */");
        let comment = comment.and_then(|text| text.rsplit("/**\n").next());
        Some((name, value, comment.unwrap_or_default()))
    });
    found.collect()
}

/// A word of a comment: names of fields, types and constants in the notation of rustdoc.
fn word(word: &str) -> String {
    let end = word.trim_end_matches(['.', ',', ';', ':', '_', ')']).len();
    let (name, rest) = word.split_at(end);
    match name.strip_prefix('@') {
        Some(field) => format!("`{field}`{rest}"),
        None if name.starts_with("ax650_") => format!("[`{}`]{rest}", name.replace('.', "::")),
        None if name.starts_with("AX650_") && !rest.starts_with('_') => format!("[`{name}`]{rest}"),
        None => word.to_owned(),
    }
}

/// Takes a kernel-doc comment, which there must be, and makes a doc comment of it, without what names
/// its object.
fn doc(comment: &mut String, indent: &str) -> String {
    let comment = std::mem::take(comment);
    let lines = comment
        .lines()
        .map(|line| line.trim_start_matches([' ', '*']));
    let text = lines.collect::<Vec<_>>().join("\n");
    let text = text
        .replace("struct ax650", "ax650")
        .replace("enum ax650", "ax650");
    let end_of_name = if text.starts_with('@') { ": " } else { " - " };
    let (_, text) = text.split_once(end_of_name).expect("@name: or name -");
    let (brief, more) = text.split_once("\n\n").unwrap_or((text, ""));
    // A name stays as it is.
    let brief = match brief.starts_with("ax650_") {
        true => brief.to_owned(),
        false => brief[..1].to_uppercase() + &brief[1..],
    };
    let brief = brief.trim_end_matches('.').to_owned() + ".";
    let mut docs = String::new();
    for line in [&*brief, "\n\n", more].concat().trim_end().lines() {
        let words: Vec<_> = line.split(' ').map(word).collect();
        let line = format!("{indent}/// {}", words.join(" "));
        writeln!(docs, "{}", line.trim_end()).unwrap();
    }
    docs
}

/// The contents of `ax650.rs`.
fn generate() -> String {
    let macros = macros();
    let mut text = HEAD.to_owned();
    let mut comment = String::new();
    for line in bindings().lines() {
        let mut line = line.replace("::core::ffi::c_uint", "u32");
        for (c, rust) in [("__u", "u"), ("__s", "i"), ("usize],", "],")] {
            line = line.replace(c, rust);
        }
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            // The two macros say what a structure is.
            [] | ["#[repr(C)]"] | ["pub", "type", "u8" | "u16" | "u32" | "u64" | "i32", ..] => {}
            // On 32 bit x86 it is another.
            [first, ..] if first == "[\"Alignment" || first.starts_with("[::core::mem::align") => {}
            ["#[doc", ..] => {
                let quoted = line.trim().strip_prefix("#[doc = \"").unwrap();
                comment = quoted.strip_suffix("\"]").unwrap().replace("\\n", "\n");
            }
            ["pub", "const", name, ..] => {
                let known = macros.iter().find(|m| m.0 == name.trim_end_matches(':'));
                if let Some((_, value, its)) = known {
                    comment = (*its).to_owned();
                    // bindgen takes the smallest type that will do.
                    if value.contains("ULL") {
                        line = line.replace("u32", "u64");
                    }
                }
                writeln!(text, "\n{}{line}", doc(&mut comment, "")).unwrap();
            }
            ["pub", "type", ..] => writeln!(text, "\n{}{line}", doc(&mut comment, "")).unwrap(),
            ["pub", "struct", ..] => {
                write!(
                    text,
                    "\nplain! {{\n{}    {line}\n",
                    doc(&mut comment, "    ")
                )
                .unwrap();
            }
            ["pub", ..] => writeln!(text, "{}    {line}", doc(&mut comment, "        ")).unwrap(),
            ["}"] => text.push_str("    }\n}\n"),
            _ => writeln!(text, "{line}").unwrap(),
        }
    }
    text.push_str("\nrequests! {\n");
    for (name, value, _) in macros.iter().filter(|m| m.0.starts_with("AX650_IOC_")) {
        if let Some((kind, arguments)) = value.split_once("(AX650_IOC_TYPE, ") {
            let kind = kind.replace("_IO", "io").to_lowercase();
            let arguments = arguments.replace("struct ", "");
            writeln!(
                text,
                "    {name} = {}({arguments};",
                kind.replace("iowr", "iorw")
            )
            .unwrap();
        }
    }
    text + "}\n"
}

#[test]
fn rust_is_made_of_the_header() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ax650.rs");
    let text = generate();
    if std::env::var_os("AX650_UPDATE_ABI").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    for (number, (there, wanted)) in there.lines().zip(text.lines()).enumerate() {
        assert_eq!(
            there,
            wanted,
            "ax650.rs:{}: set AX650_UPDATE_ABI to remake it",
            number + 1
        );
    }
    assert_eq!(
        there.len(),
        text.len(),
        "ax650.rs: set AX650_UPDATE_ABI to remake it"
    );
    // What bindgen inserts where C would leave a hole.
    assert!(!text.contains("__bindgen"), "a structure has padding");
}
