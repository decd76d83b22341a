// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whatever a bus can do to a card, at whatever moment: the card runs again by itself, and nobody hangs.
//!
//! A case for each event (`events.rs`); what the card is doing then (`moments.rs`) is a loop in it: idle and in a
//! copy in `make test`, all moments in `make soak`.

mod events;
mod faults;
mod memory;
mod moments;

use anyhow::{ensure, Context as _, Result};

use crate::case::{rounds, skip, soaks, Context, SWITCH};
use events::Event;
use faults::*;
use memory::*;
use moments::{Moment, Witness};

/// How often an event is tried that comes after the moment it is to meet.
const TRIES: u32 = 4;

/// Lists an event as a case.
macro_rules! events {
    ($($name:ident = $event:ident),* $(,)?) => {
        $(
            fn $name(context: &mut Context) -> Result<()> {
                strike(context, &events::$event)
            }
        )*
    };
}

events! {
    K7_correctable_error = CORRECTABLE,
    K7_nonfatal_error = NONFATAL,
    K7_fatal_error = FATAL,
    K7_silent_bus = ONES,
    K10_reset_by_itself = OWN_RESET,
    function_level_reset = FLR,
    power_state_reset = PM_RESET,
    bus_reset = BUS_RESET,
    reset_of_the_bridge = BRIDGE_RESET,
    remove_and_rescan = REMOVE,
    unbind_and_bind = UNBIND,
    other_driver_and_back = OVERRIDE,
    K21_suspend_to_idle = FREEZE,
    K21_suspend_to_memory = MEMORY,
    K21_hibernation = DISK,
}

crate::cases!["bus":
    K7_correctable_error { timeout_s: 60, soak_s: 1500 },
    K7_nonfatal_error { timeout_s: 120, soak_s: 3000 },
    K7_fatal_error { timeout_s: 120, soak_s: 3000 },
    K7_silent_bus { timeout_s: 120, soak_s: 5000 },
    K10_reset_by_itself { timeout_s: 120, soak_s: 3000 },
    function_level_reset { timeout_s: 120, soak_s: 3000 },
    power_state_reset { timeout_s: 120, soak_s: 3000 },
    bus_reset { timeout_s: 120, soak_s: 3000 },
    reset_of_the_bridge { timeout_s: 120, soak_s: 3000 },
    remove_and_rescan { timeout_s: 120, soak_s: 3000 },
    unbind_and_bind { timeout_s: 120, soak_s: 3000 },
    other_driver_and_back { timeout_s: 120, soak_s: 3000 },
    K21_suspend_to_idle { timeout_s: 120, soak_s: 5000 },
    K21_suspend_to_memory { timeout_s: 120, soak_s: 5000 },
    K21_hibernation { timeout_s: 150, soak_s: 6000 },
    K7_unbind_while_the_bus_is_silent { timeout_s: 90 },
    K7_recovery_that_the_kernel_gives_up { timeout_s: 90, machines: &[SWITCH] },
    K10_no_access_to_a_card_that_has_reset_itself { timeout_s: 90, soak_s: 900 },
    K10_addresses_are_wiped,
    K21_a_card_that_is_down_stays_down { timeout_s: 120 },
    K3_no_memory_for_the_quarantine { kernels: &["debug"] },
    K22_probe_fails_anywhere {
        timeout_s: 120,
        soak_s: 1500,
        kernels: &["debug"],
        // The kernel goes without files of an interrupt that it got no memory for, but removes them; kmemleak looks at the
        // whole of what it got no memory for to look at a part of.
        allow: &["remove_proc_entry", "kmemleak: Cannot allocate a scan area"],
    },
    K23_deadlines_are_watched_from_the_start { soak_s: 600 },
    K26_sessions_end_without_memory { kernels: &["debug"] },
    K28_later_changes_of_the_configuration_stay,
    K30_sessions_that_take_long { timeout_s: 120 },
];

/// Has an event happen at the moments, and sees that all is well after each.
fn strike(context: &mut Context, event: &Event) -> Result<()> {
    if let Some(why) = (event.missing)()? {
        return skip(why);
    }
    let moments = if soaks() { Moment::ALL } else { Moment::USUAL };
    for round in 0..rounds(2, 50) {
        for &moment in moments {
            let what = || format!("{moment:?}, round {round}");
            let mut met = false;
            for _ in 0..TRIES {
                met = meet(context, event, moment).with_context(what)?;
                if met {
                    break;
                }
                eprintln!("{}: it came too late", what());
            }
            ensure!(met, "{}: it came too late {TRIES} times", what());
        }
    }
    Ok(())
}

/// Has an event happen at a moment once, and returns whether it came in time.
fn meet(context: &mut Context, event: &Event, moment: Moment) -> Result<bool> {
    let witness = Witness::at(context, moment)?;
    (event.happen)(context)?;
    context.host.clear(0)?;
    witness.see(event.effect)
}
