// SPDX-License-Identifier: MIT OR Apache-2.0

//! Several requests under way at a time, from one thread.

use std::collections::VecDeque;

use crate::failure::Failure;
use crate::interrupt;

/// Does `count` requests on `places` in turn, one at a time on each: a place's next begins when its last has ended.
pub fn in_turn<'a, T, P>(
    places: &'a [T],
    count: usize,
    start: impl Fn(&'a T) -> Result<P, Failure>,
    mut end: impl FnMut(&'a T, P) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut under_way: VecDeque<(&T, P)> = VecDeque::new();
    for place in places.iter().cycle().take(count) {
        interrupt::check()?;
        if under_way.len() == places.len() {
            if let Some((place, pending)) = under_way.pop_front() {
                end(place, pending)?;
            }
        }
        under_way.push_back((place, start(place)?));
    }
    under_way
        .into_iter()
        .try_for_each(|(place, pending)| end(place, pending))
}
