// SPDX-License-Identifier: GPL-2.0

//! `/dev/msg_userdev` [pcie 8.2]. Requests are told apart by type and number; all have the same
//! argument.

use super::{
    put_u32,
    DEVICES, //
};
use crate::wire::{
    bytes::u32_at,
    header::PORT_COUNT, //
};

/// Type of all requests.
pub const TYPE: u32 = b'M' as u32;
/// Connect this file to a port of a card.
pub const CONNECT: u32 = 1;
/// Wait until a card can be talked to.
pub const CHECK: u32 = 2;
/// The host's own id.
pub const LOCAL_ID: u32 = 4;
/// Ids of all cards.
pub const REMOTE_IDS: u32 = 5;
/// Initialise the argument.
pub const INIT: u32 = 6;
/// Reset a card.
pub const RESET: u32 = 7;
/// Tell pollers of this file to go.
pub const STOP: u32 = 8;

/// Bytes of the argument.
pub const SIZE: usize = 1032;

/// The port that means none.
const NO_PORT: u32 = PORT_COUNT.wrapping_add(1);
const REMOTES: usize = 8;

/// Reads device and port that the argument names, if they can exist; both are signed there.
pub fn target(bytes: &[u8; SIZE]) -> Option<(u32, u32)> {
    let (device, port) = (device(bytes)?, u32_at(bytes, 4)?);
    (port < PORT_COUNT).then_some((device, port))
}

/// Reads the device that the argument names, if it can be a card.
pub fn device(bytes: &[u8; SIZE]) -> Option<u32> {
    let device = u32_at(bytes, 0)?;
    (1..DEVICES as u32).contains(&device).then_some(device)
}

/// Puts ids of cards in; what is behind them stays as the caller had it.
pub fn put_remotes(ids: impl Iterator<Item = u32>, bytes: &mut [u8; SIZE]) {
    for (n, id) in ids.take(DEVICES).enumerate() {
        put_u32(bytes, n.saturating_mul(4).saturating_add(REMOTES), id);
    }
}

/// Sets the argument to "no device, no port, no remotes".
pub fn init(bytes: &mut [u8; SIZE]) {
    bytes.fill(0xFF);
    put_u32(bytes, 4, NO_PORT);
}
