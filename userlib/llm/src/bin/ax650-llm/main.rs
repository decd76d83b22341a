// SPDX-License-Identifier: MIT OR Apache-2.0

//! ax650-llm: language and speech models on AX650N accelerator cards. See docs/llm.md.

mod args;
mod bench;
mod costs;
#[cfg(test)]
mod documents;
mod run;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "speech")]
mod transcribe;

use std::io::{stderr, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use ax650::Card;
use ax650_command::failure::Failure;
use ax650_command::progress_line::ProgressLine;
use ax650_command::{interrupt, standard};
use ax650_llm::Network;
use clap::Parser;

use args::{Arguments, Command};

fn main() -> ExitCode {
    interrupt::install();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
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
    match interrupt::watch(move || run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Whatever broke off because of an interrupt.
            let failure = interrupt::check().err().unwrap_or(failure);
            tell(&failure);
            ExitCode::from(failure.code)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Run(options) => run::run(arguments, options),
        #[cfg(feature = "serve")]
        Command::Serve(options) => serve::serve(arguments, options),
        Command::Bench(options) => bench::bench(arguments, options),
        #[cfg(feature = "speech")]
        Command::Transcribe(options) => transcribe::run(arguments, options),
    }
}

/// Where standard error is closed or full, the exit code has to do.
fn tell(failure: &Failure) {
    let _ = writeln!(stderr(), "ax650-llm: {}", failure.message);
}

/// Opens the card that was named, or the first one.
fn open_card(arguments: &Arguments) -> Result<Card, Failure> {
    Ok(match arguments.device.as_deref() {
        Some(name) => Card::open(name)?,
        None => Card::open_first()?,
    })
}

/// Ends the loading of models when the program is to end.
fn go_on() -> ax650_llm::Result<()> {
    match interrupt::is_pending() {
        true => Err(ax650_llm::Error::Invalid("interrupted".into())),
        false => Ok(()),
    }
}

/// Opens the card and loads the model.
fn load(arguments: &Arguments, directory: &Path) -> Result<(Card, Arc<Network>), Failure> {
    // What is wrong with the directory needs no card to be found.
    ax650_llm::Description::read(directory)?;
    let card = open_card(arguments)?;
    let session = card.session()?;
    let mut line = ProgressLine::new(arguments.quiet);
    let network = Network::load(&session, directory, &mut |done, all| {
        line.show(|| format!("loading: layer {done} of {all}"));
        go_on()
    })?;
    Ok((card, Arc::new(network)))
}
