// SPDX-License-Identifier: MIT OR Apache-2.0

//! Decisions of a generator: random ones, recorded, so that a sequence that did something new can be played again
//! with changes.

use crate::random::Random;

/// Longest tape that is kept.
const LONGEST: usize = 4000;

/// A source of decisions.
pub(super) struct Tape {
    /// Decisions of an earlier sequence, with changes; when they are over the rest is random.
    old: Vec<u64>,
    random: Random,
    /// All decisions so far.
    pub(super) made: Vec<u64>,
}

impl Tape {
    pub(super) fn new(seed: u64, old: Vec<u64>) -> Self {
        Self {
            old,
            random: Random::new(seed),
            made: Vec::new(),
        }
    }

    pub(super) fn any(&mut self) -> u64 {
        let old = self.old.get(self.made.len()).copied();
        let decision = old.unwrap_or_else(|| self.random.any());
        if self.made.len() < LONGEST {
            self.made.push(decision);
        }
        decision
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.any() % n as u64) as usize
    }

    pub(super) fn once_in(&mut self, n: usize) -> bool {
        // What plain zeros decide is the usual thing.
        self.below(n) == n - 1
    }

    pub(super) fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    /// One of a list of what there is, if there is any.
    pub(super) fn held<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        (!list.is_empty()).then(|| self.of(list))
    }

    pub(super) fn number(&mut self) -> u64 {
        let decision = self.any();
        Random::new(decision).number()
    }
}

/// Changes a tape in some places.
pub(super) fn mutate(tape: &[u64], other: &[u64], random: &mut Random) -> Vec<u64> {
    let mut tape = tape.to_vec();
    for _ in 0..=random.below(4) {
        if tape.is_empty() {
            break;
        }
        let at = random.below(tape.len() as u64) as usize;
        match random.below(6) {
            0 => tape[at] = random.any(),
            1 => tape[at] = tape[at].wrapping_add(1),
            2 => drop(tape.remove(at)),
            3 => tape.insert(at, random.any()),
            4 => tape.truncate(at),
            _ => {
                let from = random.below(other.len().max(1) as u64) as usize;
                tape.truncate(at);
                tape.extend(other.iter().skip(from));
            }
        }
    }
    tape
}
