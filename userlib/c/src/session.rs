// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sessions.

use std::time::Duration;

use ax650::Session;

use crate::card::ax650_card;
use crate::pointer::{end, give, object, place, take};
use crate::result::ax650_result::{self, *};
use crate::result::{call, Failure};

/// A session: a process of its own on the card, which makes everything else.  Made by ax650_session_open(), ended by
/// ax650_session_free() or ax650_session_close().
pub struct ax650_session(pub(crate) Session);

/// Opens a session on a card.
///
/// @return AX650_ERR_BUSY: the card is not running (yet), or as many sessions are open as can be.
#[no_mangle]
pub unsafe extern "C" fn ax650_session_open(
    card: *const ax650_card,
    out: *mut *mut ax650_session,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let (card, out) = unsafe { (object(card)?, place(out)?) };
        *out = give(ax650_session(card.0.session()?));
        Ok(AX650_OK)
    })
}

/// Ends a handle of a session, without waiting.  The session ends with the last object made from it.
#[no_mangle]
pub unsafe extern "C" fn ax650_session_free(session: *mut ax650_session) {
    // SAFETY: the header's promise.
    unsafe { end(session) }
}

/// Ends a session, waits until the card has given everything back, for `timeout_ms` at most, and tells how that went.
/// The handle is gone in any case.
///
/// @return AX650_ERR_BUSY: there are objects made from it that keep it going.
#[no_mangle]
pub unsafe extern "C" fn ax650_session_close(
    session: *mut ax650_session,
    timeout_ms: u32,
) -> ax650_result {
    call(|| {
        // SAFETY: the header's promise.
        let session = unsafe { take(session) }.ok_or(Failure::Argument("an object is NULL"))?;
        session.0.close(Duration::from_millis(timeout_ms.into()))?;
        Ok(AX650_OK)
    })
}
