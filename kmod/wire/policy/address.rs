// SPDX-License-Identifier: GPL-2.0

//! Card addresses in requests.
//!
//! The card reaches host memory through windows in its own address space ([pcie 2.4], [pcie 12.1]: from
//! 0x5100_0000), the first of which shows the message rings of all sessions. A client that could
//! make the card copy from or to there would read and forge the messages of others. So addresses
//! have to lie in card memory proper.

use super::Refusal;

/// Start of card DRAM [pcie 3.1].
pub const DRAM_BASE: u64 = 0x1_0000_0000;
/// End of what may be DRAM: 32 GiB, twice that of any known card, and few enough bits that no part
/// of the card cuts the address down to one outside.
pub const DRAM_END: u64 = DRAM_BASE + (32 << 30);

/// Where the windows to the host are, and some space before and behind them for structures of
/// unknown layout, in which address and size cannot be put together.
pub const WINDOWS: core::ops::Range<u64> = 0x5000_0000..0x5400_0000;

/// Returns whether `size` bytes at `address` are in card memory.
pub fn is_card_range(address: u64, size: u64) -> bool {
    (DRAM_BASE..DRAM_END).contains(&address)
        && address.checked_add(size).is_some_and(|end| end <= DRAM_END)
}

/// Checks [`is_card_range`], with a refusal as the error.
pub fn check_card_range(address: u64, size: u64) -> Result<(), Refusal<'static>> {
    if is_card_range(address, size) {
        Ok(())
    } else {
        Err(Refusal::Address(address))
    }
}
