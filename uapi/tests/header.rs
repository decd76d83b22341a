// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT

//! The header and the crate say the same.
//!
//! From what the crate says a C file of static assertions is made and given to the C compiler together
//! with `ax650.h`, for 64 and 32 bit, with padding an error.  A second look goes the other way: all that
//! the header declares must be in that file, so nothing can be forgotten on the Rust side.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use ax650_uapi::*;

const HEADER: &str = include_str!("../ax650.h");

/// One structure as the crate has it.
struct Structure {
    name: &'static str,
    size: usize,
    fields: &'static [(&'static str, usize, usize)],
}

fn structure<T: Plain>() -> Structure {
    Structure {
        name: T::NAME,
        size: size_of::<T>(),
        fields: T::FIELDS,
    }
}

fn structures() -> Vec<Structure> {
    vec![
        structure::<ax650_query>(),
        structure::<ax650_card_info>(),
        structure::<ax650_telemetry>(),
        structure::<ax650_counters>(),
        structure::<ax650_client>(),
        structure::<ax650_limits>(),
        structure::<ax650_session_create>(),
        structure::<ax650_session_destroy>(),
        structure::<ax650_buffer_create>(),
        structure::<ax650_buffer_destroy>(),
        structure::<ax650_step>(),
        structure::<ax650_submit>(),
        structure::<ax650_step_result>(),
        structure::<ax650_wait>(),
        structure::<ax650_control>(),
    ]
}

macro_rules! constants {
    ($($name:ident)*) => { vec![$((stringify!($name), u64::from($name)),)*] };
}

fn constants() -> Vec<(&'static str, u64)> {
    constants![
        AX650_ABI_VERSION AX650_IOC_TYPE
        AX650_QUERY_CARD AX650_QUERY_TELEMETRY AX650_QUERY_COUNTERS AX650_QUERY_CLIENTS
        AX650_QUERY_LIMITS
        AX650_STATE_ABSENT AX650_STATE_LOADER AX650_STATE_BOOTING AX650_STATE_HANDSHAKE
        AX650_STATE_RUNNING AX650_STATE_SUSPECT AX650_STATE_DEAD AX650_STATE_RESETTING
        AX650_STATE_GONE
        AX650_TELEMETRY_TEMPERATURE AX650_TELEMETRY_CPU AX650_TELEMETRY_NPU
        AX650_TELEMETRY_MEMORY AX650_TELEMETRY_CMM
        AX650_INTERFACE_NATIVE AX650_INTERFACE_AXCL
        AX650_STEP_COPY_TO_CARD AX650_STEP_COPY_FROM_CARD AX650_STEP_CALL
        AX650_STEP_PIPELINED AX650_STEP_NO_REPLY
        AX650_CONTROL_BOOT AX650_CONTROL_RESET AX650_CONTROL_IF_NEEDED
        AX650_IOC_QUERY AX650_IOC_SESSION_CREATE AX650_IOC_SESSION_DESTROY
        AX650_IOC_BUFFER_CREATE AX650_IOC_BUFFER_DESTROY AX650_IOC_SUBMIT AX650_IOC_WAIT
        AX650_IOC_CONTROL
    ]
}

fn assertions() -> String {
    let mut text = String::from("#include <stddef.h>\n#include \"ax650.h\"\n");
    let mut check = |condition: String| {
        writeln!(text, "_Static_assert({condition}, \"{condition}\");").unwrap();
    };
    for Structure { name, size, fields } in structures() {
        check(format!("sizeof(struct {name}) == {size}"));
        for (field, offset, bytes) in fields {
            check(format!("offsetof(struct {name}, {field}) == {offset}"));
            check(format!("sizeof(((struct {name} *)0)->{field}) == {bytes}"));
        }
    }
    for (name, value) in constants() {
        check(format!("{name} == {value}ULL"));
    }
    text
}

/// Compiles `text`; the compiler's complaints, if any.
fn compile(text: &str, flags: &[&str]) -> Result<(), String> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut child = Command::new(&compiler)
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"])
        .args(flags)
        .arg("-I")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args(["-x", "c", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {compiler}: {error}"));
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn layout_is_that_of_the_header() {
    let text = assertions();
    // Where one compiler makes programs of both sizes.
    let sizes: &[&[&str]] = if cfg!(target_arch = "x86_64") {
        &[&["-m64"], &["-m32"]]
    } else {
        &[&[]]
    };
    for size in sizes {
        let flags = [size, &["-Wpadded"][..]].concat();
        if let Err(complaint) = compile(&text, &flags) {
            panic!("{flags:?}: {complaint}");
        }
    }
}

#[test]
fn assertions_can_fail() {
    let text = assertions();
    for (right, wrong) in [
        (
            "sizeof(struct ax650_wait) == 72",
            "sizeof(struct ax650_wait) == 80",
        ),
        (
            "offsetof(struct ax650_step, frame) == 56",
            "offsetof(struct ax650_step, frame) == 60",
        ),
        (
            "AX650_IOC_SUBMIT == 3224937989ULL",
            "AX650_IOC_SUBMIT == 3224937990ULL",
        ),
    ] {
        let broken = text.replace(right, wrong);
        assert!(broken != text, "no such assertion: {right}");
        assert!(compile(&broken, &[]).is_err(), "accepted: {wrong}");
    }
    let padded = format!("{text}struct padded {{ char a; long b; }} padded;\n");
    assert!(
        compile(&padded, &["-Wpadded"]).is_err(),
        "padding was not seen"
    );
}

/// The text without comments.
fn code(text: &str) -> String {
    let mut rest = text;
    let mut code = String::new();
    while let Some((before, after)) = rest.split_once("/*") {
        code.push_str(before);
        rest = after.split_once("*/").expect("unfinished comment").1;
    }
    code + rest
}

#[test]
fn nothing_of_the_header_is_missing() {
    let code = code(HEADER);
    let mut declared = BTreeSet::new();
    let mut scope: Option<String> = None;
    for line in code.lines() {
        let words: Vec<_> = line
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
            .collect();
        match (words.as_slice(), scope.clone()) {
            (["define", name, _, ..], None) => {
                declared.insert((*name).to_owned());
            }
            (["struct", name], None) if line.ends_with('{') => scope = Some(name.to_string()),
            (["enum", name], None) if line.ends_with('{') => scope = Some(name.to_string()),
            ([], Some(_)) if line.starts_with('}') => scope = None,
            ([kind, field, ..], Some(structure)) if kind.starts_with("__") => {
                declared.insert(format!("{structure}.{field}"));
            }
            ([constant, ..], Some(_)) => {
                declared.insert((*constant).to_owned());
            }
            _ => {}
        }
    }

    let mut known: BTreeSet<_> = constants()
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    for Structure { name, fields, .. } in structures() {
        known.extend(fields.iter().map(|(field, ..)| format!("{name}.{field}")));
    }
    assert_eq!(declared, known);
}

#[test]
fn example_of_the_documentation_compiles() {
    let text = include_str!("../../docs/uapi.md");
    let (_, rest) = text.split_once("```c\n").expect("an example in C");
    let (example, _) = rest.split_once("```").expect("the end of the example");
    if let Err(complaint) = compile(example, &["-std=gnu11"]) {
        panic!("{complaint}");
    }
}

#[test]
fn example_program_compiles() {
    let example = include_str!("../examples/query.c");
    // With what it takes from the C library, as the comment in it compiles it, and stricter.
    for flags in [&["-std=gnu11"][..], &["-std=gnu99", "-pedantic"]] {
        if let Err(complaint) = compile(example, flags) {
            panic!("{flags:?}: {complaint}");
        }
    }
    let broken = example.replace("AX650_IOC_QUERY", "AX650_IOC_ASK");
    assert!(broken != example && compile(&broken, &["-std=gnu11"]).is_err());
}

#[test]
fn bytes_are_those_of_the_fields() {
    let mut query = ax650_query {
        kind: 0x0403_0201,
        reserved: 0xFFEE_DDCC,
        ..Default::default()
    };
    let bytes = query.as_bytes();
    assert_eq!(bytes.len(), 24);
    assert_eq!(bytes[..4], 0x0403_0201_u32.to_ne_bytes());
    assert_eq!(bytes[20..], 0xFFEE_DDCC_u32.to_ne_bytes());
    query.as_bytes_mut()[8..16].copy_from_slice(&7_u64.to_ne_bytes());
    assert_eq!(query.data, 7);
}
