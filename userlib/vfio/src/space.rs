// SPDX-License-Identifier: GPL-2.0

//! Which bus addresses are in use.

use std::collections::BTreeMap;

/// Pieces begin at multiples of this, which the rings need [pcie 4.2], and which is a multiple of every page size.
pub(crate) const GRAIN: u64 = 0x1_0000;

/// Behind what 32 bits reach, as no IOMMU keeps addresses there for interrupts.
const START: u64 = 1 << 32;
/// Every IOMMU has 39 bits; this is enough.
const END: u64 = 1 << 36;

/// The bus addresses of a container.
#[derive(Default)]
pub(crate) struct Space {
    /// First address and end of each piece.
    used: BTreeMap<u64, u64>,
}

impl Space {
    /// Takes `len` bytes, at the first place with room for them.
    pub(crate) fn take(&mut self, len: u64) -> Option<u64> {
        let len = len.checked_next_multiple_of(GRAIN)?;
        let mut at = START;
        for (&start, &end) in &self.used {
            if start - at >= len {
                break;
            }
            at = end;
        }
        let end = at.checked_add(len).filter(|&end| end <= END)?;
        self.used.insert(at, end);
        Some(at)
    }

    /// Gives a piece back.
    pub(crate) fn give_back(&mut self, start: u64) {
        self.used.remove(&start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_overlap_and_holes_are_filled() {
        let mut space = Space::default();
        let first = space.take(1).unwrap();
        let second = space.take(GRAIN + 1).unwrap();
        let third = space.take(GRAIN).unwrap();
        assert_eq!(
            (first, second, third),
            (START, START + GRAIN, START + 3 * GRAIN)
        );
        space.give_back(second);
        assert_eq!(space.take(3 * GRAIN), Some(START + 4 * GRAIN), "too large");
        assert_eq!(space.take(2 * GRAIN), Some(second));
        assert_eq!(space.take(1), Some(START + 7 * GRAIN));
    }

    #[test]
    fn there_is_an_end() {
        let mut space = Space::default();
        assert_eq!(space.take(END - START + 1), None);
        assert_eq!(space.take(u64::MAX), None);
        assert_eq!(space.take(END - START), Some(START));
        assert_eq!(space.take(1), None);
    }
}
