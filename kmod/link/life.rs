// SPDX-License-Identifier: GPL-2.0

//! Where a card is in its life: state, number of the boot, and what its thread is to do.
//!
//! The card's thread is the only one that changes the state; the exception is that whoever finds that
//! the card does not answer says so at once.

use kernel::sync::atomic::{
    Acquire,
    Atomic,
    Full,
    Relaxed, //
};

use super::orders::{
    Order,
    Orders, //
};
use crate::{
    glue::prelude::*,
    wire::state::{
        may,
        State, //
    }, //
};

/// Why a card does not serve.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotServing {
    /// The card is not on the bus, or the driver is being unbound.
    Gone,
    /// The card has been booted since.
    Stale,
    /// The card is not up yet.
    NotYet,
    /// The card will not come up by itself.
    Down,
}

impl From<NotServing> for Error {
    fn from(reason: NotServing) -> Self {
        match reason {
            NotServing::Gone => ENODEV,
            NotServing::Stale => ESTALE,
            NotServing::NotYet => EAGAIN,
            NotServing::Down => EHOSTDOWN,
        }
    }
}

/// Why an order is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderError {
    /// The card is gone.
    Gone,
    /// Another order stands or is under way.
    Busy,
}

impl From<OrderError> for Error {
    fn from(reason: OrderError) -> Self {
        match reason {
            OrderError::Gone => ENODEV,
            OrderError::Busy => EBUSY,
        }
    }
}

/// The life of one card.  No lock: whoever sees a state sees the generation that goes with it.
#[pin_data]
pub(crate) struct Life {
    state: Atomic<u32>,
    /// Number of the present boot.
    generation: Atomic<u32>,
    /// The driver is being unbound.
    removed: Atomic<u32>,
    #[pin]
    pub(crate) orders: Orders,
}

impl Life {
    /// Makes the life of a card that was not looked at.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state: Atomic::new(State::Absent as u32),
            generation: Atomic::new(0),
            removed: Atomic::new(0),
            orders <- Orders::new(),
        })
    }

    /// Returns where the card is.
    pub(crate) fn state(&self) -> State {
        State::from_u32(self.state.load(Acquire)).unwrap_or(State::Absent)
    }

    /// Changes the state, and returns the one before; `None` if that cannot be, as the card has gone in
    /// the meantime.
    pub(super) fn set_state(&self, to: State) -> Option<State> {
        loop {
            let from = self.state();
            if from == to {
                return Some(from);
            }
            if !may(from, to) {
                return None;
            }
            if self.state.cmpxchg(from as u32, to as u32, Full).is_ok() {
                return Some(from);
            }
        }
    }

    /// Returns the number of the present boot.
    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Relaxed)
    }

    /// Begins the next generation: the rings are up.  For the card's thread.
    pub(crate) fn next_generation(&self) {
        self.generation
            .store(self.generation().wrapping_add(1), Relaxed);
    }

    /// Notes that the driver is being unbound.
    pub(crate) fn remove(&self) {
        self.removed.store(1, Relaxed);
    }

    /// Returns whether the driver is being unbound, or the card does not answer on the bus.
    pub(crate) fn is_gone(&self) -> bool {
        self.removed.load(Relaxed) != 0 || !self.state().is_on_bus()
    }

    /// Checks that the card serves sessions of boot `generation`.
    ///
    /// # Errors
    ///
    /// What is wrong, gravest first: [`NotServing`].
    pub(crate) fn check_serving(&self, generation: u32) -> Result<(), NotServing> {
        let state = self.state();
        if self.is_gone() {
            Err(NotServing::Gone)
        } else if self.generation() != generation {
            Err(NotServing::Stale)
        } else if state.serves_sessions() {
            Ok(())
        } else if matches!(state, State::Dead | State::Loader) && !self.orders.boot_is_due() {
            Err(NotServing::Down)
        } else {
            Err(NotServing::NotYet)
        }
    }

    /// Orders a boot or a reset.  Returns the generation to come.
    ///
    /// # Errors
    ///
    /// [`OrderError::Gone`]; [`OrderError::Busy`] if another is under way.
    pub(crate) fn order(&self, order: Order) -> Result<u32, OrderError> {
        let generation = self.generation();
        let next = generation.wrapping_add(1);
        let if_needed = order == Order::BootIfNeeded;
        let placed = self.orders.place(order, |busy| {
            if self.is_gone() {
                Some(Err(OrderError::Gone))
            } else if if_needed && self.state().serves_sessions() {
                Some(Ok(self.generation()))
            } else if busy && if_needed {
                Some(Ok(self.generation().wrapping_add(1)))
            } else if busy {
                Some(Err(OrderError::Busy))
            } else {
                None
            }
        });
        placed.unwrap_or(Ok(match order {
            Order::Reset => generation,
            Order::Boot | Order::BootIfNeeded => next,
        }))
    }
}
