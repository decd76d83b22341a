// SPDX-License-Identifier: GPL-2.0

//! Values of the sysfs attributes.

use kernel::str::CString;

use crate::{
    axcl::registry,
    card::{
        telemetry::MAX_AGE,
        Card, //
    },
    glue::{
        prelude::*,
        task, //
    },
    link::orders::Order,
    uapi::{
        Telemetry,
        TELEMETRY_CMM, //
    },
    wire::bytes::Text, //
};

/// Writes `1` to `reset` or `boot`: orders it.
///
/// # Errors
///
/// `EPERM` without `CAP_SYS_ADMIN`; `ENODEV` the card is gone; `EBUSY` another order stands or is under way.
pub(crate) fn control(card: &Card, reset: bool) -> Result {
    if !task::is_admin() {
        return Err(EPERM);
    }
    let order = if reset { Order::Reset } else { Order::Boot };
    card.order(order)?;
    Ok(())
}

/// Asks the card for its memory.
fn memory(card: &Card) -> Result<Telemetry> {
    let telemetry = card.telemetry(MAX_AGE)?;
    if telemetry.valid & TELEMETRY_CMM == 0 {
        return Err(ENODATA);
    }
    Ok(telemetry)
}

/// Returns the text of the attribute `name`.
///
/// # Errors
///
/// `ENOMEM`; `EINVAL` there is no such attribute; those of [`Card::telemetry`] and `ENODATA` for what only the card knows.
pub(crate) fn show(card: &Card, name: &[u8]) -> Result<CString> {
    let info = card.info();
    Ok(match name {
        b"state" => CString::try_from_fmt(fmt!("{}\n", card.state().name()))?,
        b"generation" => CString::try_from_fmt(fmt!("{}\n", info.generation))?,
        b"firmware_version" => {
            CString::try_from_fmt(fmt!("{}\n", Text::new(&info.firmware_version)))?
        }
        b"firmware_sha256" => {
            let mut hex: KVec<u8> = KVec::new();
            for byte in info.firmware_sha256 {
                for digit in [byte >> 4, byte & 15] {
                    let c = char::from_digit(digit.into(), 16).unwrap_or('?');
                    hex.push(c as u8, GFP_KERNEL)?;
                }
            }
            CString::try_from_fmt(fmt!("{}\n", Text::new(&hex)))?
        }
        // -1: there was none.
        b"heartbeat_age_ms" if info.heartbeat_age_ns == u64::MAX => {
            CString::try_from_fmt(fmt!("-1\n"))?
        }
        b"heartbeat_age_ms" => {
            CString::try_from_fmt(fmt!("{}\n", info.heartbeat_age_ns / 1_000_000))?
        }
        b"sessions" => {
            let programs = registry::clients_of(card).map_or(0, |clients| clients.count());
            let sessions = card.sessions.of_clients().count() + programs;
            CString::try_from_fmt(fmt!("{}\n", sessions))?
        }
        b"last_error" => CString::try_from_fmt(fmt!("{}\n", info.last_error))?,
        b"npu_busy_time_us" => {
            CString::try_from_fmt(fmt!("{}\n", card.link.npu.total_ns() / 1000))?
        }
        b"npu_memory_total" => CString::try_from_fmt(fmt!("{}\n", memory(card)?.cmm_total))?,
        b"npu_memory_utilization" => CString::try_from_fmt(fmt!("{}\n", memory(card)?.cmm_used))?,
        _ => return Err(EINVAL),
    })
}
