// SPDX-License-Identifier: MIT OR Apache-2.0

//! `boot`.

use crate::{cli::Boot, inspect::summary, meter::Meter};
use ax650_firmware::{BootOptions, Booted, CardState, Device, Installed, Result, Step};
use std::{process::ExitCode, time::Duration};

pub fn boot(arguments: &Boot, quiet: bool) -> Result<ExitCode> {
    // First what is quick to fail.
    let mut device = Device::open(arguments.card)?;
    let mut meter = Meter::new("checking the firmware", quiet);
    let installed = Installed::check(&mut |done, total| meter.bytes(done, total))?;
    drop(meter);
    if !quiet {
        let what = match &installed.container {
            Some(container) => summary(container),
            None => "compressed, the kernel will check it".into(),
        };
        println!("{}: {what}", installed.path.display());
    }

    let options = BootOptions {
        if_needed: arguments.if_needed,
        timeout: Duration::from_secs(arguments.timeout.into()),
        ..Default::default()
    };
    let mut steps = Steps::new(arguments.card, quiet);
    let booted = ax650_firmware::boot(&mut device, &options, &mut |step| steps.show(step))?;
    drop(steps);
    if !quiet {
        let number = arguments.card;
        match booted {
            Booted::Now(card) => println!(
                "card {number}: running, firmware {}, boot {:.1} s",
                card.firmware,
                card.boot_time.as_secs_f64()
            ),
            Booted::Before(card) => println!(
                "card {number}: runs already, firmware {}; left alone",
                card.firmware
            ),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A line for each state, and a meter for the bytes.
struct Steps {
    card: u32,
    quiet: bool,
    last: Option<CardState>,
    meter: Option<Meter>,
}

impl Steps {
    fn new(card: u32, quiet: bool) -> Self {
        Self {
            card,
            quiet,
            last: None,
            meter: None,
        }
    }

    fn show(&mut self, step: &Step) {
        // The last line is the caller's.
        if self.last != Some(step.state) && step.state != CardState::RUNNING {
            self.meter = None;
            if !self.quiet {
                println!("card {}: {}", self.card, step.state);
            }
        }
        self.last = Some(step.state);
        if let Some((done, total)) = step.sent {
            let quiet = self.quiet;
            let meter = self
                .meter
                .get_or_insert_with(|| Meter::new("sending", quiet));
            meter.bytes(done, total);
        }
    }
}
