// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650-emu`: the emulated card as a program.

mod cli;
mod report;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ax650_emu::card::{Card, StartService};
use ax650_emu::control;
use ax650_emu::echo::Echo;
use ax650_emu::pci::Listener;
use clap::Parser;
use log::{error, info, warn};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use cli::Cli;

/// How long the service may take to stop at the end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Removes a socket file at the end.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(e) = std::fs::remove_file(&self.0) {
            warn!("{}: {e}", self.0.display());
        }
    }
}

/// Without the feature "service" there is only the echo.
#[cfg(not(feature = "service"))]
fn service(_cli: &Cli) -> Result<StartService, String> {
    Ok(Box::new(Echo::start))
}

#[cfg(feature = "service")]
fn service(cli: &Cli) -> Result<StartService, String> {
    if cli.echo {
        return Ok(Box::new(Echo::start));
    }
    if let Some(dir) = &cli.model_dir {
        check_model_dir(dir)?;
    }
    let options = ax650_emu_daemon::Options {
        model_dir: cli.model_dir.clone(),
        version: cli.firmware.clone(),
        ..Default::default()
    };
    Ok(Box::new(move |link| {
        ax650_emu_daemon::start(link, options.clone())
    }))
}

#[cfg(feature = "service")]
fn check_model_dir(dir: &std::path::Path) -> Result<(), String> {
    match std::fs::metadata(dir) {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => Err(format!("--model-dir {}: is no directory", dir.display())),
        Err(e) => Err(format!("--model-dir {}: {e}", dir.display())),
    }
}

/// The report's file with its name for errors.
fn report_file(cli: &Cli) -> Result<Option<(String, File)>, String> {
    let Some(path) = &cli.report else {
        return Ok(None);
    };
    let name = format!("--report {}", path.display());
    match File::create(path) {
        Ok(file) => Ok(Some((name, file))),
        Err(e) => Err(format!("{name}: {e}")),
    }
}

/// Why the program ends early.
enum Failure {
    /// The command line asks for what cannot be.
    Usage(String),
    /// Something failed.
    Other(String),
}

impl From<String> for Failure {
    fn from(what: String) -> Self {
        Self::Other(what)
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let card = Card::new(cli.card_options(), service(cli)?)
        .map_err(|e| format!("card memory of {} bytes: {e}", cli.memory))?;
    for switch in &cli.switch {
        card.switches
            .set_text(switch)
            .map_err(|e| Failure::Usage(format!("--switch {switch}: {e}")))?;
    }
    if cli.control.as_ref() == Some(&cli.socket) {
        return Err(Failure::Usage(
            "--socket and --control must be two sockets".to_owned(),
        ));
    }
    let report = report_file(cli)?;
    card.switches_changed();
    let mut signals =
        Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(|e| format!("signals: {e}"))?;

    let listener = Listener::bind(&cli.socket, &card).map_err(|e| format!("--socket {e}"))?;
    let socket = SocketFile(cli.socket.clone());
    let control = match &cli.control {
        None => None,
        Some(path) => {
            let end = signals.handle();
            let context = control::Context {
                card: card.clone(),
                socket: Some(cli.socket.clone()),
                quit: Box::new(move || end.close()),
            };
            ax650_emu::pci::clear_stale(path).map_err(|e| format!("--control {e}"))?;
            control::listen(path, context)
                .map_err(|e| format!("--control {}: {e}", path.display()))?;
            Some(SocketFile(path.clone()))
        }
    };
    let power = card.power_on().map_err(|e| format!("threads: {e}"))?;
    let served: Arc<Card> = card.clone();
    thread::Builder::new()
        .name("vfio-user".to_owned())
        .spawn(move || listener.serve(served))
        .map_err(|e| format!("threads: {e}"))?;

    match signals.forever().next() {
        Some(signal) => info!("signal {signal}: ending"),
        None => info!("ending on request"),
    }
    drop(control);
    drop(socket);
    force_end();
    if let Some((name, file)) = report {
        report::write(file, &card).map_err(|e| format!("{name}: {e}"))?;
    }
    drop(power);
    Ok(())
}

/// Ends the program if the service does not stop in time.
fn force_end() {
    thread::spawn(|| {
        thread::sleep(PATIENCE);
        error!("the card's service does not stop; ending without it");
        std::process::exit(1);
    });
}

fn log_to_stderr(level: log::LevelFilter) {
    let start = Instant::now();
    env_logger::Builder::new()
        .filter_level(level)
        // The library reports every end of a connection; the card does so itself.
        .filter_module("vfio_user", level.min(log::LevelFilter::Warn))
        .format(move |out, record| {
            let seconds = start.elapsed().as_secs_f64();
            let from = record.target().trim_start_matches("ax650_emu::");
            writeln!(
                out,
                "[{seconds:9.3}] {:5} {from}: {}",
                record.level(),
                record.args()
            )
        })
        .init();
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(cli.log);
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (what, code) = match failure {
                Failure::Usage(what) => (what, 2),
                Failure::Other(what) => (what, 1),
            };
            error!("{what}");
            if cli.log < log::LevelFilter::Error {
                eprintln!("ax650-emu: {what}");
            }
            ExitCode::from(code)
        }
    }
}
