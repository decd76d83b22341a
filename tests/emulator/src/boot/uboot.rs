// SPDX-License-Identifier: MIT OR Apache-2.0

//! State L2: U-Boot [pcie 3.5], [pcie 3.6].

use std::time::Duration;

use ax650_emu_api::Dram;
use log::info;

use super::transfer::{self, READ_DONE};
use crate::card::Card;
use crate::parts::{BootCommand, Generation, Interrupted};

const READ: u32 = 1 << 3;
const WRITE: u32 = 1 << 4;

/// How long a stale success stands before its command is picked up (switch `boot.stale_done`).
const STALE: Duration = Duration::from_millis(20);

enum Next {
    Serve(BootCommand),
    Stale,
    Finish,
}

/// Serves commands until the host sets finish.
pub fn serve(card: &Card, generation: Generation) -> Result<(), Interrupted> {
    if let Some(ms) = card.switches.number("uboot.slow_ms") {
        card.pause(generation, Duration::from_millis(ms))?;
    }
    let mut stale_given = false;
    loop {
        let next = card.wait(generation, || {
            if card.bar0.finished() {
                return Some(Next::Finish);
            }
            let stale = card.switches.flag("boot.stale_done") && !stale_given;
            if stale && card.bar0.has_command() {
                return Some(Next::Stale);
            }
            card.bar0.take_command().map(Next::Serve)
        })?;
        match next {
            Next::Finish => break,
            Next::Stale => {
                card.bar0.add_status(READ_DONE);
                card.pause(generation, STALE)?;
                stale_given = true;
            }
            Next::Serve(command) => {
                stale_given = false;
                step(card, command);
            }
        }
    }
    if card
        .images
        .list()
        .iter()
        .all(|image| image.destination < Dram::BASE)
    {
        card.refuse(
            "finish",
            format_args!("finish without any image in DRAM: nothing to start"),
        );
        return Err(card.hang(generation));
    }
    for image in card.images.list() {
        info!(
            "U-Boot: image at {:#x}, {} bytes",
            image.destination, image.size
        );
    }
    info!("U-Boot: finish, starting the kernel");
    Ok(())
}

fn step(card: &Card, command: BootCommand) {
    card.counters.hit("boot.commands");
    let bits = if command.bits & READ != 0 {
        transfer::read(card, command, true)
    } else if command.bits & WRITE != 0 {
        transfer::write(card, command)
    } else {
        card.refuse(
            "boot_command",
            format_args!("U-Boot: command {:#x}", command.bits),
        );
        0
    };
    card.bar0.add_status(transfer::reported(card, bits));
}
