// SPDX-License-Identifier: MIT OR Apache-2.0

//! The report at the end (`--report`).

use std::fs::File;
use std::io::{self, Write};

use ax650_emu::card::Card;
use ax650_emu::control;
use serde_json::json;

/// Writes what tests want to know of `card` to `file`.
pub fn write(mut file: File, card: &Card) -> io::Result<()> {
    let report = json!({
        "counters": control::counters(card, false),
        "faults": control::faults(card, false),
        "images": card.images.report(),
        "state": control::state(card),
        "daemon": card.service.report(),
    });
    writeln!(file, "{report:#}")
}
