// SPDX-License-Identifier: GPL-2.0

//! Checks that a range of bus addresses lies in memory that somebody owns.

/// Returns whether `[address, address + length)` is covered by `pieces` (first address and length
/// of each), without a gap. Pieces may touch, and come in any order.
pub fn covered<I>(pieces: impl Fn() -> I, address: u64, length: u32) -> bool
where
    I: Iterator<Item = (u64, u32)>,
{
    let Some(end) = address.checked_add(length.into()) else {
        return false;
    };
    let mut at = address;
    while at < end {
        let next = pieces()
            .filter_map(|(bus, len)| Some((bus, bus.checked_add(len.into())?)))
            .filter(|&(first, last)| (first..last).contains(&at))
            .map(|(_, last)| last)
            .max();
        match next {
            Some(next) => at = next,
            None => return false,
        }
    }
    true
}

/// Returns what two ranges (first address and length) have in common.
pub fn overlap(a: (u64, u32), b: (u64, u32)) -> Option<(u64, u32)> {
    let end = |(bus, len): (u64, u32)| bus.saturating_add(len.into());
    let from = a.0.max(b.0);
    let len = end(a).min(end(b)).checked_sub(from)?;
    // No longer than the shorter of the two.
    let len = u32::try_from(len).ok()?;
    (len > 0).then_some((from, len))
}
