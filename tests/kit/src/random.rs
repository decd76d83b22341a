// SPDX-License-Identifier: MIT OR Apache-2.0

//! Random numbers that can be had again: all come from one seed, which goes to the console.

use crate::kernel;

/// Variable that holds the seed, for a case to do again what it did before.
pub const SEED: &str = "AX650_SEED";

/// Returns the seed that was asked for, or a new one, and prints it with the command that repeats it.
pub fn seed(case: &str) -> u64 {
    let wanted = std::env::var(SEED).ok();
    let seed = wanted.and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| kernel::now_ns() | 1);
    eprintln!("{case}: seed {seed}; again with SEED={seed}");
    seed
}

/// xorshift64*.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        // A state of 0 stays, and small ones take long to become random.
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..8 {
            random.any();
        }
        random
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

    /// Returns true once in `n` times.
    pub fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Returns one of the list.
    pub fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }

    /// Returns a number that is mostly small, sometimes at an edge, sometimes anything.
    pub fn number(&mut self) -> u64 {
        match self.below(8) {
            0..=3 => self.below(8),
            4 => self.of(&[
                0xff,
                0x100,
                0x7fff_ffff,
                0x8000_0000,
                0xffff_ffff,
                1 << 32,
                u64::MAX,
            ]),
            5 => self.below(1 << 16),
            6 => 1 << self.below(64),
            _ => self.any(),
        }
    }
}
