// SPDX-License-Identifier: MIT OR Apache-2.0

//! Booting a card and waiting for it.

use crate::{Card, CardState, Control, Error, Result};
use std::{
    io,
    thread::sleep,
    time::{Duration, Instant},
};

/// How to boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootOptions {
    /// Do nothing if the card runs.
    pub if_needed: bool,
    /// How long to wait until it runs; the boot goes on without us then.
    pub timeout: Duration,
    /// How often to ask.
    pub interval: Duration,
}

impl Default for BootOptions {
    fn default() -> Self {
        Self {
            if_needed: false,
            timeout: Duration::from_secs(300),
            interval: Duration::from_millis(100),
        }
    }
}

/// What is happening, told after each look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// State of the card.
    pub state: CardState,
    /// Bytes of firmware sent, while that is going on.
    pub sent: Option<(u64, u64)>,
}

/// How it ended, if well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Booted {
    /// The card runs.
    Now(Card),
    /// It ran already and was left alone.
    Before(Card),
}

/// How long a card that was dead before may still be called so after the boot was queued.
const STALE: Duration = Duration::from_secs(2);

/// How long a card that runs may take to say which firmware it is; one that never does runs all the same.
const IDENTITY: Duration = Duration::from_secs(3);

/// Boots a card with the installed firmware and waits until it runs.
pub fn boot(
    card: &mut impl Control,
    options: &BootOptions,
    report: &mut dyn FnMut(&Step),
) -> Result<Booted> {
    let before = card.query()?;
    let generation = card.boot(options.if_needed)?;
    let start = Instant::now();
    let mut was_busy = false;
    let mut running_since = None;
    loop {
        let now = card.query()?;
        let booting = now.state == CardState::BOOTING;
        report(&Step {
            state: now.state,
            sent: booting.then_some((now.done, now.total)),
        });
        match now.state {
            CardState::RUNNING if now.generation >= generation => {
                let since = *running_since.get_or_insert_with(Instant::now);
                if now.firmware.is_empty() && since.elapsed() < IDENTITY {
                    sleep(options.interval);
                    continue;
                }
                return Ok(if now.generation == before.generation {
                    Booted::Before(now)
                } else {
                    Booted::Now(now)
                });
            }
            CardState::GONE => return Err(Error::NoCard("the card is gone from the bus".into())),
            CardState::DEAD
                if was_busy || before.state != CardState::DEAD || start.elapsed() > STALE =>
            {
                return Err(Error::Boot(format!("boot failed: {}", reason(&now))));
            }
            CardState::DEAD | CardState::RUNNING => {}
            _ => was_busy = true,
        }
        if start.elapsed() >= options.timeout {
            return Err(Error::Boot(format!(
                "card is {} after {} s, not running; the boot goes on",
                now.state,
                options.timeout.as_secs()
            )));
        }
        sleep(
            options
                .interval
                .min(options.timeout.saturating_sub(start.elapsed())),
        );
    }
}

/// Why the card is dead, and what that mostly means.
fn reason(card: &Card) -> String {
    let hint = match card.last_error {
        libc::ENOENT => "; is the firmware installed?",
        libc::EINVAL => "; the kernel refuses the firmware file, see its log",
        libc::ETIMEDOUT | libc::ETIME => "; the card did not answer",
        _ => "; see the kernel log",
    };
    format!("{}{hint}", io::Error::from_raw_os_error(card.last_error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A card that is what a script says, one line per query; the last line stays.
    struct Scripted {
        script: Vec<(CardState, u32)>,
        at: usize,
        /// What it says of its firmware at each query, "V1" at the end.
        firmware: &'static [&'static str],
        answer: Result<u32>,
    }

    impl Control for Scripted {
        fn query(&mut self) -> Result<Card> {
            let (state, generation) = self.script[self.at.min(self.script.len() - 1)];
            self.at += 1;
            Ok(Card {
                state,
                generation,
                last_error: libc::ETIMEDOUT,
                done: self.at as u64,
                total: 10,
                boot_time: Duration::from_secs(3),
                firmware: self.firmware.get(self.at - 1).unwrap_or(&"V1").to_string(),
            })
        }

        fn boot(&mut self, _if_needed: bool) -> Result<u32> {
            std::mem::replace(&mut self.answer, Ok(0))
        }
    }

    const RESETTING: CardState = CardState(7);
    const HANDSHAKE: CardState = CardState(3);

    fn run(script: &[(CardState, u32)], generation: u32) -> (Result<Booted>, Vec<Step>) {
        run_card(script, generation, &[])
    }

    fn run_card(
        script: &[(CardState, u32)],
        generation: u32,
        firmware: &'static [&'static str],
    ) -> (Result<Booted>, Vec<Step>) {
        let mut card = Scripted {
            script: script.to_vec(),
            at: 0,
            firmware,
            answer: Ok(generation),
        };
        let options = BootOptions {
            timeout: Duration::from_millis(50),
            interval: Duration::from_millis(1),
            ..Default::default()
        };
        let mut steps = Vec::new();
        let result = boot(&mut card, &options, &mut |step| steps.push(step.clone()));
        (result, steps)
    }

    #[test]
    fn boots() {
        let (result, steps) = run(
            &[
                (CardState::RUNNING, 4),
                (CardState::RUNNING, 4), // the kernel has not begun
                (RESETTING, 4),
                (CardState::BOOTING, 4),
                (HANDSHAKE, 4),
                (CardState::RUNNING, 5),
            ],
            5,
        );
        assert!(matches!(result, Ok(Booted::Now(card)) if card.generation == 5));
        assert_eq!(steps.len(), 5);
        assert_eq!(steps[2].sent, Some((4, 10)));
        assert_eq!(steps[3].sent, None);
    }

    #[test]
    fn waits_until_the_firmware_has_a_name() {
        let (result, _) = run_card(
            &[(CardState::RUNNING, 4), (CardState::RUNNING, 5)],
            5,
            &["", "", "", "V3"],
        );
        assert!(matches!(result, Ok(Booted::Now(card)) if card.firmware == "V3"));
    }

    #[test]
    fn leaves_alone() {
        let (result, _) = run(&[(CardState::RUNNING, 4)], 4);
        assert!(matches!(result, Ok(Booted::Before(_))));
    }

    #[test]
    fn fails() {
        let (result, _) = run(
            &[(CardState::DEAD, 0), (RESETTING, 0), (CardState::DEAD, 0)],
            1,
        );
        let message = result.unwrap_err().to_string();
        assert!(message.starts_with("boot failed: "), "{message}");
        assert!(message.ends_with("; the card did not answer"), "{message}");
        let (result, _) = run(&[(CardState::RUNNING, 1), (CardState::DEAD, 1)], 2);
        assert!(matches!(result, Err(Error::Boot(_))));
        let (result, _) = run(&[(CardState::RUNNING, 1), (CardState::GONE, 1)], 2);
        assert!(matches!(result, Err(Error::NoCard(_))));
    }

    #[test]
    fn waits_no_longer_than_told() {
        let (result, _) = run(&[(HANDSHAKE, 1)], 2);
        let message = result.unwrap_err().to_string();
        assert!(
            message.starts_with("card is starting after 0 s"),
            "{message}"
        );
    }

    #[test]
    fn refusal_of_the_kernel_is_passed_on() {
        let mut card = Scripted {
            script: vec![(CardState::RUNNING, 1)],
            at: 0,
            firmware: &[],
            answer: Err(Error::Busy("busy".into())),
        };
        let result = boot(&mut card, &BootOptions::default(), &mut |_| {});
        assert!(matches!(result, Err(Error::Busy(_))));
    }
}
