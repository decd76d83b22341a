// SPDX-License-Identifier: MIT OR Apache-2.0

//! BAR1: the mailbox [pcie 4.8].

use std::collections::VecDeque;

use log::warn;
use parking_lot::Mutex;

use crate::event::Event;

/// Slots of the hardware.
const MAX_SLOTS: usize = 64;
/// Words that a slot carries.
const SLOT_WORDS: usize = 8;
/// Sender id of message doorbells.
const MASTER_HOST: u32 = 5;

const DATA: u64 = 0xc000;
const INFO: u64 = 0xc100;
const CONTROL: u64 = 0xc300;

/// What a doorbell brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doorbell {
    slot: usize,
    /// Sender id in the info word.
    pub master: u32,
    /// Bytes announced in the info word.
    pub announced: u32,
    /// Words written into the slot.
    pub words: Vec<u32>,
}

impl Doorbell {
    /// It is from the host's message sender and announces the 8 bytes that it has brought.
    pub fn is_good(&self) -> bool {
        self.master == MASTER_HOST && self.announced == 8 && self.words.len() == 2
    }
}

#[derive(Debug, Clone, Default)]
enum Slot {
    #[default]
    Free,
    Allocated(Vec<u32>),
    Sent,
}

#[derive(Debug, Default)]
struct State {
    /// Linux has pointed BAR1 to the mailbox.
    running: bool,
    slots: Vec<Slot>,
    sent: VecDeque<Doorbell>,
}

/// The mailbox with its slots.
#[derive(Debug)]
pub struct Mailbox {
    state: Mutex<State>,
    slots: usize,
    /// A doorbell was rung.
    pub event: Event,
}

/// The register at an offset of BAR1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Register {
    Data(usize),
    Info(usize),
    Status,
    Clear,
    Request,
    Unlock,
    Other,
}

impl Register {
    fn at(offset: u64) -> Self {
        let slot = |base| ((offset - base) / 4) as usize;
        match offset & !3 {
            DATA..INFO => Self::Data(slot(DATA)),
            INFO..0xc200 => Self::Info(slot(INFO)),
            at @ CONTROL..0xc400 => match at & 0xf {
                0x0 => Self::Status,
                0x4 => Self::Clear,
                0x8 => Self::Request,
                _ => Self::Unlock,
            },
            _ => Self::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Data(_) => "slot_data",
            Self::Info(_) => "slot_info",
            Self::Status => "interrupt_status",
            Self::Clear => "interrupt_clear",
            Self::Request => "slot_request",
            Self::Unlock => "slot_unlock",
            Self::Other => "other",
        }
    }
}

/// What the fault switches do to slot requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is no free slot.
    Empty,
    /// Every request returns this number.
    BadSlot(u32),
}

impl Mailbox {
    /// A mailbox with `slots` slots, at most 64.
    pub fn new(slots: usize) -> Self {
        Self {
            state: Mutex::default(),
            slots: slots.clamp(1, MAX_SLOTS),
            event: Event::default(),
        }
    }

    /// The chip is reset: BAR1 leads to the hardware-id page until [`Mailbox::start`].
    pub fn reset(&self) {
        *self.state.lock() = State::default();
    }

    /// Linux points BAR1 to the mailbox.
    pub fn start(&self) {
        let mut state = self.state.lock();
        state.running = true;
        state.slots = vec![Slot::Free; self.slots];
    }

    /// A read by the host: the value, and the register's name.
    pub fn read(&self, offset: u64, fault: Option<Fault>) -> (u32, &'static str) {
        let mut state = self.state.lock();
        if !state.running {
            return (0, "hardware_id");
        }
        let register = Register::at(offset);
        if register != Register::Request {
            return (0, register.name());
        }
        let value = match fault {
            Some(Fault::Empty) => u32::MAX,
            Some(Fault::BadSlot(slot)) => slot,
            None => match state.slots.iter().position(|s| matches!(s, Slot::Free)) {
                Some(slot) => {
                    state.slots[slot] = Slot::Allocated(Vec::new());
                    slot as u32
                }
                None => u32::MAX,
            },
        };
        (
            value,
            if value == u32::MAX {
                "slot_request_empty"
            } else {
                "slot_request"
            },
        )
    }

    /// A write by the host: the register's name, or what is wrong with the write.
    pub fn write(&self, offset: u64, value: u32) -> Result<&'static str, (&'static str, String)> {
        let mut state = self.state.lock();
        if !state.running {
            return Ok("hardware_id");
        }
        let register = Register::at(offset);
        let wrong = |what: &str| Err((register.name(), format!("mailbox {register:?}: {what}")));
        match register {
            Register::Data(slot) => match state.slots.get_mut(slot) {
                Some(Slot::Allocated(words)) if words.len() < SLOT_WORDS => words.push(value),
                Some(Slot::Allocated(_)) => return wrong("more than 32 bytes"),
                _ => return wrong("data for a slot that is not allocated"),
            },
            Register::Info(slot) => {
                let Some(Slot::Allocated(words)) = state.slots.get_mut(slot) else {
                    return wrong("sending a slot that is not allocated");
                };
                let doorbell = Doorbell {
                    slot,
                    master: (value >> 24) & 0xf,
                    announced: value & 0x00ff_ffff,
                    words: std::mem::take(words),
                };
                state.slots[slot] = Slot::Sent;
                state.sent.push_back(doorbell);
                drop(state);
                self.event.notify();
            }
            Register::Other => return wrong("no such register"),
            _ => {}
        }
        Ok(register.name())
    }

    /// The next doorbell; its slot becomes free.
    pub fn take(&self) -> Option<Doorbell> {
        let mut state = self.state.lock();
        let doorbell = state.sent.pop_front()?;
        match state.slots.get_mut(doorbell.slot) {
            Some(slot) => *slot = Slot::Free,
            None => warn!("mailbox: slot {} is gone", doorbell.slot),
        }
        Some(doorbell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(mailbox: &Mailbox) -> u32 {
        mailbox.read(0xc358, None).0
    }

    #[test]
    fn a_doorbell_takes_and_frees_a_slot() {
        let mailbox = Mailbox::new(8);
        assert_eq!(mailbox.read(0xc358, None), (0, "hardware_id"));
        mailbox.start();
        let slots: Vec<u32> = (0..9).map(|_| request(&mailbox)).collect();
        assert_eq!(slots, [0, 1, 2, 3, 4, 5, 6, 7, u32::MAX]);
        assert_eq!(mailbox.write(0xc00c, 1), Ok("slot_data"));
        assert_eq!(mailbox.write(0xc00c, 1), Ok("slot_data"));
        assert_eq!(mailbox.write(0xc10c, 0x0500_0008), Ok("slot_info"));
        assert_eq!(request(&mailbox), u32::MAX, "the receiver frees the slot");
        let doorbell = mailbox.take().unwrap();
        assert!(doorbell.is_good());
        assert_eq!(doorbell.words, [1, 1]);
        assert_eq!(request(&mailbox), 3);
        assert_eq!(mailbox.take(), None);
    }

    #[test]
    fn what_hardware_would_not_take() {
        let mailbox = Mailbox::new(8);
        mailbox.start();
        assert!(mailbox.write(0xc100, 0x0500_0008).is_err(), "not allocated");
        assert!(mailbox.write(0xc0a0, 1).is_err(), "slot 40 of 8");
        assert!(mailbox.write(0x1000, 1).is_err());
        assert_eq!(request(&mailbox), 0);
        for _ in 0..8 {
            assert!(mailbox.write(0xc000, 1).is_ok());
        }
        assert!(mailbox.write(0xc000, 1).is_err(), "36 bytes");
        for at in [0xc350, 0xc354, 0xc35c] {
            assert_eq!(mailbox.read(at, None).0, 0);
        }
        assert_eq!(mailbox.read(0xc358, Some(Fault::Empty)).0, u32::MAX);
        assert_eq!(mailbox.read(0xc358, Some(Fault::BadSlot(77))).0, 77);
    }

    #[test]
    fn a_wrong_count_is_no_good_doorbell() {
        let mailbox = Mailbox::new(8);
        mailbox.start();
        request(&mailbox);
        mailbox.write(0xc000, 1).unwrap();
        mailbox.write(0xc100, 0x0500_0008).unwrap();
        assert!(!mailbox.take().unwrap().is_good());
    }
}
