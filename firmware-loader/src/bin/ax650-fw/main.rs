// SPDX-License-Identifier: MIT OR Apache-2.0

//! ax650-fw: firmware containers of AX650N cards. See ax650-fw(1).

mod boot;
mod cli;
mod files;
mod inspect;

use ax650_command::{failure::Failure, interrupt, progress_line::Meter, standard};
use clap::Parser;
use cli::{Cli, Command};
use std::{
    io::{stderr, Write},
    process::ExitCode,
};

fn main() -> ExitCode {
    interrupt::install();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help) if !help.use_stderr() => {
            return match standard::show(|| help.print()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    tell(&error.into());
                    ExitCode::FAILURE
                }
            }
        }
        Err(error) => error.exit(),
    };
    env_logger::Builder::new()
        .parse_filters(&std::env::var("AX650_LOG").unwrap_or_else(|_| "off".into()))
        .init();
    match interrupt::watch(move || run(&cli)) {
        Ok(code) => code,
        Err(failure) => {
            // Whatever broke off because of an interrupt.
            let failure = interrupt::check().err().unwrap_or(failure);
            tell(&failure);
            ExitCode::from(failure.code)
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode, Failure> {
    match &cli.command {
        Command::Inspect(arguments) => inspect::inspect(arguments, cli.quiet),
        Command::Verify(arguments) => inspect::verify(arguments, cli.quiet),
        Command::Pack(arguments) => files::pack(arguments, cli.quiet),
        Command::Extract(arguments) => files::extract(arguments, cli.quiet),
        Command::Manifest(arguments) => files::manifest(arguments),
        Command::Boot(arguments) => boot::boot(arguments, cli.quiet),
    }
}

/// Where standard error is closed or full, the exit code has to do.
fn tell(failure: &Failure) {
    let _ = writeln!(stderr(), "ax650-fw: {}", failure.message);
}
