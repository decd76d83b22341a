// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650`: inference and codec jobs on AX650N accelerator cards, from the command line.

mod args;
mod bench;
mod check;
mod decode;
#[cfg(test)]
mod documents;
mod encode;
#[cfg(test)]
mod end_to_end;
mod host;
mod in_flight;
mod info;
mod list;
mod log;
mod notes;
mod pump;
mod reset;
mod run;
mod text;
mod transcode;
mod video;

use std::io::Write;
use std::process::ExitCode;

use ax650::Card;
use ax650_command::{failure, interrupt, output, progress, progress_line, standard};
use clap::Parser;

use args::{Arguments, Command};
use failure::Failure;

fn main() -> ExitCode {
    interrupt::install();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(help) if !help.use_stderr() => return show(&help),
        Err(error) => error.exit(),
    };
    start_log(arguments.verbose);
    match interrupt::watch(move || run_command(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { message, code }) => {
            // Where standard error is closed or full, the exit code has to do.
            let _ = writeln!(std::io::stderr(), "ax650: {message}");
            ExitCode::from(code)
        }
    }
}

/// Shows a help text or the version.
fn show(text: &clap::Error) -> ExitCode {
    match standard::show(|| text.print()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "ax650: standard output: {error}");
            ExitCode::from(failure::FAILURE)
        }
    }
}

fn run_command(arguments: &Arguments) -> Result<(), Failure> {
    let device = arguments.device.as_deref();
    match &arguments.command {
        Command::List(options) => list::list(options),
        Command::Info(options) => info::info(device, options),
        Command::Check(options) => check::check(device, options),
        Command::Log(options) => open(arguments).and_then(|card| log::log(&card, options)),
        Command::Run(options) => {
            run::look_at_model(&options.model)?;
            open(arguments).and_then(|card| run::run(&card, options))
        }
        Command::Decode(options) => open(arguments).and_then(|card| decode::decode(&card, options)),
        Command::Encode(options) => open(arguments).and_then(|card| encode::encode(&card, options)),
        Command::Transcode(options) => {
            open(arguments).and_then(|card| transcode::transcode(&card, options))
        }
        Command::Bench(options) => open(arguments).and_then(|card| bench::bench(&card, options)),
        Command::Reset(options) => open(arguments).and_then(|card| reset::reset(&card, options)),
    }
}

/// The library's log, to standard error; nothing without being asked for.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => "off",
        1 => "ax650=debug",
        _ => "ax650=trace",
    };
    let mut builder = env_logger::Builder::new();
    builder.parse_filters(level);
    if let (0, Ok(filters)) = (verbose, std::env::var("AX650_LOG")) {
        builder.parse_filters(&filters);
    }
    builder.format_target(true).init();
}

fn open(arguments: &Arguments) -> Result<Card, Failure> {
    open_named(arguments.device.as_deref())
}

/// Opens the card of that name, or the first.
fn open_named(name: Option<&str>) -> Result<Card, Failure> {
    Ok(match name {
        Some(name) => Card::open(name)?,
        None => Card::open_first()?,
    })
}
