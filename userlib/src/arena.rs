// SPDX-License-Identifier: MIT OR Apache-2.0

//! Room for the answers of calls.
//!
//! Most answers fit into a page.  A session keeps one buffer cut into pages for them, so that a call costs no
//! buffer of its own; longer answers get a buffer each, which is kept for the next one.

use std::sync::{Arc, Mutex, PoisonError};

use nix::errno::Errno;

use crate::buffer::Buffer;
use crate::transport::{ReplyRange, Transport};

/// Bytes of a small place.
const SLOT: usize = 4096;
/// Small places.
const SLOTS: usize = 64;
/// Large places kept for later.
const SPARES: usize = 4;

pub(crate) struct Arena {
    device: Arc<dyn Transport>,
    slots: Buffer,
    state: Mutex<State>,
}

struct State {
    /// Bit set: the small place is free.
    free: u64,
    spares: Vec<Buffer>,
}

impl Arena {
    pub(crate) fn new(device: Arc<dyn Transport>) -> Result<Arc<Self>, Errno> {
        let slots = Buffer::new(device.clone(), SLOT * SLOTS)?;
        let state = Mutex::new(State {
            free: u64::MAX,
            spares: Vec::new(),
        });
        Ok(Arc::new(Self {
            device,
            slots,
            state,
        }))
    }

    /// A place for an answer of up to `capacity` bytes.
    pub(crate) fn take(self: &Arc<Self>, capacity: usize) -> Result<Slot, Errno> {
        let mut state = self.state();
        if capacity <= SLOT && state.free != 0 {
            let index = state.free.trailing_zeros() as usize;
            state.free &= !(1 << index);
            drop(state);
            return Ok(Slot {
                arena: self.clone(),
                place: SlotPlace::Small(index),
                capacity,
            });
        }
        let fitting = state
            .spares
            .iter()
            .position(|spare| spare.len() >= capacity);
        let spare = fitting.map(|at| state.spares.swap_remove(at));
        drop(state);
        let buffer = match spare {
            Some(buffer) => buffer,
            None => Buffer::new(self.device.clone(), capacity.max(SLOT).next_power_of_two())?,
        };
        Ok(Slot {
            arena: self.clone(),
            place: SlotPlace::Large(buffer),
            capacity,
        })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place for one answer.  Dropping it gives it back, so this must not be done while the card may write
/// there; see [`Slot::lose`].
pub(crate) struct Slot {
    arena: Arc<Arena>,
    place: SlotPlace,
    capacity: usize,
}

enum SlotPlace {
    Small(usize),
    Large(Buffer),
    Lost,
}

impl Slot {
    pub(crate) fn range(&self) -> ReplyRange {
        let (buffer, offset) = match &self.place {
            SlotPlace::Small(index) => (&self.arena.slots, index * SLOT),
            SlotPlace::Large(buffer) => (buffer, 0),
            SlotPlace::Lost => unreachable!("a lost slot is gone"),
        };
        ReplyRange {
            buffer: buffer.handle(),
            offset: offset as u64,
            capacity: self.capacity.try_into().unwrap_or(u32::MAX),
        }
    }

    /// The first `len` bytes of the answer, fewer if it was cut.
    pub(crate) fn contents(&self, len: u64) -> Vec<u8> {
        let len = usize::try_from(len)
            .unwrap_or(usize::MAX)
            .min(self.capacity);
        match &self.place {
            SlotPlace::Small(index) => self.arena.slots.mapping().copy_out(index * SLOT, len),
            SlotPlace::Large(buffer) => buffer.mapping().copy_out(0, len),
            SlotPlace::Lost => unreachable!("a lost slot is gone"),
        }
    }

    /// The card may write to the place at some unknown time: never use it again.
    pub(crate) fn lose(mut self) {
        self.place = SlotPlace::Lost;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.place, SlotPlace::Lost) {
            SlotPlace::Small(index) => self.arena.state().free |= 1 << index,
            SlotPlace::Large(buffer) => {
                let mut state = self.arena.state();
                if state.spares.len() < SPARES {
                    state.spares.push(buffer);
                }
            }
            SlotPlace::Lost => {}
        }
    }
}
