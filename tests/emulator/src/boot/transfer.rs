// SPDX-License-Identifier: MIT OR Apache-2.0

//! One boot command: DMA between host memory and card memory [pcie 3.4], [pcie 3.5].

use std::time::Instant;

use log::{debug, warn};

use crate::card::Card;
use crate::parts::{BootCommand, CHUNK};

pub(super) const READ_DONE: u32 = 1 << 0;
const READ_FAILED: u32 = 1 << 1;
const WRITE_DONE: u32 = 1 << 13;
const WRITE_FAILED: u32 = 1 << 14;

fn size_fits(card: &Card, command: BootCommand) -> bool {
    let fits = (1..=CHUNK).contains(&command.size);
    if !fits {
        card.refuse(
            "boot_size",
            format_args!("boot transfer of {:#x} bytes", command.size),
        );
    }
    fits
}

/// The card reads host memory.  Gives the status bits to set.
pub(super) fn read(card: &Card, command: BootCommand, dram_is_up: bool) -> u32 {
    let BootCommand {
        source,
        destination,
        size,
        ..
    } = command;
    if !size_fits(card, command) {
        return READ_FAILED;
    }
    if card.switches.take("boot.dma_error") {
        warn!("boot: DMA error on request");
        return READ_FAILED;
    }
    let begin = Instant::now();
    let mut data = vec![0; size as usize];
    if card.host.read(source, &mut data, "boot image").is_err() {
        return READ_FAILED;
    }
    let in_dram = dram_is_up && card.dram.write(destination, &data).is_ok();
    if !in_dram && !card.on_chip.write(destination, &data) {
        let why = if dram_is_up {
            "no memory there"
        } else {
            "only on-chip memory is up yet"
        };
        card.refuse(
            "boot_destination",
            format_args!("boot image to {destination:#x}: {why}"),
        );
        return READ_FAILED;
    }
    card.images.add(destination, &data);
    let took = begin.elapsed().as_micros() as u64;
    card.counters.add("boot.dma_us", took);
    debug!("boot: {size:#x} bytes from bus address {source:#x} to {destination:#x}");
    READ_DONE
}

/// The card writes host memory (crash dump).  Gives the status bits to set.
pub(super) fn write(card: &Card, command: BootCommand) -> u32 {
    let BootCommand {
        source,
        destination,
        size,
        ..
    } = command;
    if !size_fits(card, command) {
        return WRITE_FAILED;
    }
    let Ok(data) = card.dram.read_vec(source, u64::from(size)) else {
        card.refuse(
            "dump_source",
            format_args!("dump of {size:#x} bytes at {source:#x}"),
        );
        return WRITE_FAILED;
    };
    match card.host.write(destination, &data, "crash dump") {
        Ok(()) => WRITE_DONE,
        Err(_) => WRITE_FAILED,
    }
}

/// The bits that the host gets to see, after the switches had their say.
pub(super) fn reported(card: &Card, bits: u32) -> u32 {
    if card.switches.flag("boot.status_never") {
        return 0;
    }
    match card.switches.number("boot.status_fail") {
        Some(mask) => mask as u32,
        None => bits,
    }
}
