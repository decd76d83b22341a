// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 reset`

use std::io::{stderr, stdin, IsTerminal, Write};
use std::time::{Duration, Instant};

use ax650::{Card, CardInfo, CardState};

use crate::args::Reset;
use crate::failure::{Failure, CARD};
use crate::{interrupt, text};

/// Resets a card, and waits until it is up again.
pub fn reset(card: &Card, options: &Reset) -> Result<(), Failure> {
    let before = card.info()?.generation;
    let clients = card.clients()?;
    if !clients.is_empty() && !options.yes {
        let names: Vec<_> = clients
            .iter()
            .map(|client| match client.pid {
                Some(pid) => format!("{} ({pid})", client.command),
                None => client.command.clone(),
            })
            .collect();
        confirm(&format!("{} is used by {}", card.name(), names.join(", ")))?;
    }
    let begin = Instant::now();
    if options.no_boot {
        card.reset()?;
    } else {
        card.boot(false)?;
    }
    let mut shown = None;
    loop {
        let info = card.info()?;
        if let Some(done) = outcome(&info, before, options.no_boot) {
            clear(shown.is_some());
            done?;
            let seconds = begin.elapsed().as_secs_f64();
            let firmware = &info.firmware_version;
            println!(
                "{}: {} {firmware} after {seconds:.1} s",
                card.name(),
                info.state
            );
            return Ok(());
        }
        if begin.elapsed() > Duration::from_secs_f64(options.timeout) {
            clear(shown.is_some());
            let message = format!(
                "{}: still {} after {} s",
                card.name(),
                info.state,
                options.timeout
            );
            return Err(Failure::new(CARD, message));
        }
        if stderr().is_terminal() {
            let line = format!("{}, {}", info.state, text::percent(info.boot_progress()));
            if shown.as_ref() != Some(&line) {
                eprint!("\r\x1b[K{line}");
                let _ = stderr().flush();
                shown = Some(line);
            }
        }
        interrupt::sleep(Duration::from_millis(100))?;
    }
}

fn clear(shown: bool) {
    if shown {
        eprint!("\r\x1b[K");
    }
}

/// Whether it is over, and how.
fn outcome(info: &CardInfo, before: u32, no_boot: bool) -> Option<Result<(), Failure>> {
    let failed = |why: String| Some(Err(Failure::new(CARD, why)));
    match info.state {
        CardState::Loader if no_boot => Some(Ok(())),
        CardState::Running if !no_boot && info.generation != before => Some(Ok(())),
        CardState::Dead => failed(match info.last_error {
            Some(errno) => format!(
                "the card did not boot: {}; see the kernel log",
                errno.desc().to_lowercase()
            ),
            None => "the card did not boot; see the kernel log".into(),
        }),
        CardState::Gone => failed("the card does not answer on the bus any more".into()),
        _ => None,
    }
}

fn confirm(what: &str) -> Result<(), Failure> {
    if !stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "{what}; give --yes to reset it all the same"
        )));
    }
    eprint!("{what}.  Reset it all the same? [y/N] ");
    let _ = stderr().flush();
    let mut answer = String::new();
    let read = stdin().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::of("not reset"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ax650::uapi::{
        ax650_card_info, AX650_STATE_BOOTING, AX650_STATE_DEAD, AX650_STATE_RUNNING,
    };

    #[test]
    fn when_it_is_over() {
        let info = |state, generation| {
            CardInfo::from(ax650_card_info {
                state,
                generation,
                last_error: -5,
                ..Default::default()
            })
        };
        // Still the old run of the card: the reset has not begun.
        assert!(outcome(&info(AX650_STATE_RUNNING, 3), 3, false).is_none());
        assert!(outcome(&info(AX650_STATE_BOOTING, 4), 3, false).is_none());
        assert!(outcome(&info(AX650_STATE_RUNNING, 4), 3, false)
            .unwrap()
            .is_ok());
        let failure = outcome(&info(AX650_STATE_DEAD, 4), 3, false)
            .unwrap()
            .unwrap_err();
        assert_eq!(
            (failure.message.as_str(), failure.code),
            ("the card did not boot: i/o error; see the kernel log", 6)
        );
    }
}
