// SPDX-License-Identifier: MIT OR Apache-2.0

//! The manual pages and completions in docs/ are made from the command line's definition; this keeps
//! them so.

use ax650_test_docs::{completions, manual_page};
use clap::CommandFactory;

use crate::args::{Arguments, EXIT_CODES};

/// The section on exit codes, which every page has.
fn exit_status() -> String {
    let entries = EXIT_CODES.map(|(code, meaning)| format!(".TP\n\\fB{code}\\fR\n{meaning}\n"));
    format!(".SH \"EXIT STATUS\"\n{}", entries.concat())
}

#[test]
fn manual_pages_are_up_to_date() {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let end = exit_status();
    // The exit codes of the help are a section here.
    let page = |command: &clap::Command, name: &str| {
        manual_page(command.clone().after_help(None::<&'static str>), name, &end);
    };
    for sub in command.get_subcommands() {
        page(sub, &format!("ax650-{}", sub.get_name()));
    }
    page(&command, "ax650");
}

#[test]
fn completions_are_up_to_date() {
    completions(Arguments::command(), "ax650");
}
