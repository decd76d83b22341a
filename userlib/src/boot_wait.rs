// SPDX-License-Identifier: MIT OR Apache-2.0

//! Ordering a boot or a reset of a card, and waiting for the end of it.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::card::Card;
use crate::error::{Error, Result};
use crate::info::{CardInfo, CardState};

/// File that the driver asks the kernel's firmware loader for, below `/lib/firmware`.
pub const FIRMWARE_NAME: &str = "axcl/ax650_card.pac";

/// How long a card may keep a state of before after the order, which the driver's thread takes up when it can.
const STALE: Duration = Duration::from_secs(2);

/// How long a card that runs may take to say which firmware it is; one that never does runs all the same.
const IDENTITY: Duration = Duration::from_secs(3);

/// State that a boot or reset shall bring a card to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootGoal {
    /// Reset the card and boot the installed firmware.
    Boot,
    /// Reset the card and boot the installed firmware, unless the card is running.
    BootIfNeeded,
    /// Reset it and leave it in its loader.
    Loader,
}

/// Limits of the wait for a boot or reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootOptions {
    /// How long; the boot goes on without us then.
    pub timeout: Duration,
    /// Time between two looks at the card.
    pub interval: Duration,
}

impl Default for BootOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(300),
            interval: Duration::from_millis(100),
        }
    }
}

/// Good end of a boot or reset.
#[derive(Debug, Clone)]
pub enum Booted {
    /// The card has come to its goal.
    Now(CardInfo),
    /// The card ran already and was left alone.
    Before(CardInfo),
}

/// Bad end of a boot or reset.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// The driver refused.
    #[error(transparent)]
    Driver(#[from] Error),
    /// The card is dead.
    #[error("{card}: the card did not boot: {}", explain_last_error(.card, *.errno))]
    Failed {
        /// Name of the card.
        card: String,
        /// Error that the driver noted.
        errno: Option<Errno>,
    },
    /// The card was taken away, or did not answer on the bus until the end of the time.
    #[error("{0}: the card is gone from the bus")]
    Gone(String),
    /// The boot takes longer than the caller wants to wait.
    #[error("{card}: still {state} after {} s; the boot goes on", .after.as_secs_f64())]
    Late {
        /// Name of the card.
        card: String,
        /// Present state of the card.
        state: CardState,
        /// Time that was waited.
        after: Duration,
    },
    /// The caller broke off.
    #[error("{0}: not waited for; the boot goes on")]
    Stopped(String),
}

/// Writes the same line as [`std::fmt::Display`], as [`Error`] does.
impl std::fmt::Debug for BootError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Tells why the card of that name is dead, and what to do: the meaning of [`CardInfo::last_error`].
pub fn explain_last_error(card: &str, errno: Option<Errno>) -> String {
    let file = format!("/lib/firmware/{FIRMWARE_NAME}");
    match errno {
        Some(Errno::ENOENT) => format!(
            "the firmware is missing: the kernel finds no {file}; install it there and run `ax650 reset -d {card}`"
        ),
        Some(Errno::EINVAL | Errno::EFBIG) => format!(
            "the firmware file is refused; `ax650-fw verify {file}` and the kernel log tell why"
        ),
        Some(Errno::ETIMEDOUT | Errno::ETIME) => format!(
            "the card did not answer in time; see the kernel log and try `ax650 reset -d {card}`"
        ),
        Some(other) => format!("{}; see the kernel log", other.desc().to_lowercase()),
        None => "see the kernel log".into(),
    }
}

/// What waiting needs of a card; tests put another thing in its place.
pub trait BootControl {
    /// Returns the name of the card, for messages.
    fn name(&self) -> String;
    /// Asks for the card's state.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`]: the driver does not tell.
    fn look(&mut self) -> Result<CardInfo>;
    /// Orders it, and returns the generation that it will lead to.
    ///
    /// # Errors
    ///
    /// [`Error::Driver`]: the driver refuses the order.
    fn order(&mut self, goal: BootGoal) -> Result<u32>;
    /// Tells whether a card that is gone will never come back, because the driver has taken its node away.
    fn is_removed(&self) -> bool {
        false
    }
}

impl BootControl for Card {
    fn name(&self) -> String {
        Card::name(self).into()
    }

    fn look(&mut self) -> Result<CardInfo> {
        self.info()
    }

    fn order(&mut self, goal: BootGoal) -> Result<u32> {
        match goal {
            BootGoal::Boot => self.order_boot(false),
            BootGoal::BootIfNeeded => self.order_boot(true),
            BootGoal::Loader => self.order_reset(),
        }
    }

    fn is_removed(&self) -> bool {
        !crate::discover::device_directory()
            .join(Card::name(self))
            .exists()
    }
}

/// Orders `goal` and waits until the card has come to it.  `report` is told what the card is after each look, and may
/// break off.
///
/// # Errors
///
/// [`BootError`], which names the card.
pub fn boot_and_wait(
    card: &mut impl BootControl,
    goal: BootGoal,
    options: &BootOptions,
    report: &mut dyn FnMut(&CardInfo) -> ControlFlow<()>,
) -> Result<Booted, BootError> {
    let before = card.look()?;
    let generation = card.order(goal)?;
    let start = Instant::now();
    // Until then the card is what it was before the order.
    let mut taken_up = false;
    let mut running_since = None;
    loop {
        let now = card.look()?;
        let fresh = taken_up || now.state != before.state || start.elapsed() > STALE;
        match (goal, now.state) {
            (BootGoal::Loader, CardState::Loader) if fresh => return Ok(Booted::Now(now)),
            (BootGoal::Boot | BootGoal::BootIfNeeded, CardState::Running)
                if now.generation >= generation =>
            {
                let since = *running_since.get_or_insert_with(Instant::now);
                if !now.firmware_version.is_empty() || since.elapsed() >= IDENTITY {
                    return Ok(if now.generation == before.generation {
                        Booted::Before(now)
                    } else {
                        Booted::Now(now)
                    });
                }
            }
            // A chip may leave the bus for its reset; the driver finds and boots it when it is back.
            (_, CardState::Gone) if card.is_removed() || start.elapsed() >= options.timeout => {
                return Err(BootError::Gone(card.name()));
            }
            (_, CardState::Dead) if fresh => {
                return Err(BootError::Failed {
                    card: card.name(),
                    errno: now.last_error,
                });
            }
            _ => {}
        }
        taken_up |= !matches!(
            now.state,
            CardState::Dead | CardState::Running | CardState::Loader | CardState::Suspect
        );
        if report(&now).is_break() {
            return Err(BootError::Stopped(card.name()));
        }
        if start.elapsed() >= options.timeout {
            return Err(BootError::Late {
                card: card.name(),
                state: now.state,
                after: options.timeout,
            });
        }
        let left = options.timeout.saturating_sub(start.elapsed());
        std::thread::sleep(options.interval.min(left));
    }
}

#[cfg(test)]
#[allow(non_snake_case)]
mod tests {
    use super::*;
    use ax650_uapi::*;

    /// A card that is what a script says, one line per look; the last line stays.
    struct Scripted {
        script: Vec<(u32, u32)>,
        at: usize,
        /// What it says of its firmware at each look, "V1" at the end.
        firmware: &'static [&'static str],
        generation: u32,
        last_error: i32,
        removed: bool,
    }

    impl BootControl for Scripted {
        fn name(&self) -> String {
            "ax650-3".into()
        }

        fn look(&mut self) -> Result<CardInfo> {
            let (state, generation) = self.script[self.at.min(self.script.len() - 1)];
            let mut info = ax650_card_info {
                state,
                generation,
                last_error: self.last_error,
                ..Default::default()
            };
            let firmware = self.firmware.get(self.at).unwrap_or(&"V1");
            info.firmware_version[..firmware.len()].copy_from_slice(firmware.as_bytes());
            self.at += 1;
            Ok(info.into())
        }

        fn order(&mut self, _goal: BootGoal) -> Result<u32> {
            Ok(self.generation)
        }

        fn is_removed(&self) -> bool {
            self.removed
        }
    }

    fn wait(card: &mut Scripted, goal: BootGoal) -> (Result<Booted, BootError>, Vec<CardState>) {
        let options = BootOptions {
            timeout: Duration::from_millis(50),
            interval: Duration::from_millis(1),
        };
        let mut states = Vec::new();
        let result = boot_and_wait(card, goal, &options, &mut |info| {
            states.push(info.state);
            ControlFlow::Continue(())
        });
        (result, states)
    }

    fn run(script: &[(u32, u32)], generation: u32) -> Result<Booted, BootError> {
        wait(&mut scripted(script, generation), BootGoal::Boot).0
    }

    fn scripted(script: &[(u32, u32)], generation: u32) -> Scripted {
        Scripted {
            script: script.to_vec(),
            at: 0,
            firmware: &[],
            generation,
            last_error: -libc::ETIMEDOUT,
            removed: false,
        }
    }

    const LOADER: u32 = AX650_STATE_LOADER;
    const BOOTING: u32 = AX650_STATE_BOOTING;
    const HANDSHAKE: u32 = AX650_STATE_HANDSHAKE;
    const RUNNING: u32 = AX650_STATE_RUNNING;
    const DEAD: u32 = AX650_STATE_DEAD;
    const RESETTING: u32 = AX650_STATE_RESETTING;
    const GONE: u32 = AX650_STATE_GONE;

    #[test]
    fn boots() {
        let script = [
            (RUNNING, 4),
            (RUNNING, 4), // the driver has not begun
            (RESETTING, 4),
            (BOOTING, 4),
            (HANDSHAKE, 4),
            (RUNNING, 5),
        ];
        let (result, states) = wait(&mut scripted(&script, 5), BootGoal::Boot);
        assert!(matches!(result, Ok(Booted::Now(info)) if info.generation == 5));
        assert_eq!(states.len(), 4);
    }

    #[test]
    fn F2_C1_a_dead_card_may_stay_dead_for_a_moment() {
        let script = [
            (DEAD, 3),
            (DEAD, 3),
            (DEAD, 3),
            (RESETTING, 3),
            (RUNNING, 4),
        ];
        assert!(matches!(run(&script, 4), Ok(Booted::Now(info)) if info.generation == 4));
        // But once it has been at work, dead is dead.
        let script = [(DEAD, 3), (DEAD, 3), (RESETTING, 3), (DEAD, 3)];
        assert!(matches!(run(&script, 4), Err(BootError::Failed { .. })));
    }

    #[test]
    fn C2_a_card_that_leaves_the_bus_for_its_reset_comes_back() {
        for goal in [BootGoal::Boot, BootGoal::BootIfNeeded] {
            let script = [
                (RUNNING, 3),
                (RESETTING, 3),
                (GONE, 3),
                (GONE, 3),
                (RUNNING, 4),
            ];
            let (result, _) = wait(&mut scripted(&script, 4), goal);
            assert!(matches!(result, Ok(Booted::Now(info)) if info.generation == 4));
        }
        let mut card = scripted(&[(RUNNING, 3), (GONE, 3)], 4);
        card.removed = true;
        let (result, states) = wait(&mut card, BootGoal::Boot);
        assert!(matches!(result, Err(BootError::Gone(_))));
        assert!(
            states.is_empty(),
            "waited for a card without a node: {states:?}"
        );
    }

    #[test]
    fn C4_waits_until_the_firmware_has_a_name() {
        let mut card = scripted(&[(RUNNING, 4), (RUNNING, 5)], 5);
        card.firmware = &["", "", "", "V3"];
        let (result, _) = wait(&mut card, BootGoal::Boot);
        assert!(matches!(result, Ok(Booted::Now(info)) if info.firmware_version == "V3"));
    }

    #[test]
    fn leaves_alone_what_runs() {
        let mut card = scripted(&[(RUNNING, 4)], 4);
        let (result, _) = wait(&mut card, BootGoal::BootIfNeeded);
        assert!(matches!(result, Ok(Booted::Before(_))));
    }

    #[test]
    fn to_the_loader_and_no_further() {
        let script = [(RUNNING, 4), (RUNNING, 4), (RESETTING, 4), (LOADER, 4)];
        let (result, _) = wait(&mut scripted(&script, 4), BootGoal::Loader);
        assert!(matches!(result, Ok(Booted::Now(info)) if info.state == CardState::Loader));
        // The loader of before the order is not the one that was asked for.
        let script = [(LOADER, 4), (LOADER, 4), (RESETTING, 4), (LOADER, 4)];
        let (result, states) = wait(&mut scripted(&script, 4), BootGoal::Loader);
        assert!(matches!(result, Ok(Booted::Now(_))));
        assert_eq!(states, [CardState::Loader, CardState::Resetting]);
    }

    #[test]
    fn fails_with_name_and_reason() {
        let message = |script: &[(u32, u32)]| run(script, 2).unwrap_err().to_string();
        let dead = message(&[(RUNNING, 1), (DEAD, 1)]);
        assert_eq!(
            dead,
            "ax650-3: the card did not boot: the card did not answer in time; see the kernel log and try `ax650 reset -d ax650-3`"
        );
        assert_eq!(
            message(&[(RUNNING, 1), (GONE, 1)]),
            "ax650-3: the card is gone from the bus"
        );
        let late = message(&[(HANDSHAKE, 1)]);
        assert_eq!(
            late,
            "ax650-3: still handshake after 0.05 s; the boot goes on"
        );
    }

    #[test]
    fn F4_missing_firmware_is_named_with_its_remedy() {
        let mut card = scripted(&[(LOADER, 0), (DEAD, 0)], 1);
        card.last_error = -libc::ENOENT;
        let message = wait(&mut card, BootGoal::Boot).0.unwrap_err().to_string();
        for words in [
            "/lib/firmware/axcl/ax650_card.pac",
            "install it",
            "`ax650 reset -d ax650-3`",
        ] {
            assert!(message.contains(words), "{words}: {message}");
        }
    }

    #[test]
    fn can_be_broken_off() {
        let mut card = scripted(&[(RUNNING, 1), (BOOTING, 1)], 2);
        let options = BootOptions::default();
        let result = boot_and_wait(&mut card, BootGoal::Boot, &options, &mut |_| {
            ControlFlow::Break(())
        });
        assert!(matches!(result, Err(BootError::Stopped(_))));
    }
}
