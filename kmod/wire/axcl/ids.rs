// SPDX-License-Identifier: GPL-2.0

//! Device ids of the AXCL ABI: 8 bits, the card's bus number where that is free ([pcie 1.7], R01).

use super::DEVICES;

/// Set of the ids that are taken.
pub struct Ids([bool; DEVICES]);

impl Ids {
    /// Takes the ids in `taken`. 0 is the host's own and never a card's.
    pub fn new(taken: impl Iterator<Item = u32>) -> Self {
        let mut ids = [false; DEVICES];
        for id in core::iter::once(0).chain(taken) {
            if let Some(id) = ids.get_mut(id as usize) {
                *id = true;
            }
        }
        Self(ids)
    }

    /// Returns the id for a card on `bus`: the number of the bus, else the highest that nobody has,
    /// as small bus numbers are the likely ones of cards to come. `None` if there are 255 cards.
    pub fn choose(&self, bus: u32) -> Option<u32> {
        if self.0.get(bus as usize) == Some(&false) {
            return Some(bus);
        }
        let highest = self.0.iter().rposition(|taken| !taken)?;
        u32::try_from(highest).ok()
    }
}
