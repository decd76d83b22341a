// SPDX-License-Identifier: MIT OR Apache-2.0

//! Room for the answers of calls.
//!
//! Most answers fit into a page.  A session keeps one buffer cut into pages for them, so that a call costs no
//! buffer of its own; longer answers get a buffer each, which is kept for the next one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::errno::Errno;

use crate::buffer::Buffer;
use crate::transport::{Device, ReplyRange};

/// Bytes of a small place.
const SLOT: usize = 4096;
/// Small places of a sheet.
const SLOTS: usize = 64;
/// Lost small places after which a new sheet is begun.
const MOST_LOST: u32 = 16;
/// Large places kept for later.
const SPARES: usize = 4;
/// Larger places are not kept.
const LARGEST_SPARE: usize = 2 << 20;

pub(crate) struct Arena {
    device: Arc<Device>,
    state: Mutex<State>,
}

struct State {
    sheet: Arc<Sheet>,
    spares: Vec<Buffer>,
}

/// A buffer cut into small places.  It lives until the last of them is given back or lost; the driver keeps the memory of
/// the lost ones for as long as the card might write to it.
struct Sheet {
    buffer: Buffer,
    /// Bit set: the place is free.
    free: AtomicU64,
    /// Bit set: the place is lost.
    lost: AtomicU64,
}

impl Sheet {
    fn new(device: &Arc<Device>) -> Result<Arc<Self>, Errno> {
        Ok(Arc::new(Self {
            buffer: Buffer::new(device.clone(), SLOT * SLOTS)?,
            free: AtomicU64::new(u64::MAX),
            lost: AtomicU64::new(0),
        }))
    }

    fn take(&self) -> Option<usize> {
        let taken = self
            .free
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |free| {
                (free != 0).then(|| free & (free - 1))
            });
        taken.ok().map(|free| free.trailing_zeros() as usize)
    }
}

impl Arena {
    pub(crate) fn new(device: Arc<Device>) -> Result<Arc<Self>, Errno> {
        let state = Mutex::new(State {
            sheet: Sheet::new(&device)?,
            spares: Vec::new(),
        });
        Ok(Arc::new(Self { device, state }))
    }

    /// Takes a place for an answer of up to `capacity` bytes.
    pub(crate) fn take(self: &Arc<Self>, capacity: usize) -> Result<Slot, Errno> {
        let place = if capacity <= SLOT {
            self.take_small()
        } else {
            None
        };
        let place = match place {
            Some(place) => place,
            None => SlotPlace::Large(self.take_large(capacity)?),
        };
        Ok(Slot {
            arena: self.clone(),
            place,
            capacity,
        })
    }

    fn take_small(&self) -> Option<SlotPlace> {
        let mut state = self.state();
        if state.sheet.lost.load(Ordering::Relaxed).count_ones() >= MOST_LOST {
            // Without it there is less room, but still some.
            if let Ok(sheet) = Sheet::new(&self.device) {
                state.sheet = sheet;
            }
        }
        let index = state.sheet.take()?;
        Some(SlotPlace::Small(state.sheet.clone(), index))
    }

    fn take_large(&self, capacity: usize) -> Result<Buffer, Errno> {
        let mut state = self.state();
        let fitting = state
            .spares
            .iter()
            .position(|spare| spare.len() >= capacity);
        let spare = fitting.map(|at| state.spares.swap_remove(at));
        drop(state);
        match spare {
            Some(buffer) => Ok(buffer),
            None => {
                let size = capacity.max(SLOT).checked_next_power_of_two();
                Buffer::new(self.device.clone(), size.ok_or(Errno::EINVAL)?)
            }
        }
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
    Small(Arc<Sheet>, usize),
    Large(Buffer),
    Lost,
}

impl Slot {
    pub(crate) fn range(&self) -> ReplyRange {
        let (buffer, offset) = match &self.place {
            SlotPlace::Small(sheet, index) => (&sheet.buffer, index * SLOT),
            SlotPlace::Large(buffer) => (buffer, 0),
            SlotPlace::Lost => unreachable!("a lost slot is gone"),
        };
        ReplyRange {
            buffer: buffer.handle(),
            offset: offset as u64,
            capacity: self.capacity.try_into().unwrap_or(u32::MAX),
        }
    }

    /// Returns the first `len` bytes of the answer, fewer if it was cut.
    pub(crate) fn contents(&self, len: u64) -> Vec<u8> {
        let mut contents = Vec::new();
        self.read(len, &mut contents);
        contents
    }

    /// Puts the first `len` bytes of the answer, fewer if it was cut, in place of what is in `contents`.
    pub(crate) fn read(&self, len: u64, contents: &mut Vec<u8>) {
        let len = usize::try_from(len)
            .unwrap_or(usize::MAX)
            .min(self.capacity);
        let (buffer, at) = match &self.place {
            SlotPlace::Small(sheet, index) => (&sheet.buffer, index * SLOT),
            SlotPlace::Large(buffer) => (buffer, 0),
            SlotPlace::Lost => unreachable!("a lost slot is gone"),
        };
        // An arena has buffers of the driver's own memory, which are mapped.
        match buffer.mapping() {
            Some(mapping) => mapping.copy_into(at, len, contents),
            None => contents.clear(),
        }
    }

    /// Gives the place up for good: the card may write to it at some unknown time.
    pub(crate) fn lose(mut self) {
        if let SlotPlace::Small(sheet, index) = std::mem::replace(&mut self.place, SlotPlace::Lost)
        {
            sheet.lost.fetch_or(1 << index, Ordering::Relaxed);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.arena.device.is_inherited() {
            return;
        }
        match std::mem::replace(&mut self.place, SlotPlace::Lost) {
            SlotPlace::Small(sheet, index) => {
                sheet.free.fetch_or(1 << index, Ordering::Release);
            }
            SlotPlace::Large(buffer) if buffer.len() <= LARGEST_SPARE => {
                let mut state = self.arena.state();
                if state.spares.len() < SPARES {
                    state.spares.push(buffer);
                }
            }
            SlotPlace::Large(_) | SlotPlace::Lost => {}
        }
    }
}
