// SPDX-License-Identifier: MIT OR Apache-2.0

//! State L1: the first-stage loader [pcie 3.5].

use log::info;

use super::transfer::{self, READ_DONE};
use crate::card::Card;
use crate::parts::{Generation, Interrupted};

const READ: u32 = 1 << 3;

/// Serves commands until an image has been read; then control passes to it.
pub fn load(card: &Card, generation: Generation) -> Result<(), Interrupted> {
    loop {
        let command = card.wait(generation, || {
            if card.switches.flag("loader.stuck") {
                return None;
            }
            card.bar0.take_command()
        })?;
        card.counters.hit("boot.commands");
        card.bar0.clear_status();
        if command.bits & READ == 0 {
            card.refuse(
                "boot_command",
                format_args!("loader: command {:#x}", command.bits),
            );
            continue;
        }
        // The images of the boot before were kept until now.
        card.images.clear();
        let bits = transfer::read(card, command, false);
        card.bar0.add_status(transfer::reported(card, bits));
        if bits == READ_DONE {
            info!("loader: jumping to {:#x}", command.destination);
            return Ok(());
        }
    }
}
