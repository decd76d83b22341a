// SPDX-License-Identifier: GPL-2.0

//! Values of the sysfs attributes.

use kernel::{bindings, page::PAGE_SIZE, prelude::*, str::CString};

use crate::{axcl::registry, glue::adapter, link::orders::Order, wire::bytes::Text, Driver};

// The empty structs that bindgen makes of opaque types are behind pointers only.
#[allow(improper_ctypes)]
extern "C" {
    static mut ax650_groups: [*const bindings::attribute_group; 2];
}

/// The attribute groups of the device.
pub(crate) fn groups() -> *mut *const bindings::attribute_group {
    (&raw mut ax650_groups).cast()
}

/// `enum ax650_attribute`.
mod attribute {
    pub(super) const STATE: u32 = 0;
    pub(super) const GENERATION: u32 = 1;
    pub(super) const FIRMWARE_VERSION: u32 = 2;
    pub(super) const FIRMWARE_SHA256: u32 = 3;
    pub(super) const HEARTBEAT_AGE: u32 = 4;
    pub(super) const SESSIONS: u32 = 5;
    pub(super) const LAST_ERROR: u32 = 6;
}

fn value(card: &crate::card::Card, number: u32) -> Result<CString> {
    let info = card.info();
    Ok(match number {
        attribute::STATE => CString::try_from_fmt(fmt!("{}\n", card.state().name()))?,
        attribute::GENERATION => CString::try_from_fmt(fmt!("{}\n", info.generation))?,
        attribute::FIRMWARE_VERSION => {
            CString::try_from_fmt(fmt!("{}\n", Text::new(&info.firmware_version)))?
        }
        attribute::FIRMWARE_SHA256 => {
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
        attribute::HEARTBEAT_AGE if info.heartbeat_age_ns == u64::MAX => {
            CString::try_from_fmt(fmt!("-1\n"))?
        }
        attribute::HEARTBEAT_AGE => {
            CString::try_from_fmt(fmt!("{}\n", info.heartbeat_age_ns / 1_000_000))?
        }
        attribute::SESSIONS => {
            let programs = registry::clients_of(card).map_or(0, |clients| clients.count());
            let sessions = card.sessions.of_clients()?.len() + programs;
            CString::try_from_fmt(fmt!("{}\n", sessions))?
        }
        attribute::LAST_ERROR => CString::try_from_fmt(fmt!("{}\n", info.last_error))?,
        _ => return Err(EINVAL),
    })
}

/// `show` of all attributes.
///
/// # Safety
///
/// `dev` is bound to the driver; `buf` is the page that sysfs gives.
#[no_mangle]
unsafe extern "C" fn ax650_attribute_show(
    dev: *mut bindings::device,
    number: u32,
    buf: *mut u8,
) -> isize {
    // SAFETY: the attributes exist only while the driver is bound.
    let data = unsafe { adapter::data::<Driver>(dev) };
    match value(&data.card, number) {
        Ok(text) => {
            let bytes = text.to_bytes();
            let len = bytes.len().min(PAGE_SIZE - 1);
            // SAFETY: `buf` has a page.
            unsafe { buf.copy_from_nonoverlapping(bytes.as_ptr(), len) };
            len as isize
        }
        Err(e) => e.to_errno() as isize,
    }
}

/// `store` of `control`; only root can open it.
///
/// # Safety
///
/// `dev` is bound to the driver.
#[no_mangle]
unsafe extern "C" fn ax650_attribute_control(dev: *mut bindings::device, reset: bool) -> c_int {
    // SAFETY: the attributes exist only while the driver is bound.
    let data = unsafe { adapter::data::<Driver>(dev) };
    let order = if reset { Order::Reset } else { Order::Boot };
    data.card
        .order(order)
        .map_or_else(|e| Error::from(e).to_errno(), |_| 0)
}
