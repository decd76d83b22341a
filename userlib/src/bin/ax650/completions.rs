// SPDX-License-Identifier: MIT OR Apache-2.0

//! The completions in docs/completions are made from the command line's definition; this keeps them so.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::{generate, Shell};

use crate::args::Arguments;

#[test]
fn completions_are_up_to_date() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/completions");
    let update = std::env::var_os("AX650_UPDATE_COMPLETIONS").is_some();
    if update {
        fs::create_dir_all(&directory).unwrap();
    }
    // The names by which the shells look for them.
    for (shell, name) in [
        (Shell::Bash, "ax650"),
        (Shell::Zsh, "_ax650"),
        (Shell::Fish, "ax650.fish"),
    ] {
        let mut script = Vec::new();
        generate(shell, &mut Arguments::command(), "ax650", &mut script);
        let path = directory.join(name);
        if update {
            fs::write(&path, &script).unwrap();
        }
        assert!(
            fs::read(&path).unwrap_or_default() == script,
            "{name} is out of date: run this test with AX650_UPDATE_COMPLETIONS=1"
        );
    }
}
