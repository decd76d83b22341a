// SPDX-License-Identifier: MIT OR Apache-2.0

//! `boot`.

use crate::{cli::Boot, inspect::summary, standard, Failure, Meter};
use ax650::{boot_and_wait, BootGoal, BootOptions, Booted, Card, CardInfo, CardState};
use ax650_command::interrupt;
use ax650_firmware::Installed;
use std::{io::Write, ops::ControlFlow, process::ExitCode, time::Duration};

pub fn boot(arguments: &Boot, quiet: bool) -> Result<ExitCode, Failure> {
    // First what is quick to fail.
    let name = arguments.card.as_ref().or(arguments.device.as_ref());
    let mut card = match name {
        Some(name) => Card::open(name)?,
        None => Card::open_first()?,
    };
    let mut meter = Meter::new("checking the firmware", quiet);
    let installed = Installed::check(&mut |done, total| meter.bytes(done, total))?;
    drop(meter);
    if !quiet {
        let what = match &installed.container {
            Some(container) => summary(container),
            None => "compressed, the kernel will check it".into(),
        };
        writeln!(standard::output()?, "{}: {what}", installed.path.display())?;
    }

    let goal = if arguments.if_needed {
        BootGoal::BootIfNeeded
    } else {
        BootGoal::Boot
    };
    let options = BootOptions {
        timeout: Duration::from_secs(arguments.timeout.into()),
        ..Default::default()
    };
    let name = card.name().to_owned();
    let mut steps = Steps::new(&name, quiet);
    let booted = boot_and_wait(&mut card, goal, &options, &mut |info| {
        steps.show(info);
        if interrupt::is_pending() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    drop(steps);
    if !quiet {
        let mut out = standard::output()?;
        match booted {
            Booted::Now(card) => writeln!(
                out,
                "{name}: running, firmware {}, boot {:.1} s",
                firmware(&card),
                card.boot_time.as_secs_f64()
            ),
            Booted::Before(card) => writeln!(
                out,
                "{name}: runs already, firmware {}; left alone",
                firmware(&card)
            ),
        }?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The version that the card reports.
fn firmware(card: &CardInfo) -> &str {
    match card.firmware_version.as_str() {
        "" => "(version not reported)",
        version => version,
    }
}

/// A line for each state, and a meter for the bytes.
struct Steps<'a> {
    card: &'a str,
    quiet: bool,
    last: Option<CardState>,
    meter: Option<Meter>,
}

impl<'a> Steps<'a> {
    fn new(card: &'a str, quiet: bool) -> Self {
        Self {
            card,
            quiet,
            last: None,
            meter: None,
        }
    }

    fn show(&mut self, card: &CardInfo) {
        // The last line is the caller's.
        if self.last != Some(card.state) && card.state != CardState::Running {
            self.meter = None;
            if !self.quiet {
                // The last line tells if nobody listens any more.
                let _ = standard::output()
                    .and_then(|mut out| writeln!(out, "{}: {}", self.card, card.state));
            }
        }
        self.last = Some(card.state);
        if card.state == CardState::Booting {
            let quiet = self.quiet;
            let meter = self
                .meter
                .get_or_insert_with(|| Meter::new("sending", quiet));
            meter.bytes(card.raw.boot_bytes_done, card.raw.boot_bytes_total);
        }
    }
}
