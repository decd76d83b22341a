// SPDX-License-Identifier: GPL-2.0

//! The AXCL user ABI as pure logic [pcie 5], [pcie 7], [pcie 8]: numbers and layouts of the four legacy nodes, the
//! device ids that their users know cards by, and what is known of a transfer by looking on.
//!
//! All layouts are those of LP64; they are the same on all architectures.

pub mod flow;
pub mod host;
pub mod ids;
pub mod mmb;
pub mod msg;
pub mod p2p;
pub mod reach;

use super::bytes::copy;

/// Device ids are below this.
pub const DEVICES: usize = 256;

/// What the ABI calls -1; user space sees it as EPERM.
pub const MINUS_1: i32 = -1;
/// -2, as the ABI has it: no room in the ring, no firmware file, or a chunk timed out. ENOENT.
pub const MINUS_2: i32 = -2;
/// -14: the card failed to take a chunk of firmware. EFAULT.
pub const MINUS_14: i32 = -14;

/// Puts `word` at `at`; nothing if it does not fit.
fn put_u32(out: &mut [u8], at: usize, word: u32) {
    put(out, at, &word.to_le_bytes());
}

/// Writes a 64 bit word at `at`, if there is room.
fn put_u64(out: &mut [u8], at: usize, word: u64) {
    put(out, at, &word.to_le_bytes());
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    let room = at
        .checked_add(bytes.len())
        .and_then(|end| out.get_mut(at..end));
    if let Some(room) = room {
        copy(room, bytes);
    }
}
