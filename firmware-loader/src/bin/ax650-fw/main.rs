// SPDX-License-Identifier: MIT OR Apache-2.0

//! ax650-fw: firmware containers of AX650N cards. See ax650-fw(1).

mod boot;
mod cli;
mod files;
mod inspect;
mod meter;

use ax650_firmware::{Error, Result};
use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    // SAFETY: no other thread runs yet. A reader that went away ends us, as it does other filters.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let cli = Cli::parse();
    match run(&cli) {
        Ok(code) => code,
        Err(error) => {
            let remedy = match error {
                Error::Exists(_) => "; --force replaces it",
                _ => "",
            };
            eprintln!("ax650-fw: {error}{remedy}");
            exit_code(&error)
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode> {
    match &cli.command {
        Command::Inspect(arguments) => inspect::inspect(arguments, cli.quiet),
        Command::Verify(arguments) => Ok(inspect::verify(arguments, cli.quiet)),
        Command::Pack(arguments) => files::pack(arguments, cli.quiet),
        Command::Extract(arguments) => files::extract(arguments, cli.quiet),
        Command::Manifest(arguments) => files::manifest(arguments),
        Command::Boot(arguments) => boot::boot(arguments, cli.quiet),
    }
}

/// The exit codes of the manual page; clap uses 2 for wrong usage.
fn exit_code(error: &Error) -> ExitCode {
    ExitCode::from(match error {
        Error::NoCard(_) => 3,
        Error::Permission(_) => 4,
        Error::Busy(_) => 5,
        _ => 1,
    })
}
