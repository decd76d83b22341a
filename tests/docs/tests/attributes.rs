// SPDX-License-Identifier: MIT OR Apache-2.0

//! `docs/ABI/sysfs-driver-ax650` describes the attributes that the driver has, in the form of the kernel's
//! `Documentation/ABI`, and `docs/sysfs.md` names the same. A case in the guest compares it with a running system.

mod support;

use std::collections::BTreeSet;

use regex::Regex;
use support::{quoted, read, rows};

/// Tags of an entry, in the kernel's order.
const TAGS: [&str; 5] = [
    "What:",
    "Date:",
    "KernelVersion:",
    "Contact:",
    "Description:",
];

fn found(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).expect("a pattern");
    pattern
        .captures_iter(text)
        .map(|c| c[1].to_owned())
        .collect()
}

#[test]
fn attributes_are_those_of_the_driver() {
    let text = read("docs/ABI/sysfs-driver-ax650");
    let documented = found(r"(?m)^What:\t+/sys/bus/pci/devices/<BDF>/(\w+)$", &text);
    let code = read("kmod/glue/sysfs.c");
    let driver = found(
        r"(?m)^(?:static DEVICE_ATTR_WO|AX650_ATTRIBUTE_RO)\((\w+)\);",
        &code,
    );
    assert!(driver.len() > 8, "{driver:?}");
    assert_eq!(documented, driver);
    let shown = found(r"&dev_attr_(\w+)\.attr", &code);
    assert_eq!(shown, driver, "in the table of sysfs.c");
    let page = read("docs/sysfs.md");
    let (page, _) = page.split_once("## Open files").expect("the next section");
    let named: BTreeSet<String> = rows(page)
        .iter()
        .flat_map(|row| quoted(row[0]).into_iter().map(str::to_owned))
        .collect();
    assert_eq!(named, driver, "docs/sysfs.md");
}

#[test]
fn entries_have_the_kernels_form() {
    let text = read("docs/ABI/sysfs-driver-ax650");
    for entry in text.split("\n\nWhat:") {
        let entry = format!("What:{}", entry.trim_start_matches("What:"));
        let tags: Vec<&str> = entry
            .lines()
            .filter(|line| !line.starts_with('\t') && !line.is_empty())
            .filter_map(|line| line.split('\t').next())
            .collect();
        assert_eq!(tags, TAGS, "{entry}");
        let lines = entry.lines().skip_while(|line| *line != "Description:");
        assert!(
            lines
                .skip(1)
                .all(|line| line.is_empty() || line.starts_with("\t\t")),
            "{entry}"
        );
    }
}

#[test]
fn events_are_those_of_the_driver() {
    let driver = found(r"(?m)^TRACE_EVENT\((\w+),", &read("kmod/glue/trace.h"));
    assert!(driver.len() > 5, "{driver:?}");
    let page = read("docs/tracing.md");
    let named: BTreeSet<String> = rows(&page)
        .iter()
        .flat_map(|row| quoted(row[0]).into_iter().map(str::to_owned))
        .collect();
    assert_eq!(named, driver);
}
