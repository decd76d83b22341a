// SPDX-License-Identifier: GPL-2.0

//! Values of the sysfs attributes.

use kernel::str::CString;

use crate::{
    axcl::registry,
    card::Card,
    glue::{
        prelude::*,
        task, //
    },
    link::orders::Order,
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

/// Returns the text of the attribute `name`.
///
/// # Errors
///
/// `ENOMEM`; `EINVAL` there is no such attribute.
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
        _ => return Err(EINVAL),
    })
}
