// SPDX-License-Identifier: MIT OR Apache-2.0

//! A card in the same process, for tests.

use ax650::fake::FakeCard;

use crate::card::ax650_card;
use crate::pointer::{give, place};
use crate::result::ax650_result::{self, *};
use crate::result::call;

/// Opens a card that is made of a few data structures.
#[no_mangle]
pub unsafe extern "C" fn ax650_card_open_fake(out: *mut *mut ax650_card) -> ax650_result {
    call(|| {
        // SAFETY: as that of all functions of the header.
        let out = unsafe { place(out) }?;
        *out = give(ax650_card(FakeCard::new().open()));
        Ok(AX650_OK)
    })
}
