// SPDX-License-Identifier: MIT OR Apache-2.0

//! Card memory in use: ranges that the card's own work reads or writes, so that memory which a host
//! frees too early is noticed, and not written any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::CmmBlock;

/// A range in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// First card address.
    pub address: u64,
    /// Bytes.
    pub len: u64,
    /// Session (first port) whose work it is.
    pub owner: u32,
    /// What it is used for.
    pub what: String,
}

/// A range that was freed while it was in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreedInUse {
    /// The range.
    pub held: Held,
    /// Name of the block that was freed.
    pub block: String,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    held: BTreeMap<u64, (Held, bool)>,
    /// Whose work is being ended.
    ending: BTreeSet<u32>,
    count: u64,
    freed: Vec<FreedInUse>,
}

/// The ranges in use.
#[derive(Debug, Default, Clone)]
pub struct Holds(Arc<Mutex<State>>);

/// Ranges are in use until this is dropped.
#[derive(Debug)]
pub struct Hold {
    holds: Holds,
    first: u64,
    count: u64,
}

impl Holds {
    /// Frees of memory in use that are kept for [`Self::take_freed`]; more are only counted.
    const KEEP: usize = 256;

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks ranges as used until the result is dropped.
    pub(crate) fn hold(&self, ranges: Vec<Held>) -> Hold {
        let mut state = self.state();
        let first = state.next;
        for held in ranges {
            let number = state.next;
            state.next += 1;
            let intact = !state.ending.contains(&held.owner);
            state.held.insert(number, (held, intact));
        }
        Hold {
            holds: self.clone(),
            first,
            count: state.next - first,
        }
    }

    /// A block was freed: whatever of it is in use is lost to its user, and counted.
    pub(crate) fn freed(&self, block: &CmmBlock) -> Vec<Held> {
        let mut state = self.state();
        let end = block.address + block.size;
        let mut users = Vec::new();
        for (held, intact) in state.held.values_mut() {
            let overlap =
                held.len > 0 && held.address < end && block.address < held.address + held.len;
            if *intact && overlap {
                *intact = false;
                users.push(held.clone());
            }
        }
        for held in &users {
            state.count += 1;
            if state.freed.len() < Self::KEEP {
                state.freed.push(FreedInUse {
                    held: held.clone(),
                    block: block.name.clone(),
                });
            }
        }
        users
    }

    /// The work of `owner` is being ended: what is freed of its ranges from now on is no fault, but
    /// not written any more either.
    pub fn give_up(&self, owner: u32) {
        let mut state = self.state();
        state.ending.insert(owner);
        for (held, intact) in state.held.values_mut() {
            *intact &= held.owner != owner;
        }
    }

    /// The work of `owner` has ended: another may have its number.
    pub(crate) fn ended(&self, owner: u32) {
        self.state().ending.remove(&owner);
    }

    /// The chip was reset: all work has ended.
    pub(crate) fn clear(&self) {
        let mut state = self.state();
        state.ending.clear();
        for (_, intact) in state.held.values_mut() {
            *intact = false;
        }
    }

    /// Whether nothing is in use.
    pub fn is_idle(&self) -> bool {
        self.state().held.is_empty()
    }

    /// How many ranges were freed while in use, since the last call with `reset`.
    pub fn count_freed(&self, reset: bool) -> u64 {
        let mut state = self.state();
        let count = state.count;
        if reset {
            state.count = 0;
        }
        count
    }

    /// The first of those frees since the last call with `reset`.
    pub fn list_freed(&self, reset: bool) -> Vec<FreedInUse> {
        let mut state = self.state();
        if reset {
            std::mem::take(&mut state.freed)
        } else {
            state.freed.clone()
        }
    }
}

impl Hold {
    /// Runs `write`, unless the range with this index was freed meanwhile; no free comes in between.
    pub fn if_intact<T>(&self, index: usize, write: impl FnOnce() -> T) -> Option<T> {
        let state = self.holds.state();
        self.intact(&state, index).then(write)
    }

    /// Whether the range with this index was not freed until now.
    pub fn is_intact(&self, index: usize) -> bool {
        self.intact(&self.holds.state(), index)
    }

    /// Whether none of the ranges was.
    pub fn is_whole(&self) -> bool {
        let state = self.holds.state();
        (0..self.count as usize).all(|index| self.intact(&state, index))
    }

    fn intact(&self, state: &State, index: usize) -> bool {
        let number = self.first + index as u64;
        state.held.get(&number).is_some_and(|(_, intact)| *intact)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.holds.state();
        for number in self.first..self.first + self.count {
            state.held.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cmm;

    fn held(address: u64, len: u64, owner: u32) -> Held {
        Held {
            address,
            len,
            owner,
            what: "a test".into(),
        }
    }

    #[test]
    fn a_free_of_memory_in_use_is_counted_and_ends_writes() {
        let cmm = Cmm::new(0x1000, 0x10000);
        let alloc = || cmm.alloc(0x2000, "block", 7).unwrap();
        let (a, b, c) = (alloc(), alloc(), alloc());
        let hold = cmm.hold(vec![held(a + 0x800, 16, 7), held(b, 0x2000, 7)]);
        let hold = hold.unwrap();
        assert_eq!(cmm.free(c), Ok(vec![]));
        assert_eq!(cmm.free(a), Ok(vec![held(a + 0x800, 16, 7)]));
        assert_eq!(cmm.holds().count_freed(false), 1);
        assert_eq!(cmm.holds().list_freed(true)[0].block, "block");
        // The next block lies in the same place, but is another.
        assert_eq!(alloc(), a);
        assert_eq!(hold.if_intact(0, || ()), None);
        assert_eq!(hold.if_intact(1, || ()), Some(()));
        // Freed twice is still one use that was lost.
        assert_eq!(cmm.free(a), Ok(vec![]));
        assert_eq!(cmm.holds().count_freed(true), 1);
        drop(hold);
        assert_eq!(cmm.free(b), Ok(vec![]));
        assert_eq!(cmm.holds().count_freed(true), 0);
    }

    #[test]
    fn the_end_of_a_session_is_no_fault() {
        let cmm = Cmm::new(0x1000, 0x10000);
        let (a, b) = (cmm.alloc(1, "a", 7).unwrap(), cmm.alloc(1, "b", 8).unwrap());
        let hold = cmm.hold(vec![held(a, 1, 7), held(b, 1, 8)]).unwrap();
        let outside = held(b, 0x1001, 8);
        assert_eq!(cmm.hold(vec![outside.clone()]).err(), Some(outside));
        assert!(cmm.hold(vec![held(0, 0, 8)]).is_ok());
        cmm.holds().give_up(7);
        // What begins while it ends is no better.
        let late = cmm.hold(vec![held(a, 1, 7)]).unwrap();
        assert!(!late.is_intact(0));
        assert_eq!(cmm.free_owner(7), 1);
        assert_eq!(cmm.holds().count_freed(false), 0);
        assert_eq!(hold.if_intact(0, || ()), None);
        // The next session has the number.
        let a = cmm.alloc(1, "a", 7).unwrap();
        assert!(cmm.hold(vec![held(a, 1, 7)]).unwrap().is_whole());
        assert_eq!(cmm.free_owner(8), 1);
        assert_eq!(cmm.holds().count_freed(false), 1);
    }
}
