// SPDX-License-Identifier: MIT OR Apache-2.0

//! The report at the end (`--report`).

use std::io;
use std::path::Path;

use ax650_emu::card::Card;
use ax650_emu::control;
use serde_json::json;

/// Writes what tests want to know of `card` to `file`.
pub fn write(file: &Path, card: &Card) -> io::Result<()> {
    let report = json!({
        "counters": card.counters.snapshot(false),
        "faults": card.host.faults(false),
        "images": card.images.report(),
        "state": control::state(card),
        "daemon": card.service.report(),
    });
    std::fs::write(file, format!("{report:#}\n"))
}
