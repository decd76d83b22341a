// SPDX-License-Identifier: GPL-2.0

//! Runs a model on a card without the kernel driver: an example, and what the experiment is tried with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ax650::{CardMemory, Model, Session};
use ax650_vfio::VfioCard;
use clap::Parser;

/// Runs a model once on an AX650N card that vfio-pci has, without the kernel driver (experiment; docs/vfio.md).
///
/// The card is booted for this run, and reset at its end.
#[derive(Parser)]
#[command(name = "ax650-vfio", version)]
struct Cli {
    /// PCI address of the card, as 0000:01:00.0 (default: the first)
    #[arg(long, value_name = "ADDRESS")]
    card: Option<String>,

    /// Axera's firmware
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/lib/firmware/axcl/ax650_card.pac"
    )]
    firmware: PathBuf,

    /// Runs of the model
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,

    /// Move bytes of all lengths first, and compare what comes back
    #[arg(long)]
    check: bool,

    /// Directory for the outputs, raw bytes in files 0, 1 ...
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,

    /// The model
    model: PathBuf,

    /// Raw bytes of each input
    inputs: Vec<PathBuf>,
}

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

fn run(cli: &Cli) -> Result<()> {
    let card = VfioCard::boot(cli.card.as_deref(), &cli.firmware)?;
    let opened = card.open();
    println!("booted {}", opened.name());
    let session = opened.session()?;
    if cli.check {
        check(&session)?;
    }
    let model = Model::load_file(&session, &cli.model)?;
    let binding = model.bind(0)?;
    for (number, path) in cli.inputs.iter().enumerate() {
        binding.set_input(number, &read(path)?)?;
    }
    for _ in 0..cli.runs {
        let times = binding.run()?;
        println!("ran in {:?}, {:?} of it the model", times.total, times.run);
    }
    for (number, tensor) in model.outputs().iter().enumerate() {
        let bytes = binding.output(number)?;
        println!("output {number}: {}, {} bytes", tensor.name, bytes.len());
        if let Some(directory) = &cli.output {
            std::fs::write(directory.join(number.to_string()), &*bytes)?;
        }
    }
    for (name, count) in opened.counters()?.iter().filter(|(_, count)| *count != 0) {
        println!("{name} {count}");
    }
    Ok(())
}

/// Sends calls and copies of lengths that take each way there is: messages, one transfer, several.
fn check(session: &Session) -> Result<()> {
    let stream = session.stream();
    for len in [1, 900, 2000, 300_000, 5_000_000] {
        stream.echo(&pattern(len), None)?;
    }
    for len in [1, 4096, (4 << 20) + 1, (9 << 20) + 3] {
        let bytes = pattern(len);
        let memory = CardMemory::new(&stream, len as u64)?;
        memory.send(0, &bytes)?;
        let back = session.buffer(len)?;
        memory.fetch(0, &back, 0..len)?;
        if *back.read()? != *bytes {
            return Err(format!("{len} bytes have changed on their way").into());
        }
    }
    println!("moved bytes");
    Ok(())
}

/// Makes bytes in which no part is like another of the same length.
fn pattern(len: usize) -> Vec<u8> {
    let mut state = len as u64;
    let mut next = || {
        // Knuth's generator.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(&mut next).take(len).collect()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    Ok(std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?)
}

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ax650-vfio: {error}");
            ExitCode::FAILURE
        }
    }
}
