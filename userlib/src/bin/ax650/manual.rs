// SPDX-License-Identifier: MIT OR Apache-2.0

//! The manual pages in docs/man are made from the command line's definition; this keeps them so.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_mangen::Man;

use crate::args::{Arguments, EXIT_CODES};

/// All pages: file name and contents.
fn pages() -> Vec<(String, Vec<u8>)> {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    let mut add = |command: clap::Command, name: String| {
        let mut page = Vec::new();
        // No date and no version: they would change without a change of the text.
        Man::new(command.after_help(None::<&'static str>))
            .title(name.to_uppercase())
            .date("")
            .source("ax650")
            .render(&mut page)
            .expect("writing to memory");
        page.extend(exit_status().into_bytes());
        pages.push((format!("{name}.1"), page));
    };
    let version_free = |command: clap::Command| command.version(None::<&'static str>);
    for sub in command.get_subcommands() {
        let name = format!("ax650-{}", sub.get_name());
        add(version_free(sub.clone()), name);
    }
    add(version_free(command.clone()), "ax650".into());
    pages
}

/// The section on exit codes, which every page has.
fn exit_status() -> String {
    let entries = EXIT_CODES.map(|(code, meaning)| format!(".TP\n\\fB{code}\\fR\n{meaning}\n"));
    format!(".SH \"EXIT STATUS\"\n{}", entries.concat())
}

#[test]
fn manual_pages_are_up_to_date() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/man");
    let update = std::env::var_os("AX650_UPDATE_MAN").is_some();
    if update {
        fs::create_dir_all(&directory).unwrap();
    }
    for (name, page) in pages() {
        let path = directory.join(&name);
        if update {
            fs::write(&path, &page).unwrap();
        }
        let there = fs::read(&path).unwrap_or_default();
        assert!(
            there == page,
            "{name} is out of date: run this test with AX650_UPDATE_MAN=1"
        );
    }
}
