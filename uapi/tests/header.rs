// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT

//! The header as a C compiler sees it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use ax650_uapi::*;

/// What the requests' codes are in Rust, for the C compiler to compare; the layout of the structures is
/// compared in `ax650.rs`.
fn assertions() -> String {
    let mut text = String::from("#include \"ax650.h\"\n");
    macro_rules! same {
        ($($name:ident)*) => {$({
            let (name, code) = (stringify!($name), $name);
            writeln!(text, "_Static_assert({name} == {code}U, \"{name}\");").unwrap();
        })*};
    }
    same! {
        AX650_IOC_QUERY AX650_IOC_SESSION_CREATE AX650_IOC_SESSION_DESTROY AX650_IOC_BUFFER_CREATE
        AX650_IOC_BUFFER_DESTROY AX650_IOC_SUBMIT AX650_IOC_WAIT AX650_IOC_CONTROL AX650_IOC_BUFFER_EXPORT
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
fn layout_has_no_holes_in_64_and_32_bits() {
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
    let broken = text.replace(
        "AX650_IOC_SUBMIT == 3224937989U",
        "AX650_IOC_SUBMIT == 3224937990U",
    );
    assert!(broken != text);
    assert!(compile(&broken, &[]).is_err(), "another code was accepted");
    let padded = format!("{text}struct padded {{ char a; long b; }} padded;\n");
    assert!(
        compile(&padded, &["-Wpadded"]).is_err(),
        "padding was not seen"
    );
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
