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
mod exporter;
mod host;
mod in_flight;
mod info;
mod list;
mod log;
mod look;
mod notes;
mod pump;
mod reset;
mod run;
mod sample;
mod text;
mod top;
mod transcode;
mod video;

use std::io::Write;
use std::process::ExitCode;

use ax650::{Card, CardState};
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
    if let Command::Bench(options) = &arguments.command {
        if options.many.is_wanted() {
            return bench::bench(&open_all(&arguments.device)?, options);
        }
    }
    let device = only(&arguments.device)?;
    match &arguments.command {
        Command::List(options) => list::list(options),
        Command::Info(options) => info::info(device, options),
        Command::Top(options) => top::top(device, options),
        Command::Exporter(options) => exporter::exporter(device, options),
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
        Command::Detect(options) => {
            run::look_at_model(&options.look.model)?;
            open(arguments).and_then(|card| look::detect(&card, options))
        }
        Command::Classify(options) => {
            run::look_at_model(&options.look.model)?;
            open(arguments).and_then(|card| look::classify(&card, options))
        }
        Command::Embed(options) => {
            run::look_at_model(&options.look.model)?;
            open(arguments).and_then(|card| look::embed(&card, options))
        }
        Command::Ocr(options) => {
            look::look_at_files(options)?;
            open(arguments).and_then(|card| look::ocr(&card, options))
        }
        Command::Bench(options) => open(arguments).and_then(|card| bench::bench(&[card], options)),
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
    open_named(only(&arguments.device)?)
}

/// Returns the one card that was named, if any.
fn only(devices: &[String]) -> Result<Option<&str>, Failure> {
    match devices {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => Err(Failure::usage(
            "--device is given more than once, and one card is used",
        )),
    }
}

/// Opens the cards of these names, or all that run.
fn open_all(devices: &[String]) -> Result<Vec<Card>, Failure> {
    if !devices.is_empty() {
        let cards = devices.iter().map(|name| Ok(Card::open(name)?));
        return cards.collect();
    }
    let listed = Card::list().into_iter();
    let running = listed.filter(|card| {
        card.info
            .as_ref()
            .is_ok_and(|info| info.state == CardState::Running)
    });
    let cards = running.map(|card| Ok(Card::open(&card.path.display().to_string())?));
    match cards.collect::<Result<Vec<_>, Failure>>()? {
        // Which tells why there is none.
        none if none.is_empty() => Ok(vec![Card::open_first()?]),
        cards => Ok(cards),
    }
}

/// Opens the card of that name, or the first.
fn open_named(name: Option<&str>) -> Result<Card, Failure> {
    Ok(match name {
        Some(name) => Card::open(name)?,
        None => Card::open_first()?,
    })
}
