// SPDX-License-Identifier: MIT OR Apache-2.0

//! The header is what the sources say, and the library has what the header says and nothing else.

use std::path::Path;

const HEADER: &str = "include/libax650.h";
const ABI: &str = "abi/libax650.so.0.txt";

fn generated(documentation: bool) -> String {
    let mut config = cbindgen::Config::from_file("cbindgen.toml").expect("cbindgen.toml");
    config.documentation = documentation;
    if !documentation {
        config.header = None;
    }
    let bindings = cbindgen::Builder::new()
        .with_crate(env!("CARGO_MANIFEST_DIR"))
        .with_config(config)
        .generate()
        .expect("the sources can be read");
    let mut header = Vec::new();
    bindings.write(&mut header);
    String::from_utf8(header).expect("UTF-8")
}

fn compare(path: &str, wanted: &str) {
    if std::env::var_os("AX650_UPDATE_HEADER").is_some() {
        std::fs::create_dir_all(Path::new(path).parent().expect("a directory")).expect("written");
        std::fs::write(path, wanted).expect("written");
    }
    let is = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        is == wanted,
        "{path} is not made of the present sources: AX650_UPDATE_HEADER=1 cargo test -p ax650-c"
    );
}

#[test]
fn header_is_that_of_the_sources() {
    compare(HEADER, &generated(true));
}

/// What programs are linked against: a line that goes or changes breaks them, and wants a new soname;
/// functions and, at the end of structures with a `struct_size`, members may come.
#[test]
fn abi_is_that_of_soname_0() {
    let source = generated(false);
    let source = source.lines().filter(|line| !line.starts_with('#'));
    let words: Vec<_> = source.flat_map(str::split_whitespace).collect();
    let source = words.join(" ");
    let lines: Vec<_> = source.split_inclusive(';').map(str::trim).collect();
    assert!(lines.len() > 90, "{lines:?}");
    compare(ABI, &(lines.join("\n") + "\n"));
}
