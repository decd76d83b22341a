// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 top`: cards and their clients over time.

mod app;
mod history;
mod screen;

use std::io::{stdout, IsTerminal, Write};
use std::sync::mpsc;
use std::time::Duration;

use crossterm::event::{self, Event};

use crate::args::Top;
use crate::failure::{Failure, NO_CARD, USAGE};
use crate::sample::Sample;
use crate::{interrupt, standard};

use app::App;

/// Between looks for an interrupt while no key is pressed.
const TICK: Duration = Duration::from_millis(100);

/// Shows the cards until told to stop, or once.
pub fn top(device: Option<&str>, options: &Top) -> Result<(), Failure> {
    let delay = Duration::from_secs_f64(options.delay);
    let mut app = App::default();
    // A card that is named wrongly is an error, one that goes is not.
    let first = Sample::all(device)?;
    if first.is_empty() {
        return Err(Failure::new(
            NO_CARD,
            "no card found; `ax650 check` tells more",
        ));
    }
    app.take(first);
    if options.json || options.once {
        return print(device, options, delay, &mut app);
    }
    if !stdout().is_terminal() {
        let message = "standard output is no terminal: use --once or --json";
        return Err(Failure::new(USAGE, message));
    }
    watch(device, delay, &mut app)
}

/// Prints what there is after each delay.  Rates need two looks.
fn print(
    device: Option<&str>,
    options: &Top,
    delay: Duration,
    app: &mut App,
) -> Result<(), Failure> {
    loop {
        interrupt::sleep(delay)?;
        app.take(Sample::all(device)?);
        let mut out = standard::output()?;
        if options.json {
            writeln!(out, "{}", app.json())?;
        } else {
            write!(out, "{}", app.text())?;
        }
        out.flush()?;
        if options.once {
            return Ok(());
        }
    }
}

/// Gives the terminal back as it was, however it ends.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn watch(device: Option<&str>, delay: Duration, app: &mut App) -> Result<(), Failure> {
    let samples = start_sampling(device.map(str::to_owned), delay);
    let mut terminal = ratatui::try_init()?;
    let _restored = Restored;
    loop {
        terminal.draw(|frame| screen::draw(frame, app))?;
        interrupt::check()?;
        if event::poll(TICK)? {
            if let Event::Key(key) = event::read()? {
                if app.on_key(key) {
                    return Ok(());
                }
            }
        }
        for samples in samples.try_iter() {
            app.take(samples);
        }
    }
}

/// Takes samples in a thread of its own: a card that does not answer must not keep keys waiting.
fn start_sampling(device: Option<String>, delay: Duration) -> mpsc::Receiver<Vec<Sample>> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || loop {
        std::thread::sleep(delay);
        // A card that was named may have gone, and may come back.
        let samples = Sample::all(device.as_deref()).unwrap_or_default();
        if send.send(samples).is_err() {
            return;
        }
    });
    receive
}
