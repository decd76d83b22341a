// SPDX-License-Identifier: MIT OR Apache-2.0

//! `tests/syzkaller/ax650.txt` describes what `uapi/ax650.h` declares: all requests, structures, fields and values.
//!
//! With the environment variable `AX650_UPDATE_DOCS` set the test writes the constants' file.

mod support;

use std::collections::BTreeMap;

use regex::Regex;
use support::{read, top};

const DESCRIPTION: &str = "tests/syzkaller/ax650.txt";
const CONSTANTS: &str = "tests/syzkaller/ax650.txt.const";

/// Names and sizes of a structure's fields, in order.
type Fields = Vec<(String, u64)>;

/// What is compared.
#[derive(Debug, Default, PartialEq)]
struct Interface {
    structures: BTreeMap<String, Fields>,
    /// Values of enumerations and flags, by the name of the list.
    lists: BTreeMap<String, Vec<String>>,
    /// Requests, with the structure that each takes.
    requests: BTreeMap<String, String>,
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}

fn header() -> String {
    let text = read("uapi/ax650.h");
    let text = pattern(r"(?s)/\*.*?\*/").replace_all(&text, "");
    text.replace("\\\n", " ")
}

/// Parses the header.
fn declared(header: &str) -> Interface {
    let mut found = Interface::default();
    let field = pattern(r"__[us](\d+) (\w+)(?:\[(\d+)\])?;");
    for structure in pattern(r"(?s)struct (\w+) \{(.*?)\};").captures_iter(header) {
        let fields = field.captures_iter(&structure[2]).map(|field| {
            let bits: u64 = field[1].parse().expect("bits");
            let count = field
                .get(3)
                .map_or(1, |n| n.as_str().parse().expect("a length"));
            (field[2].to_owned(), bits / 8 * count)
        });
        found
            .structures
            .insert(structure[1].to_owned(), fields.collect());
    }
    for list in pattern(r"(?s)enum (\w+) \{(.*?)\};").captures_iter(header) {
        let names = pattern(r"(AX650_\w+) = \d+");
        let names = names.captures_iter(&list[2]).map(|name| name[1].to_owned());
        if &list[1] != "ax650_request" {
            found.lists.insert(list[1].to_owned(), names.collect());
        }
    }
    for flag in
        pattern(r"#define (AX650_([A-Z]+)_\w+)\s+\(1U(?:LL)? << \d+\)").captures_iter(header)
    {
        let list = match &flag[2] {
            "TELEMETRY" => "ax650_telemetry_valid".to_owned(),
            other => format!("ax650_{}_flags", other.to_lowercase()),
        };
        let names = found.lists.entry(list).or_default();
        names.push(flag[1].to_owned());
    }
    let request =
        pattern(r"#define (AX650_IOC_\w+)\s+_IOW?R?\(AX650_IOC_TYPE, \w+, struct (\w+)\)");
    for request in request.captures_iter(header) {
        found
            .requests
            .insert(request[1].to_owned(), request[2].to_owned());
    }
    found
}

/// Bytes of a type of the description.
fn size(type_name: &str, resources: &BTreeMap<String, u64>) -> u64 {
    let word = type_name.split('\t').next().unwrap_or_default().trim();
    let int = |text: &str| match text {
        "int8" => Some(1),
        "int16" => Some(2),
        "int32" => Some(4),
        "int64" => Some(8),
        _ => None,
    };
    let (name, arguments) = word.split_once('[').unwrap_or((word, ""));
    let last = arguments.trim_end_matches(']').rsplit(", ").next();
    let found = match name {
        "ptr64" => Some(8),
        "array" => {
            let (of, count) = arguments
                .trim_end_matches(']')
                .split_once(", ")
                .unwrap_or_else(|| panic!("{type_name}: no length"));
            let count: u64 = count.parse().expect("a length");
            int(of).map(|size| size * count)
        }
        "const" | "flags" | "len" | "bytesize" => last.and_then(int),
        // File descriptors, one of them a resource of syzkaller's own.
        "fd_event" | "fd_ax650_dma_buf" => Some(4),
        // An address.
        "vma64" => Some(8),
        other => int(other).or_else(|| resources.get(other).copied()),
    };
    found.unwrap_or_else(|| panic!("{type_name}: of what size?"))
}

/// Parses the description.
fn described(text: &str) -> Interface {
    let mut found = Interface::default();
    let resource = pattern(r"(?m)^resource (\w+)\[int(\d+)\]");
    let resources: BTreeMap<String, u64> = resource
        .captures_iter(text)
        .map(|r| (r[1].to_owned(), r[2].parse::<u64>().expect("bits") / 8))
        .collect();
    let structure = pattern(r"(?ms)^(?:type )?(\w+)(?:\[[A-Z, ]+\])? \{\n(.*?)^\}");
    for structure in structure.captures_iter(text) {
        if &structure[1] == "ax650_frame" {
            continue;
        }
        let fields = structure[2].lines().map(|line| {
            let (name, of) = line
                .trim()
                .split_once('\t')
                .unwrap_or_else(|| panic!("{line}: no field"));
            (name.to_owned(), size(of, &resources))
        });
        found
            .structures
            .insert(structure[1].to_owned(), fields.collect());
    }
    for list in pattern(r"(?m)^(ax650_\w+) = (.*)$").captures_iter(text) {
        let names = list[2].split(", ").map(str::to_owned);
        found.lists.insert(list[1].to_owned(), names.collect());
    }
    let request = pattern(r"(?m)^ioctl\$\w+\(fd fd_ax650, cmd const\[(\w+)\], arg ptr\[\w+, (\w+)");
    for request in request.captures_iter(text) {
        found
            .requests
            .insert(request[1].to_owned(), request[2].to_owned());
    }
    found
}

/// Values of all names in the description, as the header has them.
fn constants(header: &str, interface: &Interface) -> String {
    let mut values = BTreeMap::new();
    for value in pattern(r"(AX650_\w+) = (\d+)").captures_iter(header) {
        values.insert(
            value[1].to_owned(),
            value[2].parse::<u64>().expect("a number"),
        );
    }
    for flag in pattern(r"#define (AX650_\w+)\s+\(1U(?:LL)? << (\d+)\)").captures_iter(header) {
        let bit: u32 = flag[2].parse().expect("a bit");
        values.insert(flag[1].to_owned(), 1 << bit);
    }
    let request =
        pattern(r"#define (AX650_IOC_\w+)\s+_IO(W?R?)\(AX650_IOC_TYPE, (\w+), struct (\w+)\)");
    for request in request.captures_iter(header) {
        let direction = match &request[2] {
            "W" => 1,
            "R" => 2,
            _ => 3,
        };
        let size: u64 = interface.structures[&request[4]].iter().map(|f| f.1).sum();
        let code = (direction << 30) | (size << 16) | (0xA6 << 8) | values[&request[3]];
        values.insert(request[1].to_owned(), code);
    }
    values.retain(|name, _| !name.starts_with("AX650_NR_"));
    let mut text = String::from(
        "# Made by AX650_UPDATE_DOCS=1 cargo test -p ax650-test-docs --test syzkaller, in the form of syz-extract.\n\
         arches = amd64, arm64\n",
    );
    for (name, value) in values {
        text.push_str(&format!("{name} = {value}\n"));
    }
    text
}

#[test]
fn description_is_that_of_the_header() {
    let (declared, described) = (declared(&header()), described(&read(DESCRIPTION)));
    assert!(
        declared.structures.len() >= 14
            && declared.requests.len() == 9
            && declared.lists.len() >= 7,
        "{declared:?}"
    );
    assert_eq!(described, declared);
}

#[test]
fn sizes_in_the_description_are_right() {
    let text = read(DESCRIPTION);
    let structures = declared(&header()).structures;
    let total = |name: &str| structures[name].iter().map(|f| f.1).sum::<u64>();
    for (field, of) in [
        ("step_size", "ax650_step"),
        ("result_size", "ax650_step_result"),
    ] {
        let line = format!("\t{field}\tconst[{}, int32]", total(of));
        assert!(text.contains(&line), "no{line}");
    }
}

#[test]
fn constants_are_those_of_the_header() {
    let header = header();
    let wanted = constants(&header, &declared(&header));
    if std::env::var_os("AX650_UPDATE_DOCS").is_some() {
        std::fs::write(top().join(CONSTANTS), &wanted).expect(CONSTANTS);
    }
    assert_eq!(read(CONSTANTS), wanted);
    // A number that the header's own tests know by heart.
    assert!(wanted.contains("AX650_IOC_SUBMIT = 3224937989\n"));
    // All names that are used have a value.
    let text = read(DESCRIPTION);
    for name in pattern(r"AX650_[A-Z_]+").find_iter(&text) {
        let call = text[..name.start()].ends_with('$');
        let known = wanted.contains(&format!("{} = ", name.as_str()));
        assert!(call || known, "{}", name.as_str());
    }
}

#[test]
fn differences_are_found() {
    let (header, text) = (header(), read(DESCRIPTION));
    let good = declared(&header);
    for (from, to) in [
        ("\tcommand\tarray[int8, 16]", "\tcommand\tarray[int8, 15]"),
        ("\tuid\tint64\n", ""),
        (", AX650_STEP_NO_REPLY", ""),
        ("\tqueued_ns\t", "\tqueued\t"),
        ("cmd const[AX650_IOC_WAIT]", "cmd const[AX650_IOC_SUBMIT]"),
    ] {
        assert!(text.contains(from), "{from}");
        assert_ne!(described(&text.replace(from, to)), good, "{from}");
    }
}
