// SPDX-License-Identifier: MIT OR Apache-2.0

//! A card in the same process, for tests.

use std::ffi::c_char;

use ax650::fake::{model_image, FakeCard};
use ax650::proto::axclrpc::engine::{IoMeta, Meta, OneMeta};

use crate::card::ax650_card;
use crate::pointer::{give, place, text};
use crate::result::ax650_result::{self, *};
use crate::result::{call, Failure};

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

/// Writes a model for such a card to a file; it adds 1 to 16 bytes.
#[no_mangle]
pub unsafe extern "C" fn ax650_fake_model(path: *const c_char) -> ax650_result {
    let tensor = |name: &str| Meta {
        name: name.into(),
        layout: 1,
        format: 4,
        groups: vec![OneMeta {
            size: 16,
            dims: vec![1, 16],
            stride: Vec::new(),
        }],
    };
    call(|| {
        // SAFETY: as that of all functions of the header.
        let path = unsafe { text(path) }?;
        let image = model_image(&IoMeta {
            inputs: vec![tensor("x")],
            outputs: vec![tensor("y")],
        });
        let written = std::fs::write(path, image);
        written.map_err(|error| Failure::Told(AX650_ERR_OTHER, format!("{path}: {error}")))?;
        Ok(AX650_OK)
    })
}
