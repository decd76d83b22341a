// SPDX-License-Identifier: MIT OR Apache-2.0

//! The Rust types of messages in the tree are those of their schemas: made from them again here, so that nobody who
//! builds a program needs a compiler of schemas.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use support::{read, top};

/// Set in the environment: the files are written instead.
const UPDATE: &str = "AX650_UPDATE_SCHEMAS";

/// Directory of schemas, the one that has all others in it, and the file that has all types in modules, if it is wanted.
const SCHEMAS: &[(&str, &str, Option<&str>)] = &[
    ("proto", "axcl_rpc.proto", Some("axcl.rs")),
    ("tests/emulator/daemon/proto", "onnx_subset.proto", None),
];

const HEAD: &str = "\
// SPDX-License-Identifier: MIT OR Apache-2.0
// Made from the schemas beside this directory; `AX650_UPDATE_SCHEMAS=1 cargo test -p ax650-test-docs` does so again.

";

/// Makes the Rust files of a schema: their names and texts.
fn made(directory: &str, schema: &str, all: Option<&str>) -> BTreeMap<String, String> {
    let out = tempfile::tempdir().expect("a directory");
    let descriptors = protox::compile([schema], [top().join(directory)]).expect(schema);
    let mut config = prost_build::Config::new();
    config.out_dir(out.path()).disable_comments(["."]);
    if let Some(all) = all {
        config.include_file(all);
    }
    config.compile_fds(descriptors).expect(schema);
    files(out.path(), HEAD)
}

/// Reads the files of a directory, with something before the text of each.
fn files(directory: &Path, head: &str) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.expect("an entry");
        let text = std::fs::read_to_string(entry.path()).expect("a text");
        let name = entry.file_name().into_string().expect("a name");
        (name, format!("{head}{text}"))
    };
    entries.map(read).collect()
}

#[test]
fn types_are_those_of_the_schemas() {
    for (directory, schema, all) in SCHEMAS {
        let types = top().join(directory).join("rust");
        let made = made(directory, schema, *all);
        assert!(made.values().any(|text| text.contains("pub struct")));
        if std::env::var_os(UPDATE).is_some() {
            let _ = std::fs::remove_dir_all(&types);
            std::fs::create_dir_all(&types).expect("a directory");
            for (name, text) in &made {
                std::fs::write(types.join(name), text).expect("a file that can be written");
            }
        }
        let names: Vec<_> = files(&types, "").into_keys().collect();
        assert_eq!(
            names,
            made.keys().cloned().collect::<Vec<_>>(),
            "{directory}/rust: {UPDATE}=1 makes it again"
        );
        for (name, text) in made {
            let path = format!("{directory}/rust/{name}");
            assert!(read(&path) == text, "{path}: {UPDATE}=1 makes it again");
        }
    }
}
