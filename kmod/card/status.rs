// SPDX-License-Identifier: GPL-2.0

//! What is known of a card, for `AX650_QUERY_CARD` and sysfs.

use super::error::BootError;
use crate::{
    glue::time::Delta,
    wire::heartbeat::Watch, //
};

/// Facts about a card.
pub(crate) struct Status {
    /// How often the card was lost on the bus since it last ran.
    pub(super) losses: u32,
    /// Why the last boot or recovery has failed.
    pub(super) failure: Option<BootError>,
    pub(super) boot_done: u64,
    pub(super) boot_total: u64,
    pub(super) boot_time: Delta,
    pub(super) boot_reason: u32,
    /// Version field of the container that was sent.
    pub(super) firmware_file: [u8; 32],
    pub(super) firmware_sha256: [u8; 32],
    /// How often the file was known from before.
    pub(super) known_files: u64,
    /// What the card says.
    pub(super) firmware_version: [u8; 64],
    pub(super) chip: [u8; 32],
    pub(super) uid: u64,
    pub(super) watch: Option<Watch>,
    pub(super) heartbeat_id: u32,
    pub(super) heartbeat_interval: u32,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            losses: 0,
            failure: None,
            boot_done: 0,
            boot_total: 0,
            boot_time: Delta::ZERO,
            boot_reason: 0,
            firmware_file: [0; 32],
            firmware_sha256: [0; 32],
            known_files: 0,
            firmware_version: [0; 64],
            chip: [0; 32],
            uid: 0,
            watch: None,
            heartbeat_id: 0,
            heartbeat_interval: 0,
        }
    }
}

/// Copies text into a NUL padded field.
pub(super) fn put_text<const N: usize>(field: &mut [u8; N], text: &[u8]) {
    *field = [0; N];
    for (to, from) in field.iter_mut().zip(text) {
        *to = *from;
    }
}
