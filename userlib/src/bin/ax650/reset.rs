// SPDX-License-Identifier: MIT OR Apache-2.0

//! `ax650 reset`

use std::io::{stderr, stdin, IsTerminal, Write};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use ax650::{boot_and_wait, BootControl, BootGoal, BootOptions, Booted, Card, CardInfo, CardState};

use crate::args::Reset;
use crate::failure::Failure;
use crate::progress_line::ProgressLine;
use crate::{interrupt, standard, text};

/// Resets a card, and waits until it is up again.
pub fn reset(card: &Card, options: &Reset) -> Result<(), Failure> {
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
    let line = reset_and_wait(&mut card.clone(), options)?;
    writeln!(standard::output()?, "{line}")?;
    Ok(())
}

/// The same without questions; what is to be said of it.
fn reset_and_wait(card: &mut impl BootControl, options: &Reset) -> Result<String, Failure> {
    let goal = if options.no_boot {
        BootGoal::Loader
    } else {
        BootGoal::Boot
    };
    let wait = BootOptions {
        timeout: Duration::from_secs_f64(options.timeout),
        ..Default::default()
    };
    let begin = Instant::now();
    let mut line = ProgressLine::new(false);
    let result = boot_and_wait(card, goal, &wait, &mut |info| {
        line.show(|| match info.state {
            CardState::Booting => {
                format!("{}, {}", info.state, text::percent(info.boot_progress()))
            }
            state => state.to_string(),
        });
        if interrupt::is_pending() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    drop(line);
    let (Booted::Now(info) | Booted::Before(info)) = result?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok(format!(
        "{}: {} after {seconds:.1} s",
        card.name(),
        words(&info)
    ))
}

/// State, and the firmware where there is one.
fn words(info: &CardInfo) -> String {
    match (info.state, info.firmware_version.as_str()) {
        (CardState::Running, "") => "running, firmware version not reported".into(),
        (CardState::Running, version) => format!("running, firmware {version}"),
        (state, _) => state.to_string(),
    }
}

fn confirm(what: &str) -> Result<(), Failure> {
    if !stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "{what}; give --yes to reset it all the same"
        )));
    }
    let _ =
        write!(stderr(), "{what}.  Reset it all the same? [y/N] ").and_then(|()| stderr().flush());
    let mut answer = String::new();
    let read = stdin().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::of("not reset"))
}

#[cfg(test)]
#[allow(non_snake_case)]
mod tests {
    use super::*;
    use ax650::uapi::*;

    /// A card that is what a list says, one entry a look.
    struct Scripted(Vec<(u32, u32, &'static str)>);

    impl BootControl for Scripted {
        fn name(&self) -> String {
            "ax650-0".into()
        }

        fn look(&mut self) -> ax650::Result<CardInfo> {
            let (state, generation, firmware) = self.0.remove(0);
            let mut info = ax650_card_info {
                state,
                generation,
                last_error: -5,
                ..Default::default()
            };
            info.firmware_version[..firmware.len()].copy_from_slice(firmware.as_bytes());
            Ok(info.into())
        }

        fn order(&mut self, _goal: BootGoal) -> ax650::Result<u32> {
            Ok(4)
        }
    }

    fn reset(script: &[(u32, u32, &'static str)]) -> Result<String, Failure> {
        let options = Reset {
            no_boot: false,
            yes: true,
            timeout: 5.0,
        };
        reset_and_wait(&mut Scripted(script.to_vec()), &options)
    }

    #[test]
    fn F2_C1_a_dead_card_that_comes_up_is_a_success() {
        let line = reset(&[
            (AX650_STATE_DEAD, 3, ""),
            (AX650_STATE_DEAD, 3, ""), // not yet taken up
            (AX650_STATE_RESETTING, 3, ""),
            (AX650_STATE_RUNNING, 4, ""), // C4: does not know its firmware yet
            (AX650_STATE_RUNNING, 4, "V3.10.2"),
        ])
        .unwrap();
        assert!(
            line.starts_with("ax650-0: running, firmware V3.10.2 after 0."),
            "{line}"
        );
    }

    #[test]
    fn what_fails_is_told() {
        let failure =
            reset(&[(AX650_STATE_RUNNING, 3, ""), (AX650_STATE_DEAD, 3, "")]).unwrap_err();
        assert_eq!(
            (failure.message.as_str(), failure.code),
            (
                "ax650-0: the card did not boot: i/o error; see the kernel log",
                6
            )
        );
    }
}
