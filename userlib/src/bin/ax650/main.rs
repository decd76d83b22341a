// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650`: inference and codec jobs on AX650N accelerator cards, from the command line.

mod args;
mod bench;
mod decode;
#[cfg(test)]
mod documents;
mod encode;
#[cfg(test)]
mod end_to_end;
mod failure;
#[cfg(test)]
mod fuzz_tests;
mod info;
mod interrupt;
mod list;
mod notes;
mod output;
mod progress;
mod pump;
mod reset;
mod run;
mod text;
mod transcode;
mod video;

use std::process::ExitCode;

use ax650::Card;
use clap::Parser;

use args::{Arguments, Command};
use failure::Failure;

fn main() -> ExitCode {
    interrupt::install();
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Command::List(options) => list::list(options),
        Command::Info(options) => info::info(arguments.device.as_deref(), options),
        Command::Run(options) => open(&arguments).and_then(|card| run::run(&card, options)),
        Command::Decode(options) => {
            open(&arguments).and_then(|card| decode::decode(&card, options))
        }
        Command::Encode(options) => {
            open(&arguments).and_then(|card| encode::encode(&card, options))
        }
        Command::Transcode(options) => {
            open(&arguments).and_then(|card| transcode::transcode(&card, options))
        }
        Command::Bench(options) => open(&arguments).and_then(|card| bench::bench(&card, options)),
        Command::Reset(options) => open(&arguments).and_then(|card| reset::reset(&card, options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { message, code }) => {
            eprintln!("ax650: {message}");
            ExitCode::from(code)
        }
    }
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
