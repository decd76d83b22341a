// SPDX-License-Identifier: MIT OR Apache-2.0

//! The account of the pictures that are in an encoder, and of the memory that they lie in.
//!
//! Nothing that the card may still read, or that a copy may still be written to, is given to others.

use std::collections::VecDeque;

/// First of the numbers that pictures carry, unlike any that others would give them.
const FIRST: u64 = 0xA650_0000_0000_0001;

/// Pictures in an encoder, in the order in which they were sent.
#[derive(Debug)]
pub(super) struct Inside<S> {
    next: u64,
    entries: VecDeque<Entry<S>>,
    /// Sources that nobody may touch any more.
    kept: Vec<S>,
}

#[derive(Debug)]
struct Entry<S> {
    number: u64,
    pts: u64,
    source: S,
    /// Nobody knows whether the card has taken it.
    doubtful: bool,
}

impl<S> Default for Inside<S> {
    fn default() -> Self {
        Self {
            next: FIRST,
            entries: VecDeque::new(),
            kept: Vec::new(),
        }
    }
}

impl<S> Inside<S> {
    /// Books a picture before it is sent, as its packet may be received at once.  The number goes with the picture.
    pub fn book(&mut self, pts: u64, source: S) -> u64 {
        let number = self.next;
        self.next += 1;
        self.entries.push_back(Entry {
            number,
            pts,
            source,
            doubtful: false,
        });
        number
    }

    /// Takes out a picture that the card has not taken, and returns its source.
    pub fn refused(&mut self, number: u64) -> Option<S> {
        let at = self.position(number)?;
        self.entries.remove(at).map(|entry| entry.source)
    }

    /// Notes that the card may or may not have taken the picture.
    pub fn doubt(&mut self, number: u64) {
        if let Some(at) = self.position(number) {
            self.entries[at].doubtful = true;
        }
    }

    /// Notes that the packet of a picture has come, with the picture's number if the card hands that through.  Gives out
    /// the sources that are free now.
    pub fn came(&mut self, number: u64, pts: u64) -> Vec<S> {
        let by_time = |entries: &VecDeque<Entry<S>>| entries.iter().position(|e| e.pts == pts);
        let Some(at) = self
            .position(number)
            .or_else(|| by_time(&self.entries))
            .or((!self.entries.is_empty()).then_some(0))
        else {
            return Vec::new();
        };
        let mut free = Vec::with_capacity(at + 1);
        // Encoders keep the order: the packets of those ahead are lost.
        for (index, entry) in self.entries.drain(..=at).enumerate() {
            // What was not taken may be the target of a copy that was given up and still goes on.
            if entry.doubtful && index < at {
                self.kept.push(entry.source);
            } else {
                free.push(entry.source);
            }
        }
        free
    }

    /// Pictures that the card has for sure.
    pub fn pending(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.doubtful).count()
    }

    /// Pictures of which that is not known, and never will be of some.
    pub fn doubtful(&self) -> usize {
        self.entries.len() - self.pending() + self.kept.len()
    }

    /// Tells whether all sources are free.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.kept.is_empty()
    }

    /// Takes out all sources, when the encoder is no more.
    pub fn take_all(&mut self) -> Vec<S> {
        let entries = self.entries.drain(..).map(|entry| entry.source);
        self.kept.drain(..).chain(entries).collect()
    }

    fn position(&self, number: u64) -> Option<usize> {
        self.entries.iter().position(|e| e.number == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> (Inside<char>, [u64; 3]) {
        let mut inside = Inside::default();
        let numbers = [('a', 10), ('b', 20), ('c', 30)].map(|(s, pts)| inside.book(pts, s));
        (inside, numbers)
    }

    #[test]
    fn packets_in_order() {
        let (mut inside, numbers) = three();
        assert_eq!(inside.came(numbers[0], 0), ['a']);
        // A card that does not hand the number through.
        assert_eq!(inside.came(0, 20), ['b']);
        assert_eq!(inside.came(0, 77), ['c']);
        assert!(inside.came(0, 77).is_empty());
        assert_eq!(inside.pending(), 0);
    }

    /// U6: the packet of the second picture, that of the first was lost.
    #[test]
    fn u6_a_lost_packet_does_not_shift_the_account() {
        let (mut inside, numbers) = three();
        assert_eq!(inside.came(numbers[1], 20), ['a', 'b']);
        assert_eq!((inside.pending(), inside.doubtful()), (1, 0));
        let (mut inside, _) = three();
        assert_eq!(inside.came(0, 20), ['a', 'b']);
    }

    #[test]
    fn u6_what_may_be_written_to_is_given_to_nobody() {
        let (mut inside, numbers) = three();
        inside.doubt(numbers[1]);
        assert_eq!((inside.pending(), inside.doubtful()), (2, 1));
        assert_eq!(inside.came(numbers[2], 30), ['a', 'c']);
        assert_eq!((inside.pending(), inside.doubtful()), (0, 1));
        assert_eq!(inside.take_all(), ['b']);
        // It was taken after all.
        let (mut inside, numbers) = three();
        inside.doubt(numbers[1]);
        assert_eq!(inside.came(numbers[1], 20), ['a', 'b']);
        assert_eq!((inside.pending(), inside.doubtful()), (1, 0));
        assert_eq!(inside.refused(numbers[2]), Some('c'));
        // Its packet came before the answer to the send.
        inside.doubt(numbers[2]);
        assert_eq!(inside.refused(numbers[2]), None);
    }
}
