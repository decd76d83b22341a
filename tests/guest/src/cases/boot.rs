// SPDX-License-Identifier: MIT OR Apache-2.0

//! Bring-up: from a card in whatever state to one that answers.

use anyhow::{ensure, Result};
use ax650_uapi::*;

use crate::card::Card;
use crate::case::Context;

crate::cases!["boot": ready_after_load];

/// A card boots by itself when the module is loaded, and says who it is.
fn ready_after_load(_: &mut Context) -> Result<()> {
    let info = Card::open(0)?.info()?;
    ensure!(info.abi_version == AX650_ABI_VERSION);
    ensure!(info.state == AX650_STATE_RUNNING);
    ensure!(info.vendor == crate::card::VENDOR);
    ensure!(info.last_error == 0);
    Ok(())
}
