// SPDX-License-Identifier: MIT OR Apache-2.0

//! The mind of a card that is out to harm its host: what it does next is random, by the seed that the switch has.

use parking_lot::Mutex;

/// xorshift64*.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Returns any number.
    pub fn any(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Returns a number below `n`, which is not 0.
    pub fn below(&mut self, n: u64) -> u64 {
        self.any() % n
    }

    /// Returns a number that is mostly small, sometimes at an edge, sometimes anything.
    pub fn number(&mut self) -> u64 {
        match self.below(6) {
            0..=2 => self.below(300),
            3 => 1 << self.below(64),
            4 => (1_u64 << self.below(64)).wrapping_sub(1),
            _ => self.any(),
        }
    }

    /// Returns so many bytes.
    pub fn bytes(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| self.any() as u8).collect()
    }
}

/// The dice of the present seed.
#[derive(Debug, Default)]
pub struct Hostility(Mutex<Option<(u64, Dice)>>);

impl Hostility {
    /// Runs `what` with the dice of `seed`; not without one.
    pub fn with<T>(&self, seed: Option<u64>, what: impl FnOnce(&mut Dice) -> T) -> Option<T> {
        let mut state = self.0.lock();
        let Some(seed) = seed else {
            *state = None;
            return None;
        };
        if state.as_ref().is_none_or(|(old, _)| *old != seed) {
            *state = Some((seed, Dice::new(seed)));
        }
        state.as_mut().map(|(_, dice)| what(dice))
    }
}
